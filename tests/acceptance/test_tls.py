"""TLS to PostgreSQL and Redis: certificates are verified, and nothing is sent where they do not hold."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.acceptance.daemon import count, feed, left_over, run_once
from tests.acceptance.tls import Front, front
from tests.identity.certificates import Authority
from tests.messages import A, create, post, post_uri

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@contextmanager
def fronts(
    database: str, redis_url: str, authority: Authority, **certificate: tuple[str, datetime | None]
) -> Iterator[tuple[dict[str, Front], str, str]]:
    """Both servers behind TLS, and their URLs; `certificate` says for whom and until when, by server."""
    parts = urlsplit(database)
    sockets = {
        "postgres": f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432",
        "redis": urlsplit(redis_url).path,
    }
    with ExitStack() as stack:
        found, ports = {}, {}
        for name, socket in sockets.items():
            host, until = certificate.get(name, ("localhost", None))
            context = authority.server(host, until=until)
            found[name], ports[name] = stack.enter_context(front(socket, context, asks_first=name == "postgres"))
        file = authority.certificate
        postgres = (
            f"postgresql://postgres@localhost:{ports['postgres']}{parts.path}?sslmode=verify-full&sslrootcert={file}"
        )
        yield found, postgres, f"rediss://localhost:{ports['redis']}/0?ssl_ca_certs={file}"


def test_both_servers_are_used_with_tls(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, "firehose_live", [create(post_uri(A, f"p{n}"), post(str(n))) for n in range(50)])
    with fronts(database, redis_url, Authority(tmp_path)) as (found, postgres, redis):
        daemon = run_once(postgres, redis, tmp_path, "--drain")
        assert daemon.process.returncode == 0, daemon.output
        assert all(each.encrypted for each in found.values())
    assert count(database, "post") == 50
    assert left_over(redis_url, "firehose_live") == (0, 0)


@pytest.mark.parametrize("server", ["postgres", "redis"])
@pytest.mark.parametrize(
    "certificate", [("localhost", YESTERDAY), ("elsewhere.example", None)], ids=["expired", "wrong_host"]
)
def test_certificate_that_does_not_hold_is_refused(
    database: str, redis_url: str, tmp_path: Path, server: str, certificate: tuple[str, datetime | None]
) -> None:
    feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post("p"))])
    with fronts(database, redis_url, Authority(tmp_path), **{server: certificate}) as (found, postgres, redis):
        daemon = run_once(postgres, redis, tmp_path, "--drain")
        assert daemon.process.returncode == 69, daemon.output
        assert "certificate" in daemon.output.lower()
        assert not found[server].encrypted or server == "redis"  # a server of TLS alone counts before the client judges
    assert count(database, "post") == 0
    assert left_over(redis_url, "firehose_live")[0] == 1


def test_authority_that_nobody_knows_is_refused(database: str, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").certificate
    with fronts(database, redis_url, Authority(tmp_path)) as (_, postgres, redis):
        for urls in (
            (postgres.replace(str(tmp_path / "authority.pem"), str(other)), redis),
            (postgres, redis.replace(str(tmp_path / "authority.pem"), str(other))),
        ):
            daemon = run_once(*urls, tmp_path, "--drain")
            assert daemon.process.returncode == 69, daemon.output
            assert "certificate" in daemon.output.lower()
