"""What systemd is told, by sd_notify(3): started, alive, stopping. Silent where nobody listens.

Being alive follows the progress of the lanes, as /livez does: a process that merely runs is not enough.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

import structlog

from indexer.daemon.http import Health
from indexer.pulse import beat

log = structlog.get_logger()

STEP_S = 1.0


class Systemd:
    """The service manager, if there is one.

    `NOTIFY_SOCKET` is a path, or a name in the abstract namespace after `@`. `WATCHDOG_USEC` may be meant for another
    process: `WATCHDOG_PID` says for which.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        meant_for = environ.get("WATCHDOG_PID", "")
        limit = environ.get("WATCHDOG_USEC", "")
        watches = limit.isdecimal() and int(limit) > 0 and meant_for in {"", str(os.getpid())}
        self._step_s = min(STEP_S, int(limit) / 2e6) if watches else STEP_S
        self._alive = ("WATCHDOG=1",) if watches else ()
        self._deaf = False

    @property
    def listens(self) -> bool:
        return bool(self._address)

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    async def keep_told(self, health: Callable[[], Health]) -> None:
        """Tell the watchdog that the process is alive, for as long as it is, and people what it waits for."""
        while True:
            state = health()
            self._tell(*(self._alive if state.live else ()), f"STATUS={'; '.join(state.reasons) or 'works'}")
            beat()
            await asyncio.sleep(self._step_s)

    def _tell(self, *lines: str) -> None:
        """Never waits and never fails: what is lost of the watchdog's is told again."""
        if not self._address:
            return
        text = "\n".join(line.replace("\n", " ") for line in lines)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.setblocking(False)
                manager.sendto(text.encode(errors="replace"), self._address)
        except OSError as fault:
            if not self._deaf:
                log.warning("systemd_not_told", detail=f"NOTIFY_SOCKET cannot be written to: {fault.strerror or fault}")
            self._deaf = True
