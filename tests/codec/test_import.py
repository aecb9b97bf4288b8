"""The library costs nobody the daemon."""

import subprocess
import sys

import pytest

DAEMON = "aiohttp, aiodns, asyncio, asyncpg, dns, hiredis, orjson, prometheus_client, redis, structlog, ssl, hypothesis"


@pytest.mark.parametrize("module", ["indexer.codec", "indexer.codec.testing.build", "indexer.codec.testing.hostile"])
def test_nothing_of_the_daemon_is_imported(module: str) -> None:
    code = f"""
import importlib, sys
importlib.import_module({module!r})
ours = [name for name in sys.modules if name.startswith("indexer.")]
assert all(name.startswith(("indexer.codec", "indexer._native")) for name in ours), ours
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & set({DAEMON!r}.split(", "))))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_is_exported_is_there() -> None:
    from indexer import codec

    assert len({*codec.__all__}) == len(codec.__all__)
    assert all(hasattr(codec, name) for name in codec.__all__)
