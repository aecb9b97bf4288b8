"""Numbers in sentences."""

from indexer.wording import quantity


def test_one_is_not_several() -> None:
    said = [quantity(number, "dead letter") for number in (0, 1, 2, 1234)]
    assert said == ["0 dead letters", "1 dead letter", "2 dead letters", "1,234 dead letters"]
    assert [quantity(number, "entry was", "entries were") for number in (1, 2)] == ["1 entry was", "2 entries were"]
