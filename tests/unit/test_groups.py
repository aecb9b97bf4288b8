"""Which of the records with one duplicate key is the first, however many there are."""

from random import Random

import pytest

from indexer.fold.world import Group

RECORDS = [f"at://did:plc:a/app.bsky.feed.like/{number}" for number in range(24)]


@pytest.mark.parametrize("seed", range(20))
def test_first_is_the_lowest_after_every_step(seed: int) -> None:
    """Records come, come again under another rev, and go."""
    random = Random(seed)
    group = Group(("key",))
    for _ in range(400):
        uri = random.choice(RECORDS)
        if uri in group.revs and random.random() < 0.5:
            del group.revs[uri]
        else:
            group.put(uri, random.choice("abcdefgh"))
        lowest = min(((rev, uri) for uri, rev in group.revs.items()), default=(None, None))
        assert group.first() == lowest[1]
