from pathlib import Path

import pytest

from indexer.configuration import settings
from indexer.configuration.settings import OPTIONS, Settings
from indexer.configuration.values import BatchSize
from indexer.errors import ConfigError, ExitCode

REQUIRED = {
    "REDIS_HOST": "cache:6379",
    "DB_POSTGRES_URL": "postgresql://bsky:hunter2@db/bsky",
    "INDEXER_CONSUMER": "one",
}

# A text that each option takes and that is not its default.
OTHER_TEXTS = {
    "redis_url": "redis://other:6379",
    "postgres_url": "postgresql://other/bsky",
    "postgres_schema": "bsky",
    "consumer": "two",
    "streams": "a, b",
    "group": "g",
    "label_stream": "l",
    "label_group": "lg",
    "mode": "label",
    "batch_size": "7",
    "concurrency": "8",
    "pool_max_size": "9",
    "pool_min_idle": "2",
    "statement_cache": "100",
    "notifications": "updates",
    "aggregates": "off",
    "account_deletion": "ignore",
    "did_resolution": "false",
    "plc_url": "http://localhost:2582",
    "allow_private_addresses": "true",
    "max_attempts": "4",
    "dead_letter_limit": "off",
    "rate": "1000",
    "canary": "50",
    "stop_if": "dead>0.1%|p99>2s",
    "claim_idle_ms": "0",
    "grace_s": "3",
    "metrics_port": "0",
    "metrics_host": "0.0.0.0",
    "typescript_metrics": "true",
    "status_page": "on",
    "log_level": "debug",
}


def load(environ: dict[str, str] | None = None, **flags: str) -> Settings:
    return Settings.from_environment({**REQUIRED, **(environ or {})}, flags)[0]


def warnings(environ: dict[str, str]) -> list[str]:
    return Settings.from_environment({**REQUIRED, **environ}, {})[1]


def test_defaults_are_those_of_the_interface() -> None:
    assert load() == Settings(
        redis_url="redis://cache:6379",
        postgres_url="postgresql://bsky:hunter2@db/bsky",
        postgres_schema="public",
        consumer="one",
        streams=("firehose_live", "firehose_backfill"),
        group="firehose_group",
        label_stream="label_live",
        label_group="label_group",
        mode="all",
        batch_size=BatchSize(500, 3000),
        concurrency=100,
        pool_max_size=20,
        pool_min_idle=5,
        statement_cache=None,
        notifications="live",
        aggregates="delta",
        account_deletion="purge",
        did_resolution=True,
        plc_url="https://plc.directory",
        allow_private_addresses=False,
        max_attempts=3,
        dead_letter_limit=5.0,
        rate=None,
        canary=None,
        stop_if=None,
        claim_idle_ms=600_000,
        grace_s=25,
        metrics_port=4020,
        metrics_host="127.0.0.1",
        typescript_metrics=False,
        status_page="auto",
        log_level="info",
    )


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.field)
def test_option_is_read_from_each_of_its_variables_its_files_and_its_flag(
    option: settings.Option, tmp_path: Path
) -> None:
    text = OTHER_TEXTS[option.field]
    expected = option.parse(text)
    assert expected != getattr(load(), option.field)
    # Lists and numbers that depend on others are set so that they can stand together.
    base = {name: value for name, value in REQUIRED.items() if name not in option.variables}
    file = tmp_path / "value"
    file.write_text(f"{text}\n", encoding="utf-8")
    for environ in [{variable: text} for variable in option.variables] + [
        {f"{variable}_FILE": str(file)} for variable in option.variables
    ]:
        found, told = Settings.from_environment({**base, **environ}, {})
        assert getattr(found, option.field) == expected
        assert told == []
    found, _ = Settings.from_environment(REQUIRED, {option.field: text})
    assert getattr(found, option.field) == expected


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "group"
    file.write_text("from file", encoding="utf-8")
    environ = {"INDEXER_GROUP": "from variable", "INDEXER_GROUP_FILE": str(file)}
    assert load(environ, group="from flag").group == "from flag"
    assert load(environ).group == "from variable"
    assert load({**environ, "INDEXER_GROUP": ""}).group == "from file"
    file.write_text("\n", encoding="utf-8")
    assert load({"INDEXER_GROUP_FILE": str(file)}).group == "firehose_group"


def test_typescript_name_wins_and_a_difference_is_warned_about() -> None:
    both = {"REDIS_HOST": "ours:6379", "REDIS_URL": "redis://theirs:6379"}
    assert load(both).redis_url == "redis://ours:6379"
    assert warnings(both) == ["REDIS_HOST and REDIS_URL differ; REDIS_HOST counts"]
    assert warnings({"REDIS_HOST": "ours", "REDIS_URL": "redis://ours:6379"}) == []
    assert warnings({"LOG_LEVEL": "info", "RUST_LOG": "nonsense"}) == [
        "LOG_LEVEL and RUST_LOG differ; LOG_LEVEL counts"
    ]


