"""Messages that may end a process, tried in one that may end."""

import sys
from pathlib import Path

import pytest

from indexer.lane import trial
from indexer.lane.source import Message

MESSAGES = [Message(b"1-%d" % number, payload) for number, payload in enumerate((b"{}", b"bad", b"[]"), 1)]
POSING = """
import os, sys, time
sys.path[:0] = {path!r}
from indexer import _native
from indexer.lane import trial
decode = _native.decode_labels
def posing(payloads):
    if payloads == [b"bad"]:
        {does}
    return decode(payloads)
_native.decode_labels = posing
trial.main()
"""


def posing(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """The process does that at the message `bad`."""
    monkeypatch.setattr(trial, "COMMAND", (sys.executable, "-c", POSING.format(path=sys.path, does=does)))


@pytest.mark.parametrize(
    ("does", "how"),
    [
        ("os.abort()", "it ended a process with SIGABRT"),
        ("os.kill(os.getpid(), 11)", "it ended a process with SIGSEGV"),
        ("os._exit(3)", "it ended a process with exit code 3"),
        ("time.sleep(60)", "it came to no end within 1 s"),
    ],
)
async def test_message_that_ends_it_is_found_and_no_other(monkeypatch: pytest.MonkeyPatch, does: str, how: str) -> None:
    posing(monkeypatch, does)
    monkeypatch.setattr(trial, "LONGEST_S", 1.0)
    assert await trial.find_deadly([*MESSAGES, *MESSAGES[:1]]) == {b"1-2": how}


async def test_process_that_somebody_else_ended_proves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    once = str(tmp_path / "once")
    posing(monkeypatch, f"os.path.exists({once!r}) or (open({once!r}, 'w'), os.kill(os.getpid(), 9))")
    assert await trial.find_deadly(MESSAGES) == {}
    assert (tmp_path / "once").exists()


async def test_what_merely_raises_is_left_to_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    posing(monkeypatch, "raise ValueError")
    assert await trial.find_deadly(MESSAGES) == {}


@pytest.mark.parametrize("command", ["false", "no-such-program"])
async def test_without_a_trial_nobody_is_guilty(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(trial, "COMMAND", (command,))
    assert await trial.find_deadly(MESSAGES) == {}
