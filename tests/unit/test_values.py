from collections.abc import Callable

import pytest

from indexer.configuration import values


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("localhost", "redis://localhost:6379"),
        ("redis.internal:6380", "redis://redis.internal:6380"),
        ("[::1]:6379", "redis://[::1]:6379"),
        ("redis://:secret@cache:6379/2", "redis://:secret@cache:6379/2"),
        ("rediss://user:p%2Fw@cache", "rediss://user:p%2Fw@cache"),
        ("unix:///run/redis.sock?db=3", "unix:///run/redis.sock?db=3"),
    ],
)
def test_redis_is_named_by_host_or_url(text: str, url: str) -> None:
    assert values.redis_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "postgres://bsky@db/bsky",
        "postgresql://bsky:p%40w@db:5432/bsky?sslmode=require",
        "postgresql://bsky@/bsky?host=/run/postgresql",
        "postgresql://one:5432,two:5433/bsky",
    ],
)
def test_postgres_is_named_by_url(text: str) -> None:
    assert values.postgres_url(text) == text


REFUSED = [
    (values.redis_url, "host:99999"),
    (values.redis_url, ":6379"),
    (values.redis_url, "http://host"),
    (values.redis_url, "unix://"),
    (values.redis_url, "redis://host/streams"),
    (values.redis_url, "redis://user:pass/word@host"),
    (values.postgres_url, "mysql://host/db"),
    (values.postgres_url, "postgresql:///db"),
    (values.postgres_url, "postgresql://user:pass/word@host/db"),
    (values.postgres_url, "host=db user=bsky password=hunter2"),
    (values.http_url, "plc.directory"),
    (values.http_url, "https://plc.directory:port"),
    (values.http_url, "https://"),
    (values.boolean, "maybe"),
    (values.batch_size, "0"),
    (values.batch_size, "500-"),
    (values.batch_size, "-500"),
    (values.batch_size, "500-499"),
    (values.batch_size, "1-2-3"),
    (values.whole_number(0, 10), "-1"),
    (values.whole_number(0, 10), "11"),
    (values.whole_number(0, 10), "1.5"),
    (values.whole_number(0, 10), "1_0"),
    (values.whole_number(0, 10), "¹"),
    (values.choice("a", "b"), "c"),
    (values.percent, "0"),
    (values.percent, "101"),
    (values.percent, "nan"),
    (values.cache_size, "some"),
    (values.name, "a\nb"),
    (values.name, "x" * 201),
    (values.names, " , "),
    (values.names, "a,b,a"),
    (values.identifier, "indexer"),
    (values.identifier, "pg_catalog"),
    (values.identifier, "x" * 64),
    (values.identifier, 'a"b'),
    (values.log_level, "loud"),
    (values.log_level, "indexer=loud"),
]


@pytest.mark.parametrize(("parse", "text"), REFUSED, ids=lambda given: getattr(given, "__name__", given))
def test_what_is_not_allowed_is_refused_without_repeating_it(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as refusal:
        parse(text)
    assert "pass" not in str(refusal.value).replace("password", "")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("info", "info"),
        ("WARN", "warning"),
        ("trace", "debug"),
        ("fatal", "critical"),
        ("off", "critical"),
        ("indexer=info,rsky_indexer=debug", "info"),
        ("rsky_indexer=debug,warn", "debug"),
        ("sqlx=warn,error", "error"),
        ("sqlx=warn", "info"),
    ],
)
def test_level_is_read_from_a_word_or_from_rust_directives(text: str, level: str) -> None:
    assert values.log_level(text) == level


def test_percent_is_a_share_or_off() -> None:
    assert (values.percent("5"), values.percent("0.5 %"), values.percent("OFF")) == (5.0, 0.5, None)


def test_identifier_is_quoted_for_sql() -> None:
    assert values.quoted('odd"name') == '"odd""name"'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://bsky:hunter2@db/bsky", "postgresql://bsky:***@db/bsky"),
        ("redis://:hunter2@cache:6379", "redis://:***@cache:6379"),
        ("postgresql://bsky:hun/t@er2@db/bsky", "postgresql://bsky:***@db/bsky"),
        ("postgresql://db/bsky?user=a&password=hunter2&x=1", "postgresql://db/bsky?user=a&password=***&x=1"),
        ("cannot open postgres://a:hunter2@b/c now", "cannot open postgres://a:***@b/c now"),
        ("host=db password=hunter2", "host=db password=***"),
        ("rediss://cache/0?ssl_password=hunter2&db=1", "rediss://cache/0?ssl_password=***&db=1"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
    ],
)
def test_passwords_in_urls_are_masked(text: str, masked: str) -> None:
    assert values.mask(text) == masked


def test_secret_that_is_no_url_is_masked_as_a_whole() -> None:
    assert values.masked_secret("hunter2") == "***"
    assert values.masked_secret("redis://:hunter2@cache") == "redis://:***@cache"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://bsky:hun ter2@db/bsky", "postgresql://bsky:***@db/bsky"),
        ("postgresql://bsky:hunter2\n@db/bsky", "postgresql://bsky:***@db/bsky"),
        ("postgresql://db/bsky?password=hun ter2&user=bsky", "postgresql://db/bsky?password=***&user=bsky"),
        ("postgresql://db/bsky?user=bsky&pass%77ord=hunter2", "postgresql://db/bsky?user=bsky&pass%77ord=***"),
        ("rediss://cache/0?ssl_password=hun ter2", "rediss://cache/0?ssl_password=***"),
    ],
)
def test_secret_with_blanks_in_it_is_masked_to_its_end(text: str, masked: str) -> None:
    assert values.masked_secret(text) == masked
