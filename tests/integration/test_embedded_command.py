"""`python -m indexer.embedded`: what it prints can be used, and nothing is left."""

import signal
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "indexer.embedded")
USE = """
import asyncio, os, asyncpg, redis
assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
asyncio.run(asyncpg.connect(os.environ["DATABASE_URL"]))
"""


def test_a_shell_that_reads_the_lines_reaches_both_servers(tmp_path: Path) -> None:
    file = tmp_path / "servers.env"
    with subprocess.Popen([*COMMAND, f"--env-file={file}"], stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        printed = [servers.stdout.readline()]
        while printed[-1].startswith("export "):
            printed.append(servers.stdout.readline())
        lines = file.read_text(encoding="utf-8")
        assert lines == "".join(printed[:-1])
        subprocess.run(["bash", "-c", f". {file}; exec {sys.executable} -c '{USE}'"], check=True, timeout=30)
        place = Path(lines.partition("REDIS_URL=unix://")[2].split()[0])
        assert place.exists()
        again = subprocess.run([*COMMAND, f"--env-file={file}"], capture_output=True, text=True, check=False)
        assert again.returncode == 78
        assert "is there already" in again.stderr
        servers.send_signal(signal.SIGTERM)
        assert servers.wait(30) == 0
    assert not place.parent.exists()
    assert list(tmp_path.iterdir()) == []
