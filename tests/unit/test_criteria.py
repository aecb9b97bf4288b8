"""The text of `--stop-if`."""

import pytest

from indexer.configuration.criteria import Criterion, criteria


@pytest.mark.parametrize(
    ("text", "metric", "limit", "unit"),
    [
        ("dead>0.1%", "dead", 0.1, "%"),
        ("dead>10", "dead", 10, ""),
        ("dead>0", "dead", 0, ""),
        ("db>5%", "db", 5, "%"),
        ("DB > 0 %", "db", 0, "%"),
        ("p99>2s", "p99", 2, "s"),
        ("p99>250ms", "p99", 0.25, "s"),
        ("late>10m", "late", 600, "s"),
        ("late>1.5h", "late", 5400, "s"),
    ],
)
def test_criterion_is_read(text: str, metric: str, limit: float, unit: str) -> None:
    found = criteria(text)
    assert found is not None
    (one,) = found.all
    assert (one.metric, one.limit, one.unit) == (metric, limit, unit)


def test_several_are_read_and_shown_as_they_were_given() -> None:
    found = criteria(" dead > 0.1% | p99>2s ")
    assert found is not None
    assert found.all == (Criterion("dead", 0.1, "%", "dead>0.1%"), Criterion("p99", 2, "s", "p99>2s"))
    assert str(found) == "dead>0.1%|p99>2s"


@pytest.mark.parametrize("text", ["off", "OFF", " off "])
def test_off_is_none(text: str) -> None:
    assert criteria(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "dead", "dead>", "dead>x", "dead<1%", "dead>=1%", "dead>-1%", "dead>1.5", "dead>100%", "dead>2s", "p99>2",
        "p99>2%", "p99>0s", "p99>2d", "late>1", "p50>2s", "dead>1%|", "|", "dead>1%|p99", "dead>1%,p99>2s", "dead>1e3",
        "dead>1%|off", "dead>1%%", "dead>0.0000001%", "dead>1%\n|x",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be criteria such as dead>0\.1%"):
        criteria(text)
