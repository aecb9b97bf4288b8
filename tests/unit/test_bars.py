"""The table of bars says what was measured, and why a bar is missed."""

import re
from pathlib import Path

import pytest

from benches import bars
from benches.performance import judged
from benches.report import Report

BENCHES = Path(bars.__file__).parent


def test_newest_report_counts_and_misses_say_why() -> None:
    reports = [
        {"time": "2026-02-01T00:00:00+00:00", "bars": {"cpu": 61.0}},
        {"time": "2026-01-01T00:00:00+00:00", "bars": {"cpu": 59.0, "floor": 0.45}},
    ]
    found = judged(reports)
    table = {row[0]: row[4:] for row in bars.rows(found)}
    assert table[bars.BARS["cpu"].measure] == ("61", "missed", "2026-02-01")
    assert table[bars.BARS["floor"].measure] == ("0.45", "met", "2026-01-01")
    assert table[bars.BARS["hot"].measure] == ("", "not measured", "")
    assert list(bars.missed(found)) == [(bars.BARS["cpu"].measure, bars.BARS["cpu"].if_missed)]
    assert bars.BARS["cpu"].if_missed in "\n".join(bars.lines(found))


def test_report_keeps_the_median() -> None:
    report = Report()
    report.add("section", "name", [3.0, 1.0, 2.0], bar="cpu")
    assert report.bars == {"cpu": 2.0}
    with pytest.raises(AssertionError):
        report.add("section", "name", [1.0], bar="none such")


def test_every_bar_is_measured_by_a_bench() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in BENCHES.glob("test_*.py"))
    assert sorted(re.findall(r'bar="(\w+)"', text)) == sorted(bars.BARS)
