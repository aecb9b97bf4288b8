"""A batch of entries, decoded whatever their ids are."""

import pytest

from indexer._native import Event
from indexer.lane.decoding import decode
from indexer.lane.source import Message
from tests.messages import A, create, post, post_uri


@pytest.mark.parametrize("ms", [0, 2**53, 2**63, 2**64 - 1])
def test_any_id_that_redis_takes(ms: int) -> None:
    payload = create(post_uri(A, "p"), post())
    decoded = decode([Message(b"%d-0" % ms, payload)], "firehose_live", 1_760_000_000_000)
    (entry,) = decoded.entries
    assert isinstance(entry.event, Event)
