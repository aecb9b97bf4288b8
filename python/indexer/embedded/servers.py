"""The two servers: how they are set up, when they are ready, how they are stopped."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import asyncpg

from indexer.configuration import values
from indexer.embedded import binaries
from indexer.embedded.process import Child, Folder, private_folder, way_and_programs
from indexer.errors import UnavailableError

# Byte order, as the AppView's text timestamps and TIDs are compared; glibc and musl have the UTF-8 form of it.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"


class Postgres:
    """A running PostgreSQL with one superuser `postgres`, reachable by this user only."""

    def __init__(self, folder: Folder, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._settings = settings
        self._data = folder.path / "data"
        self._way, self._programs = way_and_programs(binaries.postgres_folder(), folder)
        options = ("--no-sync", "--no-instructions", "--encoding=UTF8", f"--locale={LOCALE}", "--auth=trust")
        command = (self._programs / "initdb", f"--pgdata={self._data}", "--username=postgres", *options)
        initdb = Child(command, folder, self._way, signal.SIGKILL)
        if (status := initdb.finish()) != 0:
            raise UnavailableError(
                "initdb did not make a database cluster",
                f"it ended with status {status}; its last lines: {initdb.tail()}",
                "free disk space, or use a server of your own",
            )
        self.start()

    @property
    def url(self) -> str:
        """The URL of the database `postgres`."""
        return self.database_url("postgres")

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self._child.process.pid

    def database_url(self, name: str) -> str:
        """The URL of a database, for asyncpg and libpq."""
        return f"postgresql://postgres@/{quote(name, safe='')}?host={quote(str(self._folder.path), safe='/')}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database and return its URL."""
        self.execute(f"CREATE DATABASE {values.quoted(name)} TEMPLATE {values.quoted(template)}")
        return self.database_url(name)

    def execute(self, statement: str) -> None:
        """Run one statement in the database `postgres`; also while an event loop runs in this thread."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run()).result()

    def start(self) -> None:
        """Start on the data of before; returns when connections are accepted."""
        options = {"listen_addresses": "", "unix_socket_permissions": "0700", **self._settings}
        options["unix_socket_directories"] = str(self._folder.path)
        command: list[str | Path] = [self._programs / "postgres", "-D", self._data]
        command += [f"--{name}={value}" for name, value in options.items()]
        self._child = Child(command, self._folder, self._way, signal.SIGINT)
        self._child.wait_until(self._is_ready)

    def stop(self) -> None:
        """Stop in order: running statements are cancelled, committed data is kept."""
        # Fast, then immediate shutdown (PostgreSQL documentation, "Shutting Down the Server").
        self._child.stop((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        # A killed predecessor may have left the file.
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"


class Redis:
    """A running Redis-compatible server without persistence, reachable by this user only."""

    def __init__(self, folder: Folder, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._settings = settings
        self._program = binaries.redis_program()
        self._socket = folder.path / "redis.sock"
        self.start()

    @property
    def url(self) -> str:
        """The URL of database 0; add `?db=<number>` for another."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.process.pid

    def start(self) -> None:
        """Start; returns when commands are answered."""
        options = {"port": "0", "unixsocket": str(self._socket), "unixsocketperm": "700", "save": "",
                   "appendonly": "no", "daemonize": "no", "dir": str(self._folder.path), **self._settings}  # fmt: skip
        command: list[str | Path] = [self._program]
        for name, value in options.items():
            command += [f"--{name}", *(value.split() or [""])]
        self._child = Child(command, self._folder, "same", signal.SIGKILL)
        self._child.wait_until(self._is_ready)

    def stop(self) -> None:
        """Stop; without `save` or `appendonly` in the settings the data is gone."""
        self._child.stop((signal.SIGTERM, signal.SIGKILL))

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self._socket))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False


@contextlib.contextmanager
def postgres(settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """A PostgreSQL server for the time of the block, with settings as in postgresql.conf.

    ConfigError where there are no programs to start, UnavailableError where they fail.
    """
    with private_folder() as folder:
        server = Postgres(folder, settings or {})
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def redis(settings: Mapping[str, str] | None = None) -> Iterator[Redis]:
    """A Redis-compatible server for the time of the block, with settings as in redis.conf; as `postgres`."""
    with private_folder() as folder:
        server = Redis(folder, settings or {})
        try:
            yield server
        finally:
            server.stop()
