"""A private PgBouncer in transaction mode with two server connections, over unix sockets."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg

SERVER_CONNECTIONS = 2
_PORT = 6432
"""Part of the name of a socket; nothing listens on the network."""


def program() -> str | None:
    """The program of the Debian package, where it is installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class Bouncer:
    """A running PgBouncer in front of one server."""

    def __init__(self, folder: Path, server: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._config = folder / "pgbouncer.ini"
        users = folder / "users.txt"
        users.write_text('"postgres" ""\n"somebody" ""\n')
        options = {
            "auth_file": str(users),
            "listen_addr": "",
            "listen_port": str(_PORT),
            "unix_socket_dir": str(folder),
            "auth_type": "any",
            "admin_users": "postgres",
            "pool_mode": "transaction",
            "default_pool_size": str(SERVER_CONNECTIONS),
            "max_db_connections": str(SERVER_CONNECTIONS),
            "max_client_conn": "200",
            **settings,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        self._config.write_text(f"[databases]\n* = host={server} user=postgres\n\n[pgbouncer]\n{lines}")
        self.start()

    def url(self, database: str, user: str = "postgres") -> str:
        """The URL of a database behind it."""
        name = urllib.parse.urlsplit(database).path
        return f"postgresql://{user}@{name}?host={self._folder}&port={_PORT}"

    def start(self) -> None:
        """Start; returns when it answers."""
        command = [program() or "pgbouncer", "--quiet", str(self._config)]
        if os.geteuid() == 0:
            command[1:1] = ["--user", "nobody"]  # it refuses to be root
        with (self._folder / "pgbouncer.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "pgbouncer.log").read_text()
            assert time.monotonic() < limit, "pgbouncer does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once: its clients lose their connections."""
        self._process.kill()
        self._process.wait()
        (self._folder / f".s.PGSQL.{_PORT}").unlink(missing_ok=True)

    def command(self, text: str) -> None:
        """Say something to its console, such as PAUSE; returns when it is done."""

        async def say() -> None:
            console = await asyncpg.connect(self.url("//x/pgbouncer"), statement_cache_size=0)
            try:
                await console.execute(text)
            finally:
                await console.close()

        asyncio.run(say())

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._folder / f".s.PGSQL.{_PORT}"))
            except OSError:
                return False
            return True


@contextmanager
def bouncer(database: str, **settings: str) -> Iterator[Bouncer]:
    """A PgBouncer in front of the embedded server that this URL names, with settings as in pgbouncer.ini."""
    server = Path(urllib.parse.parse_qs(urllib.parse.urlsplit(database).query)["host"][0])
    folder = Path(tempfile.mkdtemp(prefix="bouncer-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            if server.stat().st_uid != nobody.pw_uid:
                server.chmod(0o711)  # a server that runs as root of a user namespace
        found = Bouncer(folder, server, settings)
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder)
