"""Write docs/performance.md and its picture from the reports that `make bench` left, and print the bars.

    python -m benches.performance    # the last step of `make bench`

A section is taken from the newest report that has it; each says when it was measured, and how busy the machine was.
`benches/reports/` keeps those of `make bench-long`.
"""

import json
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from benches import bars
from benches.report import FOLDER, shown
from benches.test_end_to_end import DAEMON, FLOOR

KEPT = Path(__file__).parent / "reports"
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
PICTURE = DOCUMENT.with_suffix(".svg")
HEAD = """# Performance

`make bench` measures and writes this page; nobody edits it. Of several rounds the median is shown, with the least and
the most. A message is one of `mixed-30k` unless the heading says otherwise: made up, in the network's proportions and
skew. All of it ran on one machine, which PostgreSQL, Redis and the daemon share; other machines give other figures, but
nearly the same ratios. Where the load before a run was not near zero, others worked on the machine too, and rates and
times are worse than they would be.

The floor is COPY of the finished rows into copies of the same tables, with the same indexes, in portions of 500
messages: the least that this PostgreSQL needs for them. The daemon's batches grow to 3,000 where a backlog waits, so
the floor in such portions stands beside it. The TypeScript indexer reaches 0.025 of it (about 500 messages a second;
1,475 µs of its own processor time and 1,545 µs of PostgreSQL's a message).

![Processor time a message](performance.svg)
"""
SHARES = (
    ("daemon", "processor time of the daemon, µs a message", DAEMON, "#3b6fb6"),
    ("PostgreSQL", "processor time of PostgreSQL, µs a message", DAEMON, "#7c9f3c"),
    ("Redis", "processor time of Redis, µs a message", DAEMON, "#b8553a"),
    ("PostgreSQL, floor", "processor time of PostgreSQL, µs a message", FLOOR, "#9aa3ad"),
)

Figures = Mapping[str, Mapping[str, Any]]


def main() -> int:
    files = [*KEPT.glob("*.json"), *FOLDER.glob("*.json")]
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    reports.sort(key=lambda report: str(report["time"]), reverse=True)
    if not any(FOLDER.glob("*.json")):
        print(f"there is no report in {FOLDER.name}/: run `make bench` first", file=sys.stderr)
        return 1
    DOCUMENT.write_text(page(reports), encoding="utf-8")
    PICTURE.write_text(picture(newest(reports)), encoding="utf-8")
    print("", *bars.lines(judged(reports)), sep="\n")
    return 0


def judged(reports: list[dict[str, Any]]) -> dict[str, tuple[float, str]]:
    """By key of the bars the newest result, and when it was measured; `reports` has the newest first."""
    found: dict[str, tuple[float, str]] = {}
    for report in reports:
        for key, value in report.get("bars", {}).items():
            found.setdefault(key, (value, report["time"]))
    return found


def newest(reports: list[dict[str, Any]]) -> dict[str, tuple[Figures, dict[str, Any]]]:
    """By section its figures, and the report that they are from; `reports` has the newest first."""
    found: dict[str, tuple[Figures, dict[str, Any]]] = {}
    for report in reports:
        for section, figures in report["figures"].items():
            found.setdefault(section, (figures, report))
    return found


def page(reports: list[dict[str, Any]]) -> str:
    """The page in Markdown."""
    found = judged(reports)
    lines = [HEAD, "## Bars", "", f"| {' | '.join(bars.HEADS)} |", "|---|---|--:|--:|--:|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in bars.rows(found)]
    lines += ["", *(f"- *{measure}* is missed: {why}." for measure, why in bars.missed(found)), ""]
    for section, (figures, report) in newest(reports).items():
        load = report["machine"]["load before"]
        lines += [f"## {section[0].upper()}{section[1:]}", f"{report['time']}, load before: {load}", ""]
        lines += ["| | median | least | most |", "|---|--:|--:|--:|"]
        for name, figure in figures.items():
            rounds = figure["rounds"]
            spread = [shown(min(rounds)), shown(max(rounds))] if len(rounds) > 1 else ["", ""]
            lines.append(f"| {name} | {' | '.join((shown(figure['median']), *spread))} |")
        lines.append("")
    for title in ("machine", "versions", "settings"):
        lines += [f"## {title.capitalize()}", "Of the newest run.", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {text} |" for name, text in reports[0].get(title, {}).items() if name != "load before"]
        lines.append("")
    return "\n".join(lines)


def picture(sections: Mapping[str, tuple[Figures, object]]) -> str:
    """Bars of processor time a message, as SVG that is readable on light and dark."""
    bars = [
        (label, sections[section][0][name]["median"], colour)
        for label, name, section, colour in SHARES
        if section in sections
    ]
    most = max((value for _, value, _ in bars), default=1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {30 * len(bars) + 10}" role="img" '
        'font-family="sans-serif" font-size="13" fill="#808890">',
        "<title>Processor time a message, in microseconds</title>",
    ]
    for place, (label, value, colour) in enumerate(bars):
        y, width = 30 * place + 8, 380 * value / most
        lines += [
            f'<text x="150" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="160" y="{y}" width="{width:.1f}" height="20" rx="2" fill="{colour}"/>',
            f'<text x="{168 + width:.1f}" y="{y + 15}">{shown(value)} µs</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
