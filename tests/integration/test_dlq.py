"""`indexer dlq`: looking at dead letters, dropping them, carrying them elsewhere."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.commands.dlq import letters as letters_module
from indexer.errors import ExitCode
from tests.conftest import execute
from tests.integration.dead_letters import STREAM, Command, dlq, environment, keep, letter, rows
from tests.messages import A, create, label, label_message, post, post_uri

__all__ = ["dlq"]

HOSTILE = "\x1b[2J\x07\x9b31m\u202egnp\u2028\x7f\r"
"""Clears a screen, rings, colours, turns the direction, breaks a line."""


def lines(text: str) -> list[list[str]]:
    """Cells of a table, which are two blanks apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def test_nothing_is_said_to_be_nothing(dlq: Command) -> None:
    assert dlq("ls") == dlq("ls", "--stream", "other")
    assert (dlq("ls").code, dlq("ls").out) == (0, "no dead letters\n")
    assert json.loads(dlq("ls", "--json").out) == {"letters": 0, "all_causes": 0, "causes": []}


def test_letters_are_listed_by_cause_and_places_in_lists_are_one_cause(dlq: Command, database: str) -> None:
    ids = keep(
        database,
        [
            letter(b"{", "1-0", "not_json"),
            letter(b"{}", "1-0", "invalid_record:facets/0/features/12/uri", "firehose_backfill"),
            letter(b"{}", "2-0", "invalid_record:facets/3/features/0/uri"),
            letter(b"{}", "3-0", "invalid_record:text"),
            letter(b"{}", "4-0", "invalid_record:facets/7/features/7/uri"),
        ],
    )
    execute(database, f"UPDATE indexer.dead_letter SET first_at = '2026-01-02T03:04:05Z' WHERE id = {ids[1]}")
    execute(database, f"UPDATE indexer.dead_letter SET last_at = '2036-01-02T03:04:05Z' WHERE id = {ids[2]}")
    said = dlq("ls")
    assert said.code == 0
    head, first, *rest, total = lines(said.out)
    assert head == ["letters", "cause", "first", "last", "example", "streams"]
    assert first == [
        "3", "invalid_record:facets/*/features/*/uri", "2026-01-02T03:04:05Z", "2036-01-02T03:04:05Z", str(ids[4]),
        "firehose_backfill, firehose_live",
    ]  # fmt: skip
    assert [row[:2] for row in rest] == [["1", "invalid_record:text"], ["1", "not_json"]]
    assert total == ["5 dead letters, 3 causes"]
    found = json.loads(dlq("ls", "--json").out)
    assert (found["letters"], found["all_causes"]) == (5, 3)
    assert found["causes"][0] == {
        "cause": first[1],
        "letters": 3,
        "first_at": "2026-01-02T03:04:05+00:00",
        "last_at": "2036-01-02T03:04:05+00:00",
        "streams": ["firehose_backfill", "firehose_live"],
        "example": ids[4],
    }


FILTERS: list[tuple[tuple[str, ...], set[int]]] = [
    (("--cause", "not_json"), {1}),
    (("--cause", "invalid_record"), {2, 3}),
    (("--cause", "invalid_record:tags/*"), {2}),
    (("--cause", "invalid_record:tags/0"), {2}),
    (("--cause", "invalid"), set()),
    (("--cause", "db"), {4, 5}),
    (("--cause", "db_54000"), {4}),
    (("--stream", "label_live"), {5, 6}),
    (("--stream", "label_live", "--cause", "db"), {5}),
    (("--since", "2026-06-01"), {6}),
    (("--since", "2026-06-01T00:00:01+02:00"), {6}),
    (("--since", "2026-06-01T00:00:01"), set()),
]


def test_filters(dlq: Command, database: str) -> None:
    causes = ("not_json", "invalid_record:tags/0", "invalid_record:text", "db_54000", "db_22021", "bad_label:uri")
    streams = [STREAM] * 4 + ["label_live"] * 2
    ids = keep(database, [letter(b"x", f"{n}-0", *pair) for n, pair in enumerate(zip(causes, streams, strict=True))])
    execute(database, "UPDATE indexer.dead_letter SET last_at = '2025-01-01T00:00:00Z'")
    execute(database, f"UPDATE indexer.dead_letter SET last_at = '2026-06-01T00:00:00Z' WHERE id = {ids[5]}")
    for filters, expected in FILTERS:
        shown = dlq("export", *filters).out.splitlines()
        assert {ids.index(json.loads(line)["id"]) + 1 for line in shown} == expected, filters
        assert json.loads(dlq("ls", "--json", *filters).out)["letters"] == len(expected), filters


