"""PostgreSQL's tables on a volume that really fills: the daemon waits, says so, and goes on when there is room."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import embedded
from indexer.schema import create
from tests.acceptance.daemon import count, feed, left_over, query
from tests.conftest import POSTGRES_SETTINGS
from tests.faults.indexing import CASE, STREAM, nothing_is_lost, working
from tests.faults.test_postgres_trouble import waits_alive
from tests.oracle import library

SIZE = 256 * 1024 * 1024

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"),
    reason="needs Linux, root and mount: a volume of 256 MiB is filled",
)


@pytest.fixture
def volume() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="volume-", dir="/tmp"))
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=1777", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode:
        folder.rmdir()
        pytest.skip(f"no volume of its own: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@pytest.fixture
def server(volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[embedded.Postgres]:
    """A server with its tables there. Its log of changes is elsewhere: a server without room for that ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(volume))
    with embedded.postgres({**POSTGRES_SETTINGS, "shared_buffers": "16MB"}) as found:
        (row,) = asyncio.run(query(found.url, "SHOW data_directory"))
        wal, elsewhere = Path(row[0]) / "pg_wal", Path(tempfile.mkdtemp(prefix="wal-", dir="/tmp"))
        found.stop()
        try:
            elsewhere.chmod(0o711)
            subprocess.run(["mv", wal, elsewhere], check=True)  # with its owner
            wal.symlink_to(elsewhere / wal.name)
            found.start()
            yield found
            found.stop()
        finally:
            shutil.rmtree(elsewhere)


@pytest.mark.long
def test_volume_that_fills_and_is_freed(
    server: embedded.Postgres, volume: Path, redis_url: str, tmp_path: Path
) -> None:
    database = server.create_database("full")
    asyncio.run(create.create(database, "public"))
    messages = library.messages(CASE)
    ballast = volume / "ballast"
    with working(database, redis_url, tmp_path) as daemon:
        feed(redis_url, STREAM, messages[:500])
        daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        fill(ballast)
        feed(redis_url, STREAM, messages[500:])
        waits_alive(daemon, "53100")
        assert shutil.disk_usage(volume).free < 64 * 1024
        left = left_over(redis_url, STREAM)
        assert left[0] > 0
        assert left[1] > 0, "it holds on to what it has"
        assert count(database, "record") + left[0] == len(messages), "what is settled is there"
        (told,) = daemon.lines("database_away")
        assert "could not extend file" in told["error"]
        ballast.unlink()
        nothing_is_lost(daemon, database, redis_url)


def fill(ballast: Path) -> None:
    """Write until nothing more goes in."""
    size = 1024 * 1024
    with ballast.open("wb", buffering=0) as file:
        while size >= 512:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
