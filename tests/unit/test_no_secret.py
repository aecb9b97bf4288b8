"""No password leaves `config show`, `status`, `top` or `doctor`, however it is spelt and whatever goes wrong."""

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from indexer import cli
from indexer.configuration.secrets import passwords, scrubbed

CANARY = re.compile("f1sh|YnNreTpmMXNo")
"""In every password below; `bsky:f1sh` as headers have it."""
POSTGRES = "postgresql://bsky:sw0rd%2Ff1sh%40@127.0.0.1:1/bsky"
REDIS = "redis://bsky:sw0rd-f1sh@127.0.0.1:1/0"

SPELT = {
    "in the URLs": {"REDIS_HOST": REDIS, "DB_POSTGRES_URL": POSTGRES},
    "as parameters": {
        "REDIS_URL": "redis://127.0.0.1:1/0?password=sw0rd-f1sh",
        "DATABASE_URL": "postgresql://127.0.0.1:1/bsky?user=bsky&pass%77ord=sw0rd-f1sh&sslmode=nonsense",
    },
    "of a key": {
        "REDIS_URL": "rediss://127.0.0.1:1/0?ssl_password=sw0rd-f1sh&ssl_keyfile=/nowhere",
        "DATABASE_URL": "postgresql://127.0.0.1:1/bsky?sslpassword=sw0rd-f1sh&sslmode=require&sslkey=/nowhere",
    },
    "not escaped": {"REDIS_HOST": "redis://:sw0rd/f1sh@h", "DB_POSTGRES_URL": "postgresql://a:sw0rd f1sh@h/d"},
    "no URL at all": {"REDIS_HOST": "sw0rd f1sh", "DB_POSTGRES_URL": "f1sh"},
    "in the wrong variables": {
        "REDIS_HOST_FILE": REDIS,
        "DB_POSTGRES_URL_FILE": POSTGRES,
        "PLC_URL": "https://bsky:f1sh@127.0.0.1:1",
        "INDEXER_BATCH_SIZE": REDIS,
        "INDEXER_PASSWORD": "f1sh",
    },
    "in two that differ": {
        "REDIS_HOST": REDIS,
        "REDIS_URL": "redis://:f1sh-2@127.0.0.1:1",
        "DB_POSTGRES_URL": POSTGRES,
        "DATABASE_URL": "postgresql://:f1sh-2@127.0.0.1:1/bsky",
    },
    "to servers that answer nonsense": {
        "REDIS_HOST": "redis://bsky:sw0rd-f1sh@127.0.0.1:{port}/0",
        "DB_POSTGRES_URL": "postgresql://bsky:sw0rd-f1sh@127.0.0.1:{port}/bsky",
        "PLC_URL": "http://bsky:f1sh@127.0.0.1:{port}",
        "ENABLE_DID_RESOLUTION": "true",
    },
}

COMMANDS = (
    ("config", "show"),
    ("config", "show", "--json"),
    ("status", "--interval", "0"),
    ("status", "--interval", "0", "--json"),
    ("top", "--count", "1"),
    ("pause", "--timeout", "0"),
    ("resume", "--all", "--timeout", "0"),
    ("rate", "100", "--json", "--timeout", "0"),
    ("shadow", "--wait", "0"),
    ("trace", "did:plc:a", "--interval", "0"),
    ("doctor",),
    ("doctor", "--json", "--bundle", "{folder}/bundle"),
)


@pytest.fixture(scope="module")
def nonsense() -> Iterator[int]:
    """The port of a server that repeats what it is told, and hangs up: some clients quote what they were answered."""

    class Echo(BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.sendall(b"-ERR " + self.request.recv(4096).replace(b"\r\n", b" ") + b"\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("how", SPELT)
def test_no_password_is_shown(
    how: str, nonsense: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = {"INDEXER_CONSUMER": "one", "ENABLE_DID_RESOLUTION": "false", "METRICS_PORT": "0"} | SPELT[how]
    for name, text in environ.items():
        monkeypatch.setenv(name, text.replace("{port}", str(nonsense)))
    said = ""
    for command in COMMANDS:
        words = [word.replace("{folder}", str(tmp_path)) for word in command]
        code = cli.main(words)
        assert code in (0, 1, 69, 78), (words, code)
        out = capfd.readouterr()
        said += f"{words}: {out.out}{out.err}"
    said += "".join(file.read_text(encoding="utf-8") for file in tmp_path.iterdir())
    shown = [line for line in said.splitlines() if CANARY.search(line)]
    assert not shown
    assert "127.0.0.1" in said or "not allowed" in said or "cannot be read" in said


def test_last_look_finds_every_spelling_of_a_password() -> None:
    hidden = passwords([POSTGRES, "redis://cache/0?password=q%22uote"])
    said = 'a sw0rd/f1sh@ b sw0rd%2Ff1sh%40 c sw0rd/f1sh%40 d q\\"uote e q%22uote f'
    assert scrubbed(said, hidden) == "a *** b *** c *** d *** e *** f"


def test_password_that_is_no_secret_or_too_short_is_left() -> None:
    """`***` in the place of a database's name would tell what the password is, and hide what the text says."""
    assert passwords(["postgresql://bsky:bsky@db/bsky", "redis://:abc@cache", "redis://cache:6379"]) == set()