def test_since_takes_a_time_ago(dlq: Command, database: str) -> None:
    old, new = keep(database, [letter(b"x", "1-0"), letter(b"x", "2-0")])
    execute(database, f"UPDATE indexer.dead_letter SET last_at = now() - interval '3 hours' WHERE id = {old}")
    assert [json.loads(line)["id"] for line in dlq("export", "--since", "2h").out.splitlines()] == [new]
    assert len(dlq("export", "--since", "1d").out.splitlines()) == 2


def test_list_of_causes_ends_somewhere(dlq: Command, database: str) -> None:
    keep(database, [letter(b"x", f"{n}-0", f"bad_record:{n:03}k") for n in range(210)])
    said = dlq("ls").out.splitlines()
    assert len(said) == 1 + letters_module.MOST_CAUSES + 1
    assert said[-1] == "210 dead letters, 210 causes; 10 rarer causes are not shown"


def test_everything_of_a_letter_is_shown(dlq: Command, database: str) -> None:
    payload = create(post_uri(A, "p"), post("hello"))
    (id_,) = keep(database, [letter(payload, "1767323045000-7", "db_54000", detail="index row size", attempts=3)])
    execute(database, "UPDATE indexer.dead_letter SET first_at = '2026-01-02T03:04:06Z', last_at = '2026-01-02T04:00Z'")
    said = dlq("show", id_)
    fields = dict(line.split(maxsplit=1) for line in said.out.splitlines()[:2])
    assert said.code == 0
    assert fields == {"id": str(id_), "stream": STREAM}
    for line in (
        "message id  1767323045000-7",
        "added       2026-01-02T03:04:05Z",
        "cause       db_54000",
        "class       data",
        "SQLSTATE    54000",
        "detail      index row size",
        "attempts    3",
        "first died  2026-01-02T03:04:06Z",
        "last died   2026-01-02T04:00:00Z",
        f"DID         {A}",
        "collection  app.bsky.feed.post",
        "rkey        p",
        f"message     {len(payload)} bytes:",
        payload.decode(),
    ):
        assert line in said.out.splitlines()


def test_message_that_says_little_is_shown_all_the_same(dlq: Command, database: str) -> None:
    payloads = [
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"did":7}',
        b'"text"',
        b'{"label":[]}',
        b"1" * 5000,
        b'{"did":"\\ud800"}',
    ]
    for id_ in keep(database, [letter(payload, f"{n}") for n, payload in enumerate(payloads)]):
        said = dlq("show", id_)
        assert said.code == 0
        assert said.out.isascii()


def test_label_is_shown_with_what_it_is_of(dlq: Command, database: str) -> None:
    (id_,) = keep(database, [letter(label_message(label(post_uri(A, "p"))), "1-0", stream="label_live")])
    assert f"label of    {post_uri(A, 'p')}" in dlq("show", id_).out.splitlines()


def test_long_message_is_cut_and_export_has_it_whole(dlq: Command, database: str) -> None:
    payload = b'{"text":"' + b"a" * 100_000 + b'"}'
    (id_,) = keep(database, [letter(payload, "1-0")])
    said = dlq("show", id_)
    assert len(said.out) < 5_000
    assert said.out.endswith(f"(all of it: indexer dlq export {id_})\n")
    assert json.loads(dlq("export", id_).out)["payload"].encode() == payload


def test_nothing_of_strangers_reaches_the_terminal(dlq: Command, database: str) -> None:
    payload = json.dumps({"did": HOSTILE, "text": HOSTILE}, ensure_ascii=False).encode() + HOSTILE.encode()
    named = json.dumps({"did": HOSTILE, "collection": HOSTILE}).encode()
    places = [letter(payload, "1-0", f"bad_record:{HOSTILE}", detail=HOSTILE), letter(named, "2-0", detail=HOSTILE)]
    ids = keep(database, places)
    commands: list[list[object]] = [["ls"], ["ls", "--json"], ["export"], ["drop", "--all", "--dry-run"]]
    said = "".join(dlq(*command).out for command in [*commands, *(["show", id_] for id_ in ids)])
    assert [character for character in said if not character.isprintable() and character != "\n"] == []
    assert r"\x1b[2J\x07\x9b31m\u202egnp\u2028\x7f\x0d" in said


def test_export_is_whole_and_reads_back(dlq: Command, database: str, tmp_path: Path) -> None:
    payloads = [
        b'{"a":"\xc3\xa4"}',
        b"\xff\x00\xfe",
        "\x00\u2028\x7f\U0001f600".encode(),
        create(post_uri(A, "p"), post("x")),
    ]
    ids = keep(database, [letter(payload, f"{n}-0", f"missing_field:{n}") for n, payload in enumerate(payloads)])
    file = tmp_path / "letters.jsonl"
    assert dlq("export", "--output", file) == dlq("export", "--output", file)
    assert file.read_text(encoding="ascii") == dlq("export").out
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert [letter["id"] for letter in found] == ids
    assert [
        letter["payload"].encode() if "payload" in letter else base64.b64decode(letter["payload_base64"])
        for letter in found
    ] == payloads
    assert {key: value for key, value in found[1].items() if not key.endswith("_at")} == {
        "id": ids[1], "stream": STREAM, "message_id": "1-0", "cause": "missing_field:1", "class": "reject",
        "sqlstate": None, "detail": "why", "attempts": 1, "payload_base64": "/wD+",
    }  # fmt: skip
    assert len(rows(database)) == 4, "they stay"


