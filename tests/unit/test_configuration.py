"""`config show`: values, origins, and no secret."""

import json
from pathlib import Path

import pytest

from indexer import cli
from indexer.configuration import origins as configuration
from indexer.configuration.settings import OPTIONS
from indexer.errors import ExitCode

GIVEN = {
    "REDIS_URL": "redis://:swordfish@cache",
    "DB_POSTGRES_URL": "postgresql://bsky:swordfish@db/bsky",
    "INDEXER_CONSUMER": "one",
}


def origins(environ: dict[str, str], **flags: str) -> dict[str, tuple[str, str, str]]:
    found = configuration.read(environ, flags)
    return {one.option.field: (one.value, one.origin, one.name) for one in found.shown}


def test_each_setting_has_its_value_and_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "group"
    file.write_text("from a file\n", encoding="utf-8")
    found = origins({**GIVEN, "INDEXER_GROUP_FILE": str(file), "INDEXER_STREAMS": "a, b"}, mode="stream")
    assert found.keys() == {option.field for option in OPTIONS}
    assert found["redis_url"] == ("redis://:***@cache", "environment", "REDIS_URL")
    assert found["group"] == ("from a file", "file", "INDEXER_GROUP_FILE")
    assert found["mode"] == ("stream", "option", "--mode")
    assert found["batch_size"] == ("500-3000", "default", "")
    assert found["streams"] == ("a,b", "environment", "INDEXER_STREAMS")
    assert found["statement_cache"][0] == "auto"
    assert found["did_resolution"][0] == "true"


def test_typescript_and_rust_names_are_told_apart() -> None:
    both = {**GIVEN, "REDIS_HOST": "cache:6379", "RUST_LOG": "rsky_indexer=debug"}
    found = configuration.read(both, {})
    named = {one.option.field: one.name for one in found.shown}
    assert (named["redis_url"], named["log_level"]) == ("REDIS_HOST", "RUST_LOG")
    assert found.warnings == ("REDIS_HOST and REDIS_URL differ; REDIS_HOST counts",)


def test_values_are_those_that_take_effect() -> None:
    found = configuration.read({**GIVEN, "DB_POOL_MAX_SIZE": "3", "DB_POOL_MIN_IDLE": "9"}, {})
    assert {one.option.field: one.value for one in found.shown}["pool_min_idle"] == "3"
    assert found.warnings == ("pool_min_idle 9 is lowered to 3, the maximum of the pool",)
    assert configuration.read({**GIVEN, "DB_POOL_MAX_SIZE": "3"}, {}).warnings == ()


def test_all_faults_are_listed_at_once() -> None:
    found = configuration.read({"INDEXER_BATCH_SIZE": "many", "INDEXER_GRUOP": "x"}, {})
    assert [fault.what for fault in found.faults] == [
        "REDIS_HOST is not set",
        "DB_POSTGRES_URL is not set",
        "INDEXER_CONSUMER is not set",
        "INDEXER_BATCH_SIZE=many is not allowed",
    ]
    assert found.warnings == ("INDEXER_GRUOP is not a setting; did you mean INDEXER_GROUP?",)
    found = configuration.read({**GIVEN, "INDEXER_LABEL_STREAM": "firehose_live"}, {})
    assert len(found.faults) == 1


def test_command_ends_with_1_where_run_would_refuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in GIVEN.items():
        monkeypatch.setenv(name, text)
    assert cli.main(["config", "show"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "environment DB_POSTGRES_URL" in shown
    assert cli.main(["config", "show", "--json", "--batch-size", "none"]) == ExitCode.FINDINGS
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["batch_size"]["origin"] == "wrong"
    assert found["settings"]["consumer"] == {
        "value": "one",
        "unit": "name",
        "origin": "environment",
        "name": "INDEXER_CONSUMER",
        "variables": ["INDEXER_CONSUMER"],
        "flag": "--consumer",
        "default": None,
    }
    assert [fault["remedy"] for fault in found["faults"]] == ["correct --batch-size"]