def test_warning_about_a_difference_holds_no_password() -> None:
    told = warnings({"DATABASE_URL": "postgresql://bsky:swordfish@db/bsky"})
    assert len(told) == 1
    assert "swordfish" not in told[0]
    assert "hunter2" not in told[0]


@pytest.mark.parametrize("variable", REQUIRED)
@pytest.mark.parametrize("text", [None, "", "  "])
def test_what_has_no_default_must_be_set(variable: str, text: str | None) -> None:
    environ = {name: value for name, value in REQUIRED.items() if name != variable}
    if text is not None:
        environ[variable] = text
    with pytest.raises(ConfigError, match=f"{variable} is not set") as fault:
        Settings.from_environment(environ, {})
    assert fault.value.exit_code is ExitCode.CONFIG


@pytest.mark.parametrize(("variable", "text"), [("INDEXER_BATCH_SIZE", "many"), ("INDEXER_MODE", "none")])
def test_wrong_value_is_named_with_what_is_allowed(variable: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable}={text} is not allowed\n  cause:  must be"):
        load({variable: text})


@pytest.mark.parametrize(
    "url", ["postgresql://bsky:hun/ter2@db/bsky", "hunter2", "host=db password=hunter2", "postgresql://a:hunter2@b:c/d"]
)
def test_wrong_url_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as fault:
        load({"DB_POSTGRES_URL": url})
    assert "ter2" not in str(fault.value)
    assert fault.value.__cause__ is None


def test_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"INDEXER_GROUP_FILE=.*cannot be read"):
        load({"INDEXER_GROUP_FILE": str(tmp_path / "absent")})
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load({"INDEXER_GROUP_FILE": str(tmp_path / "latin")})


def test_minimum_of_the_pool_follows_its_maximum() -> None:
    assert load({"DB_POOL_MAX_SIZE": "2"}).pool_min_idle == 2


def test_concurrency_above_the_pool_is_no_fault() -> None:
    assert load({"INDEXER_CONCURRENCY": "1000", "DB_POOL_MAX_SIZE": "1"}).concurrency == 1000


def test_labels_and_events_come_from_different_streams() -> None:
    with pytest.raises(ConfigError, match="INDEXER_LABEL_STREAM"):
        load({"INDEXER_STREAMS": "firehose_live,label_live"})
    assert load({"INDEXER_STREAMS": "label_live", "INDEXER_MODE": "stream"}).streams == ("label_live",)


def test_unknown_variable_is_warned_about_with_what_was_meant() -> None:
    assert warnings({"INDEXER_BATCHSIZE": "1"}) == [
        "INDEXER_BATCHSIZE is not a setting; did you mean INDEXER_BATCH_SIZE?"
    ]
    assert warnings({"INDEXER_XYZZY": "1"}) == ["INDEXER_XYZZY is not a setting"]


def test_variables_of_tests_launcher_and_kubernetes_are_known() -> None:
    known = {
        "INDEXER_TEST_REDIS_URL": "x",
        "INDEXER_PG_BIN": "/x",
        "INDEXER_REDIS_SERVER": "/x",
        "INDEXER_SERVICE_HOST": "10.0.0.1",
        "INDEXER_SERVICE_PORT_METRICS": "4020",
        "INDEXER_PORT": "tcp://10.0.0.1:4020",
        "INDEXER_PORT_4020_TCP_ADDR": "10.0.0.1",
    }
    assert warnings(known) == []


def test_no_representation_shows_a_password() -> None:
    found = load({"REDIS_HOST": "redis://:hunter2@cache"})
    assert "hunter2" not in repr(found)
    assert "hunter2" not in str(found.described())
    assert found.described()["postgres_url"] == "postgresql://bsky:***@db/bsky"


def test_every_field_has_one_row_in_the_table() -> None:
    fields = set(Settings.__dataclass_fields__) - {"drain", "takeover", "wait"}
    assert fields == {option.field for option in OPTIONS} == OTHER_TEXTS.keys()
    assert len({option.flag for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize(
    "environ",
    [
        {"DB_POSTGRES_URL": "", "DB_POSTGRES_URL_FILE": "postgresql://bsky:swordfish@db/bsky"},
        {"PLC_URL": "https://bsky:swordfish@plc?x"},
    ],
)
def test_password_in_a_place_where_none_belongs_is_not_shown(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as fault:
        load(environ)
    assert "swordfish" not in str(fault.value)
