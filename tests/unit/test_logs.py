import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from indexer.daemon import logs

SECRET = "postgresql://bsky:hunter2@db/bsky"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(level: str, *calls: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What a program reads when these are logged."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    logs.configure(level, {}, stream)
    for method, event, fields in calls:
        getattr(structlog.get_logger(), method)(event, **fields)
    stream.flush()
    return [json.loads(line) for line in raw.getvalue().splitlines()]


def test_line_is_json_with_time_level_and_event_first() -> None:
    (line,) = lines("info", ("info", "started", {"streams": ("a", "b"), "lag": 1.5}))
    assert list(line)[:3] == ["time", "level", "event"]
    assert line["time"].endswith("Z")
    assert {name: line[name] for name in ("level", "event", "streams", "lag")} == {
        "level": "info",
        "event": "started",
        "streams": ["a", "b"],
        "lag": 1.5,
    }


def test_lines_below_the_level_are_left_out() -> None:
    found = lines("warning", ("info", "quiet", {}), ("warning", "loud", {}))
    assert [line["event"] for line in found] == ["loud"]


def test_no_line_shows_a_password() -> None:
    def fail() -> None:
        raise ValueError(f"cannot parse {SECRET}")

    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    logs.configure("info", {}, stream)
    log = structlog.get_logger()
    log.info(f"connecting to {SECRET}", url=SECRET, nested={"url": SECRET}, many=[SECRET], error=OSError(SECRET))
    try:
        fail()
    except ValueError:
        log.exception("failed")
        logging.getLogger("driver").exception("failed with %s", SECRET)
    stream.flush()
    text = raw.getvalue().decode()
    assert text.count("bsky:***@db") == 8
    assert "hunter2" not in text


def test_text_that_is_no_unicode_and_numbers_without_bound_are_logged_too() -> None:
    (line,) = lines("info", ("error", "odd \ud800", {"number": 2**80, "raw": b"\xff"}))
    assert line["event"] == "odd \ud800"
    assert line["number"] == 2**80


def test_lines_of_libraries_and_warnings_have_the_same_form() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    logs.configure("info", {}, stream)
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    logging.getLogger("chatty").info("not shown")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    stream.flush()
    found = [json.loads(line) for line in raw.getvalue().splitlines()]
    assert [(line["logger"], line["level"]) for line in found] == [("asyncio", "error"), ("py.warnings", "warning")]


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_person_at_a_terminal_gets_text_in_colour_unless_unwanted(environ: dict[str, str], *, coloured: bool) -> None:
    terminal = Terminal()
    logs.configure("info", environ, terminal)
    structlog.get_logger().info("started", url=SECRET)
    assert ("\x1b[" in terminal.getvalue()) is coloured
    assert "started" in terminal.getvalue()
    assert "hunter2" not in terminal.getvalue()
