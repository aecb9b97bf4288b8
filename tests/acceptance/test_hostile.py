"""What becomes of every kind of hostile message: the table in hostile_fates.csv, against the real daemon.

The table's fates are those of hostile-kinds.md; `stored` there means that this version of the record was applied, or
that this event of the account is the newest or older than it.
"""

import asyncio
import csv
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from indexer import _native
from tests.acceptance.daemon import feed, left_over, running
from tests.oracle import library

CLEANED = (
    "nul_in_post_text", "nul_in_alt", "nul_in_profile_name", "nul_in_tag", "lone_surrogate_text", "lone_surrogate_tag",
)  # fmt: skip
ATTEMPTS = 2
BATCH_SIZES = {"mixed-5k-hostile": 300, "backfill-10k": 1000, "labels-2k": 150}


def expected_fates() -> dict[str, str]:
    """By kind: the fate and its reason."""
    with Path(__file__).with_name("hostile_fates.csv").open(encoding="utf-8") as file:
        return {row["kind"]: f"{row['fate']} {row['reason']}".strip() for row in csv.DictReader(file)}


@dataclass
class State:
    """What the database says after the run."""

    accounts: dict[str, str]
    """By DID: the time of its newest account event, statuses and deletions."""
    letters: dict[str, asyncpg.Record]
    records: dict[str, asyncpg.Record]
    revs: dict[str, str]
    labels: dict[tuple[str, ...], asyncpg.Record]
    """By key."""


async def state_of(database: str) -> State:
    connection = await asyncpg.connect(database)
    try:
        accounts = await connection.fetch(
            "SELECT did, max(time) FROM (SELECT did, time FROM indexer.account_status UNION ALL "
            "SELECT did, time FROM indexer.account_deletion) a GROUP BY did"
        )
        letters = await connection.fetch("SELECT * FROM indexer.dead_letter")
        records = await connection.fetch("SELECT uri, rev, cid FROM record")
        revs = await connection.fetch('SELECT did, "repoRev" FROM actor_sync')
        labels = await connection.fetch("SELECT src, uri, cid, val, neg, cts, exp FROM label")
    finally:
        await connection.close()
    return State(
        {row["did"]: row["max"] for row in accounts},
        {row["message_id"]: row for row in letters},
        {row["uri"]: row for row in records},
        {row["did"]: row["repoRev"] for row in revs},
        {tuple(row)[:4]: row for row in labels},
    )


class Messages:
    """A case's messages, and what each became."""

    def __init__(self, case: str) -> None:
        self.case = case
        self.payloads = library.messages(case)
        self.kinds = library.kinds(case)
        now_ms = time.time_ns() // 1_000_000
        self.decoded: Sequence[Any] = (
            _native.decode_labels(self.payloads)
            if library.stream(case) == "label_live"
            else _native.decode_events(self.payloads, [now_ms] * len(self.payloads))
        )
        self.revs: dict[str, list[tuple[int, str]]] = {}
        """By URI: the places and revs of its messages."""
        for position, event in enumerate(self.decoded):
            if isinstance(event, _native.Event) and event.uri is not None and event.rev is not None:
                self.revs.setdefault(event.uri, []).append((position, event.rev))

    def fate(self, position: int, id_: str, state: State) -> str:
        """As the database shows it; `rows` that should not be there are named, too."""
        event = self.decoded[position]
        letter = state.letters.get(id_)
        if letter is not None:
            return f"dead {letter['cause'].partition(':')[0]}{self._left_rows(position, state)}"
        if isinstance(event, _native.Ignored):
            return f"ignored {event.reason}{self._left_rows(position, state)}"
        if isinstance(event, list):
            return self._fate_of_labels(event, state)
        assert isinstance(event, _native.Event), "rejected, and no dead letter"
        if event.kind == "account":
            return "stored" if state.accounts.get(event.did, "") >= event.time else "ignored account_status"
        rev = event.rev or ""
        tracked = (bool(event.backfill) and event.kind != "repo") or state.revs.get(event.did, "") >= rev
        if event.kind == "repo" or event.collection not in _native.COLLECTIONS:
            return "no rows" if tracked and event.uri not in state.records else f"tracked: {tracked}, or rows"
        stored = state.records.get(event.uri or "")
        if stored is None:
            return "ignored not_its_own" if state.revs.get(event.did) != rev else "ignored, but tracked"
        if not tracked:
            return "stored, but its commit is not tracked"
        if stored["rev"] == rev and stored["cid"] == (event.cid or ""):
            return "stored"
        others = self.revs[event.uri or ""]
        if any(place < position and other > rev for place, other in others):
            return "no rows"
        return "stored" if any(place > position and other > rev for place, other in others) else "lost"

    def _fate_of_labels(self, labels: list[Any], state: State) -> str:
        """Stored where each is in its row, or was until one with a greater `cts` came."""
        rows = [(label, state.labels.get(label[:4])) for label in labels]
        is_there = [row is not None and (tuple(row) == label or row["cts"] > label[5]) for label, row in rows]
        return "stored" if all(is_there) else "lost"

    def _left_rows(self, position: int, state: State) -> str:
        """Names a record row that this message left, though it should have none."""
        try:
            message: Any = json.loads(self.payloads[position])
        except (ValueError, RecursionError):
            return ""
        if not isinstance(message, dict):
            return ""
        uri = f"at://{message.get('did')}/{message.get('collection')}/{message.get('rkey')}"
        row = state.records.get(uri)
        return ", with a row" if row is not None and row["rev"] == message.get("rev") else ""


