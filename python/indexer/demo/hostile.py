"""Messages that are broken on purpose: a sample of what an indexer meets, and what must become of each.

The kinds, their names and their fates are those of hostile-kinds.md; there are far more of them than are made here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

Make = Callable[[Random, dict[str, Any]], bytes]
"""Makes the broken text out of a sound `create` event of a post; may change the event."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be broken."""

    name: str
    fate: str
    """`stored`, `ignored <reason>` or `dead <reason>`, the reason as in the metrics."""
    make: Make
    weight: float = 1.0


def drawn(random: Random) -> Kind:
    """One of `KINDS`, by weight."""
    return random.choices(KINDS, _WEIGHTS)[0]


def _raw(text: bytes) -> Make:
    return lambda _random, _event: text


def _cut_off(random: Random, event: dict[str, Any]) -> bytes:
    text = orjson.dumps(event)
    return text[: random.randrange(1, len(text))]


def _without(*fields: str) -> Make:
    def make(random: Random, event: dict[str, Any]) -> bytes:
        del event[random.choice(fields)]
        return orjson.dumps(event)

    return make


def _with(field: str, value: Any) -> Make:
    return lambda _random, event: orjson.dumps({**event, field: value})


def _record_with(field: str, *values: Any) -> Make:
    def make(random: Random, event: dict[str, Any]) -> bytes:
        event["record"][field] = random.choice(values)
        return orjson.dumps(event)

    return make


def _text_with(escape: bytes) -> Make:
    """A post whose text has a JSON escape in it that no encoder would write."""

    def make(_random: Random, event: dict[str, Any]) -> bytes:
        event["record"]["text"] += " @@"
        return orjson.dumps(event).replace(b"@@", escape, 1)

    return make


def _of(collection: str, **record: Any) -> Make:
    """A record of another collection under the same key."""

    def make(_random: Random, event: dict[str, Any]) -> bytes:
        at = event["record"]["createdAt"]
        event |= {"collection": collection, "record": {"$type": collection, **record, "createdAt": at}}
        return orjson.dumps(event)

    return make


def _deep(_random: Random, event: dict[str, Any]) -> bytes:
    return orjson.dumps(event).replace(b'"langs":', b'"deep":' + b"[" * 5_000 + b"]" * 5_000 + b',"langs":', 1)


def _long_rkey(random: Random, event: dict[str, Any]) -> bytes:
    event["rkey"] = "".join(random.choices("abcdefghijklmnopqrstuvwxyz234567", k=5_000))
    return orjson.dumps(event)


_POST_OF_ANOTHER = "at://did:plc:madeupmadeupmadeupmadeup/app.bsky.feed.post/2222222222222"

KINDS: tuple[Kind, ...] = (
    Kind("raw_not_json", "dead not_json", _cut_off),
    Kind("raw_empty", "ignored empty", _raw(b"")),
    Kind("raw_null", "ignored empty", _raw(b"null")),
    Kind("raw_array", "ignored unknown_type", _raw(b"[]")),
    Kind("raw_number", "dead not_an_object", _raw(b"5")),
    Kind("type_unknown", "ignored unknown_type", _with("type", "tombstone")),
    Kind("field_missing", "dead missing_field", _without("did", "collection", "rkey", "rev", "time", "commit", "cid")),
    Kind("cid_bad", "dead bad_cid", _with("cid", "bafynotacid")),
    Kind("commit_bad", "dead bad_commit", _with("commit", "zzz")),
    Kind("rev_not_tid", "dead bad_rev", _with("rev", "zzzz-not-a-tid")),
    Kind("rkey_space", "dead bad_uri", _with("rkey", "two words")),
    Kind("record_null", "dead invalid_record", _with("record", None)),
    Kind("created_unreadable", "dead invalid_record", _record_with("createdAt", "yesterday", "", 5, None,
                                                                   "2026-02-30T00:00:00Z")),
    Kind("created_year_3025", "stored", _record_with("createdAt", "3025-01-01T00:00:00Z")),
    Kind("lex_no_type", "dead invalid_record", _record_with("$type", None, "app.bsky.feed.like")),
    Kind("lex_langs_bad", "dead invalid_record", _record_with("langs", ["no language"], "en", ["en"] * 4)),
    Kind("lex_text_too_long", "dead invalid_record", _record_with("text", "made up " * 40)),
    Kind("lex_like_no_subject", "dead invalid_record", _of("app.bsky.feed.like")),
    Kind("json_link_bad", "dead bad_record", _record_with("extra", {"$link": "no cid"})),
    Kind("json_deep", "dead too_deep", _deep),
    Kind("threadgate_mismatch", "ignored not_its_own", _of("app.bsky.feed.threadgate", post=_POST_OF_ANOTHER)),
    Kind("nul_in_post_text", "stored", _text_with(b"\\u0000"), 2),
    Kind("lone_surrogate_text", "stored", _text_with(b"\\ud83d"), 2),
    Kind("huge_own_rkey", "dead db", _long_rkey, 0.2),
)  # fmt: skip
"""Each is as likely as its weight says. `huge_own_rkey` is the one that only PostgreSQL refuses (54000, an index)."""

_WEIGHTS = [kind.weight for kind in KINDS]
