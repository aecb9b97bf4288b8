"""What the demo prints: it fits, it cannot steer the terminal, and it knows every reason."""

import io
import re
from collections import Counter
from typing import Any

import pytest

from indexer import _native
from indexer.demo import reasons, recording, summary
from indexer.demo.daemon import Counts
from indexer.demo.feed import Fed
from indexer.demo.findings import Findings, Letters
from indexer.demo.migration import story
from indexer.demo.migration.proof import Compared, Proof
from indexer.terminal import Terminal, columns_of, fitted, readable


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_reason_of_the_metrics_has_a_meaning() -> None:
    assert set(reasons.DEAD) == set(_native.REJECT_REASONS)
    assert set(reasons.IGNORED) == set(_native.IGNORED_REASONS)


def test_recording_is_the_72_events_of_one_day() -> None:
    payloads = recording.payloads()
    assert len(payloads) == 72
    assert all(f'"time":"{recording.DATE}T'.encode() in payload for payload in payloads)
    assert len(recording.post_uris()) == 8


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, []),
        ({"fed": 11}, ["19 messages were fed, 18 were finished"]),
        ({"kept": 2}, ["3 dead letters were counted, 2 are kept"]),
        ({"posts": 7}, ["the recording has 8 posts, 7 are indexed"]),
    ],
)
def test_what_does_not_add_up_is_said(change: dict[str, int], faults: list[str]) -> None:
    number = {"fed": 10, "kept": 3, "posts": 8} | change
    fed = Fed(8, Counter(firehose_live=number["fed"]))
    counts = Counts(Counter(indexed=14, ignored=1, dead_lettered=3), Counter(), 0)
    post: Any = None
    found = Findings({}, [post] * number["posts"], [], [Letters("db", number["kept"], "db_54000", "", b"")])
    assert summary.disagreements(fed, counts, found) == faults


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("待って天幕", 10, "待って天幕"),
        ("待って天幕", 9, "待って天…"),
        ("待って天幕", 8, "待って…"),
        ("a b", 2, "a…"),
        ("any", 0, ""),
    ],
)
def test_text_is_shortened_to_columns_not_letters(text: str, columns: int, shown: str) -> None:
    assert fitted(text, columns) == shown
    assert columns_of(shown) <= columns


def test_text_cannot_steer_the_terminal() -> None:
    hostile = "a\x1b[2Jb\r\nc\x07\u202ed\u2066e\ud83d\x00\u2028f\x9b3g"
    assert readable(hostile) == "a [2Jb c d e f 3g"
    assert readable("👨‍👩‍👧‍👦 ❤️") == "👨‍👩‍👧‍👦 ❤️"


def test_terminal_shows_one_moving_line_and_takes_it_away() -> None:
    screen = Screen()
    terminal = Terminal(screen, {})
    terminal.doing("starting")
    for done in range(0, 101, 10):
        terminal.progress("indexing", done, 100, 5)
    terminal.say("done")
    assert "\n" not in screen.getvalue().partition("done")[0]
    assert screen.getvalue().endswith("\r\x1b[2Kdone\n")
    assert "100 of 100, 5 a second" in screen.getvalue()


def test_elsewhere_lines_are_plain_and_few() -> None:
    file = io.StringIO()
    terminal = Terminal(file, {})
    terminal.doing("starting")
    for done in range(0, 1001):
        terminal.progress("indexing", done, 1000, 5)
    terminal.title("title")
    terminal.say(terminal.faint("faint"))
    assert file.getvalue().splitlines() == [
        *(f"indexing: {done} of 1,000, 5 a second" for done in (250, 500, 750)),
        "indexing: 1,000 of 1,000, 5 a second",
        "",
        "title",
        "faint",
    ]


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_are_left_out_where_they_are_not_wanted(environ: dict[str, str]) -> None:
    screen = Screen()
    terminal = Terminal(screen, environ)
    terminal.title("title")
    terminal.progress("indexing", 1, 2, 0)
    terminal.say(terminal.faint("faint"))
    assert not re.search(r"\x1b\[\d*m", screen.getvalue())


def test_dumb_terminal_gets_no_control_sequences() -> None:
    screen = Screen()
    terminal = Terminal(screen, {"TERM": "dumb"})
    terminal.doing("starting")
    terminal.progress("indexing", 1, 2, 0)
    terminal.say("done")
    assert "\x1b" not in screen.getvalue()


def rehearsed(proof: Proof, left: tuple[int, dict[str, int]]) -> str:
    file = io.StringIO()
    story.write(Terminal(file, {}), 2_000, 3, 120, left, proof)
    return file.getvalue()


def test_rehearsal_says_that_nothing_is_lost_where_that_is_so() -> None:
    text = rehearsed(Proof({"like": Compared(1_201, 0, 0)}, counters=9, letters=4, dropped=1), (0, {}))
    assert "1,201 rows of 1 tables are equal:" in text
    assert "equal, but for 1 that are not JSON" in text
    assert "2,000 messages, 3 processes killed with 120 of them in hand" in text
    assert "nothing is lost, nothing is there twice, every counter is right" in text


@pytest.mark.parametrize(
    ("proof", "left", "line"),
    [
        (Proof({"like": Compared(7, 2, 1)}), (0, {}), "NOT EQUAL: like, 2 rows missing, 1 not wanted"),
        (Proof(miscounted={"likeCount": 3}), (0, {}), "WRONG: likeCount 3 times"),
        (Proof(letters_missing=2), (0, {}), "NOT EQUAL: 2 missing, 0 not wanted"),
        (Proof(), (1, {"typescript-1": 1}), "1  entries; typescript-1 holds 1"),
        (Proof(), (1, {}), "1  entries; nothing is pending"),
    ],
)
def test_rehearsal_says_what_is_not_as_it_should_be(proof: Proof, left: tuple[int, dict[str, int]], line: str) -> None:
    text = rehearsed(proof, left)
    assert line in text
    assert "THIS IS NOT AS IT SHOULD BE" in text
    assert "nothing is lost" not in text
