"""A report as lines for people, as JSON, and as a bundle for those who help."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from indexer.commands.doctor.examination import Report
from indexer.wording import printable, quantity


def lines(report: Report) -> Iterator[str]:
    """Findings first, each with what to do; then what was not looked at, then what is as it should be."""
    for found in report.findings:
        yield f"found: {printable(found.what)}  [{found.code}]"
        yield f"  means:  {printable(found.means)}"
        yield f"  remedy: {printable(found.remedy)}"
    for unseen in report.unseen:
        yield f"not looked at: {printable(unseen.what)}: {printable(unseen.why)}"
    area = None
    for fact in report.facts:
        if fact.area != area:
            area = fact.area
            yield f"{area}:"
        yield f"  {printable(fact.text)}"
    number = len(report.findings)
    yield quantity(number, "finding") if number else "nothing is wrong, as far as can be seen"


def fields(report: Report) -> dict[str, Any]:
    """For programs."""
    return {
        "findings": [asdict(found) for found in report.findings],
        "not_looked_at": [asdict(unseen) for unseen in report.unseen],
        "facts": [asdict(fact) for fact in report.facts],
    }


def document(found: Mapping[str, Any]) -> str:
    """One JSON document."""
    return json.dumps(found, indent=2, default=str)
