"""A network of its own for a daemon: the stand-ins of the oracle's reference run, on the ports and by the configuration
that the daemon would use anywhere (port 53 and 443, /etc/resolv.conf, SSL_CERT_FILE). No setting is for tests only.

Run as a program inside fresh network and mount namespaces it serves until its input ends, and obeys lines: `hang`,
`answer`, `only_dns` (no handle has a web host), `limit SECONDS` (429 of the directory). `island` starts it;
`Island.daemon` runs daemons in its namespaces.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon
from tests.identity.stand_in import StandIn

ROOT = Path(__file__).parents[2]
ADDRESS = "45.0.0.1"
needs_island = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip", "mount"))),
    reason="needs Linux, root, and the packages iproute2, util-linux and mount",
)


class Island:
    """A running stand-in, and how to start daemons beside it."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, certificate: str) -> None:
        self._process = process
        self._within = ("nsenter", f"--target={process.pid}", "--net", "--mount", "--")
        self.environment = {"ENABLE_DID_RESOLUTION": "true", "PLC_URL": url, "SSL_CERT_FILE": certificate}

    def say(self, command: str) -> None:
        """Tell the stand-ins what to do; returns when they do."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    @contextmanager
    def daemon(self, *arguments: Any, environment: dict[str, str] | None = None, **options: Any) -> Iterator[Daemon]:
        """As `running`, inside."""
        daemon = Daemon(*arguments, environment=self.environment | (environment or {}), within=self._within, **options)
        try:
            yield daemon
        finally:
            daemon.kill()

    def get(self, daemon: Daemon, path: str) -> str:
        """The text of an answer of a daemon's port, which is reached from inside only."""
        port = daemon.lines("started")[0]["metrics_port_bound"]
        script = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}{path}').read().decode())"
        done = subprocess.run([*self._within, sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return done.stdout


@contextmanager
def island(folder: Path) -> Iterator[Island]:
    """An `Island` for the time of the block; certificates are written to the folder."""
    command = ["unshare", "--net", "--mount", sys.executable, "-m", "tests.acceptance.island", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Island(process, *json.loads(process.stdout.readline()))
        finally:
            process.kill()


def _configure(folder: Path) -> None:
    subprocess.run(["ip", "address", "add", ADDRESS, "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
    subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)


async def _serve(folder: Path) -> None:
    async with StandIn(ADDRESS, 53, 443).running(folder) as stand_in:
        _tell(json.dumps([stand_in.plc_url, str(stand_in.authority.certificate)]))
        while words := (await asyncio.to_thread(sys.stdin.readline)).split():
            match words:
                case ["hang"]:
                    stand_in.hang()
                case ["answer"]:
                    stand_in.hang(False)
                    stand_in.directory_answer = None
                    stand_in.only_dns = False
                case ["only_dns"]:
                    stand_in.only_dns = True
                case ["limit", seconds]:
                    stand_in.directory_answer = (429, {"Retry-After": seconds})
                case _:
                    raise ValueError(words)
            _tell("done")


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _configure(Path(sys.argv[1]))
    asyncio.run(_serve(Path(sys.argv[1])))