def test_export_where_it_cannot_be_written(dlq: Command, database: str, tmp_path: Path) -> None:
    keep(database, [letter(b"x", "1-0")])
    said = dlq("export", "--output", tmp_path / "missing" / "file")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.CONFIG, 3)
    full = Path("/dev/full")
    if full.exists():  # Linux
        said = dlq("export", "--output", full)
        assert (said.code, len(said.err.splitlines())) == (ExitCode.STOPPED_EARLY, 3)
        assert "the output is not complete" in said.err


def test_reader_that_has_enough_is_no_fault(database: str, redis_url: str) -> None:
    keep(database, [letter(b"x" * 100_000, f"{n}-0") for n in range(20)])
    command = [sys.executable, "-m", "indexer", "dlq", "export"]
    with subprocess.Popen(
        command, env=environment(database, redis_url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.STOPPED_EARLY


def test_drop_takes_what_was_named_and_nothing_else(dlq: Command, database: str) -> None:
    ids = keep(database, [letter(b"x", f"{n}-0", "bad_rev" if n % 2 else "not_json") for n in range(6)])
    dry = dlq("drop", "--cause", "bad_rev", "--dry-run")
    assert lines(dry.out)[1][:2] == ["3", "bad_rev"]
    assert dry.out.endswith("nothing was changed\n")
    assert len(rows(database)) == 6
    assert dlq("drop", "--cause", "bad_rev").out == "dropped 3 dead letters\n"
    assert [id_ for id_, _ in rows(database)] == ids[::2]
    assert dlq("drop", ids[0], ids[1]).code == ExitCode.FINDINGS, "one of them was dropped before"
    assert [id_ for id_, _ in rows(database)] == [ids[2], ids[4]]
    assert dlq("drop", ids[2], "--cause", "bad_rev").code == ExitCode.FINDINGS, "all conditions hold"
    assert dlq("drop", "--all").out == "dropped 2 dead letters\n"
    assert rows(database) == []


def test_drop_of_many_is_done_in_portions(dlq: Command, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(database, [letter(b"x", f"{n}-0") for n in range(25)])
    monkeypatch.setattr(letters_module, "PORTION", 10)
    portions: list[int] = []
    delete = letters_module.Letters.delete

    async def counted(self: letters_module.Letters, ids: list[int]) -> int:
        portions.append(len(ids))
        return await delete(self, ids)

    monkeypatch.setattr(letters_module.Letters, "delete", counted)
    assert dlq("drop", "--all").out == "dropped 25 dead letters\n"
    assert portions == [10, 10, 5]


WRONG: list[tuple[str, ...]] = [
    ("retry",), ("drop",), ("drop", "--dry-run"), ("show",), ("show", "x"), ("drop", "-1"),
    ("ls", "--since", "soon"),
    ("ls", "--cause", "\x1b"), ("list",),
]  # fmt: skip


def test_wrong_usage_is_exit_2_and_changes_nothing(dlq: Command, database: str) -> None:
    keep(database, [letter(b"x", "1-0")])
    for arguments in WRONG:
        said = dlq(*arguments)
        assert said.code == ExitCode.USAGE, arguments
        assert said.err.startswith("usage: indexer dlq")
    assert len(rows(database)) == 1


def test_what_is_not_there_is_exit_1(dlq: Command) -> None:
    said = dlq("show", 4711)
    assert (said.code, len(said.err.splitlines())) == (ExitCode.FINDINGS, 3)
    assert "there is no dead letter 4711" in said.err


def test_bare_command_prints_the_help(dlq: Command) -> None:
    said = dlq()
    assert said.code == 0
    assert all(verb in said.out for verb in ("ls", "show", "retry", "drop", "export"))


def test_database_without_our_schema_is_exit_78_with_the_remedy(dlq: Command, empty_database: str) -> None:
    said = dlq("ls", "--postgres-url", empty_database)
    assert (said.code, len(said.err.splitlines())) == (ExitCode.CONFIG, 3)
    assert "indexer schema create" in said.err


def test_database_that_is_away_is_exit_69(dlq: Command) -> None:
    said = dlq("ls", "--postgres-url", "postgresql://bsky:hunter2@127.0.0.1:1/bsky")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.UNAVAILABLE, 3)
    assert "hunter2" not in said.err
