"""Stream events, with the clock of this machine where none is given."""

import time
from collections.abc import Sequence

from indexer import _native


def decode_events(
    payloads: Sequence[bytes], clocks_ms: Sequence[int] | None = None, /
) -> list[_native.Event | _native.Reject | _native.Ignored]:
    """Decode stream events (JSON, streams.md 3): envelope, lexicon, `record.json`, timestamps; input order kept.

    `clocks_ms` is "now" for each payload, in milliseconds since 1970: a rev that lies more than five minutes ahead of
    it is refused. Without it, it is now. Bad data never raises; TypeError if an item is not bytes.

    >>> decode_events([b'{"type":"delete"}'])[0].cause
    'missing_field:did'
    """
    if clocks_ms is None:
        clocks_ms = [time.time_ns() // 1_000_000] * len(payloads)
    return _native.decode_events(payloads, clocks_ms)
