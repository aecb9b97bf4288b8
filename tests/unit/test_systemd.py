"""What systemd is told, on a real socket."""

import asyncio
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from indexer.daemon.http import Health
from indexer.daemon.systemd import Systemd

UNIT = Path(__file__).parents[2] / "deploy/systemd/appview-indexer.service"
WORKS = Health(live=True, ready=True)
STALLED = Health(live=False, ready=False, reasons=("lane firehose_live made no progress for 120 s",))


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """All messages so far."""
        with suppress(BlockingIOError):
            while True:
                self._heard.append(self.socket.recv(4096).decode())
        return self._heard

    async def hear(self, count: int) -> set[str]:
        """The kinds of the next messages."""
        first = len(self.heard())
        while len(self.heard()) < first + count:
            await asyncio.sleep(0.005)
        return set(self.heard()[first:])


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    it = Manager(address)
    with it.socket:
        yield it


@contextmanager
def telling(systemd: Systemd, state: list[Health]) -> Iterator[None]:
    task = asyncio.create_task(systemd.keep_told(lambda: state[0]))
    try:
        yield
    finally:
        task.cancel()


async def test_watchdog_is_fed_for_as_long_as_the_lanes_are_alive(tmp_path: Path) -> None:
    state = [WORKS]
    with manager(f"{tmp_path}/s") as it:
        systemd = Systemd({"NOTIFY_SOCKET": f"{tmp_path}/s", "WATCHDOG_USEC": "20000"})
        systemd.ready()
        assert it.heard() == ["READY=1"]
        with telling(systemd, state):
            assert await it.hear(3) == {"WATCHDOG=1\nSTATUS=works"}
            state[0] = STALLED
            assert await it.hear(3) == {"STATUS=lane firehose_live made no progress for 120 s"}
            state[0] = Health(live=True, ready=False, reasons=("lane a waits for Redis", "lane b halted: x\ny"))
            assert await it.hear(3) == {"WATCHDOG=1\nSTATUS=lane a waits for Redis; lane b halted: x y"}
        systemd.stopping()
        assert it.heard()[-1] == "STOPPING=1"


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid() + 1)}])
async def test_watchdog_that_is_not_ours_is_not_fed(tmp_path: Path, environ: dict[str, str]) -> None:
    with manager(f"{tmp_path}/s") as it, telling(Systemd({"NOTIFY_SOCKET": f"{tmp_path}/s", **environ}), [WORKS]):
        assert await it.hear(1) == {"STATUS=works"}


def test_name_in_the_abstract_namespace_is_understood() -> None:
    name = f"indexer-test-{os.getpid()}"
    with manager(f"\0{name}") as it:
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert it.heard() == ["READY=1"]


def test_without_systemd_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    systemd = Systemd({})
    assert not systemd.listens
    systemd.ready()
    systemd.stopping()
    assert capsys.readouterr() == ("", "")


def test_socket_that_is_gone_is_said_once_and_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": f"{tmp_path}/gone"})
    systemd.ready()
    systemd.stopping()
    assert capsys.readouterr().out.count("systemd_not_told") == 1


def test_unit_waits_for_the_notification_and_sets_a_watchdog() -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.M))
    assert settings["Type"] == "notify"
    assert settings["WatchdogSec"] == "30"
    assert settings["ExecStart"].endswith("-m indexer run --wait")
    assert settings["TimeoutStartSec"] == "infinity", "`--wait` may wait for ever"