def test_every_kind_has_a_fate() -> None:
    found = {kind for case in library.HOSTILE for kind in library.kinds(case).values()}
    assert found == set(expected_fates())


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", library.HOSTILE)
def test_every_hostile_message_meets_its_fate(database: str, redis_url: str, tmp_path: Path, case: str) -> None:
    messages = Messages(case)
    stream = library.stream(case)
    ids = feed(redis_url, stream, messages.payloads)
    environment = {"INDEXER_BATCH_SIZE": str(BATCH_SIZES[case]), "INDEXER_MAX_ATTEMPTS": str(ATTEMPTS)}
    with running(database, redis_url, tmp_path, environment=environment) as daemon:
        daemon.started()

        def finished() -> float:
            return sum(count for (name, _), count in daemon.metrics().items() if name == "indexer_messages_total")

        daemon.until(lambda: finished() >= len(ids))
        metrics = daemon.metrics()
        assert daemon.stop() == 0
    assert left_over(redis_url, stream) == (0, 0)
    state = asyncio.run(state_of(database))
    letters_hold_their_messages(state.letters, messages, ids)

    fates = expected_fates()
    expected = {(position, kind): fates[kind] for position, kind in messages.kinds.items()}
    found = {(position, kind): messages.fate(position, ids[position], state) for position, kind in expected}
    assert found == expected

    counted = {
        (name, reason): int(count)
        for (name, labels), count in metrics.items()
        if count and name in ("indexer_ignored_total", "indexer_dead_letters_total")
        for reason in [dict(labels)["reason"]]
        if dict(labels)["stream"] == stream
    }
    tally = Counter(found.values())
    ignored = {reason: count for fate, count in tally.items() if (reason := fate.removeprefix("ignored ")) != fate}
    causes = (letter["cause"] for letter in state.letters.values())
    dead = Counter("db" if cause.startswith("db_") else cause.partition(":")[0] for cause in causes)
    assert counted == {
        **{("indexer_ignored_total", reason): count for reason, count in ignored.items()},
        **{("indexer_dead_letters_total", reason): count for reason, count in dead.items()},
    }
    assert metrics["indexer_cleaned_texts_total", ()] == sum(kind in CLEANED for kind in messages.kinds.values())


def letters_hold_their_messages(letters: dict[str, asyncpg.Record], messages: Messages, ids: list[str]) -> None:
    """Each is byte for byte what was sent, and nothing is dead that is not hostile."""
    places = {id_: place for place, id_ in enumerate(ids)}
    hostile = library.kinds(messages.case)
    assert set(letters) <= set(places)
    for id_, letter in letters.items():
        assert places[id_] in hostile, letter["cause"]
        assert letter["payload"] == messages.payloads[places[id_]]
        assert letter["stream"] == library.stream(messages.case)
        by_database = letter["cause"].startswith("db_")
        assert letter["class"] == ("data" if by_database else "reject")
        assert letter["attempts"] == (ATTEMPTS if by_database else 1)
        assert letter["sqlstate"] == (letter["cause"].removeprefix("db_") if by_database else None)
        assert letter["detail"]
        assert letter["first_at"] == letter["last_at"]
