"""No secret leaves, whatever way it came in: canaries are looked for in all that is shown (P41)."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from indexer import embedded
from indexer.errors import ExitCode
from tests.acceptance.daemon import Daemon, feed, left_over, running
from tests.messages import A, create, post, post_uri

CANARY = "Kanarienvogel"
"""Letters only: no way of writing a password in a URL changes them."""
PASSWORD = f"{CANARY}/7@:%&"
ENCODED = quote(PASSWORD, safe="")
USER = "canary"


def forms(secret: str) -> list[bytes]:
    """The text, its hexadecimal digits, and what its base64 has in common wherever it stands in the whole."""
    found = [secret.encode(), secret.encode().hex().encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + secret.encode()).rstrip(b"=")
        found.append(encoded[(0, 2, 3)[shift] : -2])
    return found


def seen(shown: bytes) -> list[bytes]:
    """What stands around a canary."""
    places = [at for form in forms(CANARY) if (at := shown.find(form)) >= 0]
    return [shown[max(0, at - 60) : at + 20] for at in places]


@pytest.mark.parametrize("before", ["", "a", "ab", "abc:"])
def test_canary_is_found_however_it_is_written(before: str) -> None:
    whole = f"{before}{PASSWORD}@host".encode()
    for shown in (
        whole,
        quote(whole).encode(),
        whole.hex().encode(),
        base64.b64encode(whole),
        base64.urlsafe_b64encode(whole),
    ):
        assert seen(b"line " + shown)
    assert not seen(b"nothing of that kind")


@dataclass(frozen=True)
class Servers:
    """Servers, and the secret that Redis wants; PostgreSQL takes any."""

    database: str
    redis_url: str
    folder: Path

    def postgres(self, way: str) -> str:
        if way == "query":
            return f"{self.database}&password={ENCODED}&sslpassword={ENCODED}"
        return self.database.replace("postgres@", f"postgres:{ENCODED}@", 1)

    def redis(self, way: str) -> str:
        if way == "query":
            return f"{self.redis_url}?username={USER}&password={ENCODED}"
        return self.redis_url.replace("unix://", f"unix://{USER}:{ENCODED}@", 1)

    def environment(self, way: str) -> dict[str, str]:
        """Settings that work, and hold the secret in some way."""
        found = {"DB_POSTGRES_URL": self.postgres(way), "REDIS_HOST": self.redis(way)}
        if way == "file":
            for name, text in found.items():
                (self.folder / name).write_text(text)
            found = {f"{name}_FILE": str(self.folder / name) for name in found}
        if way == "beside":  # what others have set, and a second name for the same thing
            found |= {"DB_PASSWORD": PASSWORD, "PGPASSWORD": PASSWORD, "REDIS_PASSWORD": PASSWORD,
                      "DATABASE_URL": self.postgres("query"), "REDIS_URL": self.redis("query"),
                      "INDEXER_DB_PASSWORD": PASSWORD}  # fmt: skip
        return found


WAYS = ("user", "query", "file", "beside")


@pytest.fixture
def servers(database: str, tmp_path: Path) -> Iterator[Servers]:
    with embedded.redis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")
        yield Servers(database, server.url, tmp_path)


def shown(environment: Mapping[str, str], *words: str) -> tuple[int, bytes]:
    """The exit code of a command and all that it writes."""
    done = subprocess.run(
        [sys.executable, "-m", "indexer", *words],
        env={"INDEXER_CONSUMER": "one", "METRICS_PORT": "0", "LOG_LEVEL": "debug", **os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout


FEW = (("run", "--drain"), ("schema", "check"), ("dlq", "ls"), ("release", "--consumer", "dead", "--dry-run"))
ALL = (
    *FEW, ("verify",), ("reconcile", "--dry-run"),
    ("schema", "drop", "--own", "--dry-run"), ("schema", "create"), ("schema", "create", "--print-sql"),
    ("dlq", "show", "1"), ("dlq", "export"),
    ("dlq", "retry", "--all", "--dry-run"), ("dlq", "retry", "--all"), ("dlq", "drop", "--all"),
    ("takeover", "--consumer", "dead", "--dry-run"), ("takeover", "--consumer", "dead"),
    ("release", "--consumer", "dead", "--to", "ts"), ("config", "show"), ("config", "show", "--json"),
    ("status", "--interval", "0"), ("status", "--json", "--interval", "0"), ("top", "--count", "1"), ("doctor",),
    ("doctor", "--json"), ("pause", "--timeout", "0"), ("resume", "--all", "--timeout", "0"),
    ("rate", "off", "--all", "--json", "--timeout", "0"), ("shadow", "--wait", "0"), ("trace", "did:plc:a", "--json"),
    ("run", "--drain", "--canary", "5", "--stop-if", "dead>50%", "--rate", "1000", "--typescript-metrics"),
)  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", WAYS)
def test_no_command_shows_a_secret(servers: Servers, way: str) -> None:
    feed(servers.redis_url, "firehose_live", [create(post_uri(A, "p"), post()), b"{"])
    for words in ALL if way == "user" else FEW:
        code, text = shown(servers.environment(way), *words)
        assert code in (0, 1), (words, text)
        assert seen(text) == [], words


@pytest.mark.long
def test_demo_on_named_servers_shows_no_secret(servers: Servers, tmp_path: Path) -> None:
    """Nor do the processes that it starts, while it works."""
    environment = {
        "INDEXER_TEST_POSTGRES_URL": servers.postgres("user"),
        "INDEXER_TEST_REDIS_URL": servers.redis("user"),
    }
    listed: set[bytes] = set()
    with (tmp_path / "shown").open("w+b") as file:
        command = [sys.executable, "-m", "indexer", "demo", "--messages=500"]
        demo = subprocess.Popen(command, env={**os.environ, **environment}, stdout=file, stderr=file)
        while demo.poll() is None:
            listed |= command_lines()
            time.sleep(0.02)
        file.seek(0)
        text = file.read()
    assert demo.returncode == 0, text
    assert any(b"\0run\0" in line for line in listed), "its daemon was not seen"
    assert seen(text + b"".join(listed)) == []


AWAY = {"DB_POSTGRES_URL": f"postgresql://u:{ENCODED}@127.0.0.1:1/db?password={CANARY}",
        "REDIS_HOST": f"rediss://u:{ENCODED}@127.0.0.1:1/0?password={CANARY}&ssl_password={CANARY}"}  # fmt: skip
WRONG = {
    "words of libpq": {"DB_POSTGRES_URL": f"host=db user=bsky password={CANARY}"},
    "port": {"DB_POSTGRES_URL": f"postgresql://u:{CANARY}@host:99999/db"},
    "not encoded": {"DB_POSTGRES_URL": f"postgresql://u:{PASSWORD}@host/db"},
    "brackets": {"DB_POSTGRES_URL": f"postgresql://u:{CANARY}[@host/db"},
    "scheme": {"DB_POSTGRES_URL": f"mysql://u:{CANARY}@host/db?password={CANARY}"},
    "redis, not encoded": {"REDIS_HOST": f"redis://:{PASSWORD}@host"},
    "redis, port": {"REDIS_HOST": f"redis://u:{CANARY}@host:port/0?password={CANARY}"},
    "redis, no URL": {"REDIS_HOST": f"u:{CANARY}@host:port"},
    "redis, TLS": {"REDIS_HOST": f"rediss://host:port/0?ssl_password={CANARY}"},
    "PLC": {"PLC_URL": f"https://u:{CANARY}@plc.directory/?password={CANARY}"},
}


@pytest.mark.long
@pytest.mark.parametrize(
    "words", [*FEW, ("schema", "create"), ("takeover", "--consumer", "dead"), ("demo",), ("pause",)]
)
def test_server_that_is_away_is_told_without_its_secret(words: tuple[str, ...]) -> None:
    environment = AWAY
    if words == ("demo",):
        environment = {
            "INDEXER_TEST_POSTGRES_URL": AWAY["DB_POSTGRES_URL"],
            "INDEXER_TEST_REDIS_URL": AWAY["REDIS_HOST"],
        }
    code, text = shown(environment, *words)
    assert code == ExitCode.UNAVAILABLE, text
    assert seen(text) == []


@pytest.mark.long
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_setting_is_told_without_its_secret(wrong: dict[str, str]) -> None:
    code, text = shown({**AWAY, **wrong}, "run")
    assert code == ExitCode.CONFIG, text
    assert seen(text) == []


@pytest.mark.long
def test_parameter_that_redis_does_not_know_is_told_without_its_secret(servers: Servers) -> None:
    environment = {"DB_POSTGRES_URL": servers.database, "REDIS_HOST": f"{servers.redis_url}?ssl_password={CANARY}"}
    for words in (("run",), ("release", "--consumer", "dead")):
        code, text = shown(environment, *words)
        assert (code, b"ssl_password" in text) == (ExitCode.CONFIG, True), text
        assert seen(text) == []


@pytest.mark.long
@pytest.mark.parametrize("variable", ["INDEXER_TEST_REDIS_URL", "INDEXER_TEST_POSTGRES_URL"])
def test_wrong_server_of_the_demo_is_told_without_its_secret(variable: str) -> None:
    code, text = shown({variable: f"redis://u:{PASSWORD}@host"}, "demo")
    assert code == ExitCode.CONFIG, text
    assert seen(text) == []


FAULTS = (("indexer.lane.source:Source.settle", "raise"), ("indexer.lane.source:Source.settle", "spin"))


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_daemon_shows_no_secret(servers: Servers, way: str) -> None:
    """In its log, in what its port answers, in the process list; also when it fails on what nobody expects."""
    environment = {**servers.environment(way), "LOG_LEVEL": "debug"}
    for fault in ((), *(FAULTS if way == "user" else ())):
        feed(servers.redis_url, "firehose_live", [create(post_uri(A, "p"), post()), b"{"])
        with instance(servers, environment, fault) as daemon:
            if fault:
                assert daemon.wait() == ExitCode.INTERNAL
                assert "faulty.py" in daemon.output, "it shows where"
            else:
                daemon.started()
                daemon.until(lambda: left_over(servers.redis_url, "firehose_live") == (0, 0))
                for path in ("/metrics", "/livez", "/readyz", "/", f"/{CANARY[:1]}"):
                    assert seen(daemon.get(path)[1].encode()) == [], path
                assert seen(b"".join(command_lines())) == []
                assert daemon.stop() == 0
            assert seen(daemon.output.encode()) == []


def command_lines() -> set[bytes]:
    """Of all processes."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.add(file.read_bytes())
    return found


def instance(servers: Servers, environment: dict[str, str], fault: tuple[str, ...]) -> AbstractContextManager[Daemon]:
    """A daemon with these settings only: `Daemon` sets the URLs, which an empty text unsets."""
    urls = {"DB_POSTGRES_URL": "", "REDIS_HOST": ""}
    return running("", "", servers.folder, environment={**urls, **environment}, fault=fault)
