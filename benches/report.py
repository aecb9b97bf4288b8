"""The figures as a table and as JSON: of several rounds the median, with the least and the most."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benches.bars import BARS

FOLDER = Path(__file__).parents[1] / ".benchmarks"


@dataclass
class Report:
    """Sections of figures, and sections of facts about the machine."""

    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By section and name with unit, a value per round."""
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    bars: dict[str, float] = field(default_factory=dict)
    """By key of `bars.BARS`, the median."""

    def add(self, section: str, name: str, values: Sequence[float], *, bar: str = "") -> None:
        """Add a figure; `bar` is its key in `BARS`, where there is one."""
        self.figures.setdefault(section, {})[name] = list(values)
        if bar:
            assert bar in BARS
            self.bars[bar] = median(values)

    def lines(self) -> list[str]:
        """The table."""
        found = []
        for section, figures in self.figures.items():
            found += ["", section]
            for name, values in figures.items():
                middle, least, most = (shown(value) for value in (median(values), min(values), max(values)))
                spread = f"  [{least} .. {most}]" if len(values) > 1 else ""
                found.append(f"  {name:<52}{middle:>10}{spread}")
        for section, facts in self.facts.items():
            found += ["", section, *(f"  {name:<30}{text}" for name, text in facts.items())]
        return found

    def save(self) -> Path:
        """Write the JSON under the time of now; the file."""
        now = datetime.now(UTC)
        content: dict[str, Any] = {
            "time": now.isoformat(timespec="seconds"),
            "figures": {
                section: {name: {"median": median(values), "rounds": values} for name, values in figures.items()}
                for section, figures in self.figures.items()
            },
            "bars": self.bars,
            **self.facts,
        }
        FOLDER.mkdir(exist_ok=True)
        file = FOLDER / f"{now:%Y%m%d-%H%M%S}.json"
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return file


def shown(value: float) -> str:
    """Three digits that count, or the whole number."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"
