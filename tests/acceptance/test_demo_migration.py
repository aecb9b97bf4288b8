"""`indexer demo --migration` as a person runs it: the move ends with its proof, nothing is left running or behind."""

import re
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from indexer.embedded.process import remove_stale_folders
from tests.acceptance.test_demo import assert_nothing_is_left, environment, start, temporary

__all__ = ["temporary"]

COMMAND = (sys.executable, "-m", "indexer", "demo", "--migration", "--messages", "1200")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_move_is_played_and_proved(temporary: Path) -> None:
    with start(COMMAND, environment(temporary)) as demo:
        output, errors = demo.communicate()
    assert demo.returncode == 0, output + errors
    assert errors == ""
    assert "\x1b" not in output
    played = re.findall(r"^  \$ indexer (.+)$", output, re.M)
    assert [words.split()[0] for words in played] == [
        "schema", "doctor", "takeover", "status", "takeover", "takeover", "release", *["takeover"] * 4, "status",
        "reconcile",
    ]  # fmt: skip
    killed = [int(number.replace(",", "")) for number in re.findall(r"kill -9 .+, with ([\d,]+) messages", output)]
    assert len(killed) == 3
    assert all(killed)
    (messages, in_hand) = re.findall(r"([\d,]+) messages, 3 processes killed with ([\d,]+)", output)[0]
    assert int(messages.replace(",", "")) >= 1200
    assert int(in_hand.replace(",", "")) == sum(killed)
    assert re.search(r"streams +0  entries; nothing is pending", output)
    assert "nothing is lost, nothing is there twice, every counter is right" in output
    assert_nothing_is_left(temporary)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("Before", signal.SIGINT),
        ("kill -9 typescript-1", signal.SIGTERM),
        ("Roll back", signal.SIGINT),
    ],
)
def test_rehearsal_that_is_stopped_leaves_nothing(temporary: Path, line: str, number: signal.Signals) -> None:
    with start(COMMAND, environment(temporary)) as demo:
        assert demo.stdout is not None
        assert any(line in text for text in demo.stdout)
        demo.send_signal(number)
        output, errors = demo.communicate()
    assert demo.returncode == 75, output + errors
    assert "stopped early" in output
    assert errors == ""
    assert_nothing_is_left(temporary)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_killed_rehearsal_leaves_what_the_next_start_removes(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(COMMAND, environment(temporary)) as demo:
        assert demo.stdout is not None
        assert any("kill -9 typescript-1" in text for text in demo.stdout)
        demo.kill()
        demo.communicate()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    limit = time.monotonic() + 60
    while list(temporary.iterdir()):  # a folder is locked while one of its processes lives
        assert time.monotonic() < limit
        time.sleep(0.1)
        remove_stale_folders()
    assert_nothing_is_left(temporary)
