"""What two runs of one history may differ in, and what they must not (design.md; tests/oracle/compare.py)."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.convergence.expected import Expected

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Shape = dict[str, Counter[str]]
"""Rows as texts, by table, without what may differ."""

_ONE_EACH = """record duplicate_record post quote feed_item like repost follow actor_block list list_item list_block
    feed_generator labeler starter_pack thread_gate post_gate profile verification post_agg"""
KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(_ONE_EACH.split(), ("uri",)) | {
    "post_embed_image": ("postUri", "position"),
    "post_embed_external": ("postUri",),
    "post_embed_record": ("postUri", "embedUri"),
    "post_embed_video": ("postUri",),
    "actor_sync": ("did",),
    "profile_agg": ("did",),
    "actor": ("did",),
    "indexer.account_status": ("did",),
    "indexer.account_deletion": ("did",),
    "notification": (),
    "indexer.dead_letter": ("message_id",),
}
"""Every table that the indexer writes, and its key."""
AGGREGATES = {
    "likeCount": ("post_agg", "like", "subject"),
    "repostCount": ("post_agg", "repost", "subject"),
    "replyCount": ("post_agg", "post", "replyParent"),
    "quoteCount": ("post_agg", "quote", "subject"),
    "followersCount": ("profile_agg", "follow", "subjectDid"),
    "followsCount": ("profile_agg", "follow", "creator"),
    "postsCount": ("profile_agg", "post", "creator"),
}
_FLAGS = ("invalidReplyRoot", "violatesThreadGate", "violatesEmbeddingRules", "hasThreadGate", "hasPostGate")
_ORDER_BOUND = ("violatesThreadGate", "violatesEmbeddingRules", "invalidReplyRoot")
_OF_ACCOUNTS = ("actor", "actor_sync", "indexer.account_status")
_DATES = ("indexedAt", "sortAt", "sortedAt")
_NEVER_COMPARED = {
    "notification": ("id",),
    "indexer.dead_letter": ("id", "detail", "first_at", "last_at"),
    "indexer.account_deletion": ("removed_rows", "attempts", "next_at", "cause"),
}
_CLOCK = "the wall clock"


def in_order(tables: Tables, known: Expected) -> Shape:
    """Everything but the wall clock and serial numbers: for runs in stream order."""

    def bound(table: str, row: Row) -> Row | None:
        if table == "post" and "invalidReplyRoot" not in known.rows["post"].get((row["uri"],), {}):
            return {**row, "invalidReplyRoot": None}  # the parent may have come and gone within one batch
        return row

    return _shape(tables, bound)


def in_any_order(tables: Tables, known: Expected) -> Shape:
    """What no order may change (design.md, "What still shows the order, and may")."""

    def bound(table: str, row: Row) -> Row | None:
        if table in ("notification", "post_agg", "profile_agg"):
            return None  # the aggregates follow from rows that do: `broken` counts them
        if table in _OF_ACCOUNTS and row["did"] in known.marks:
            return None  # as far as they are known they are compared with what the messages say (`expected`)
        if table == "indexer.dead_letter" and row["class"] == "data" and known.marks:
            return None  # what is stale by then is not refused
        subject = {"quote": "subject", "feed_item": "postUri"}.get(table)
        hangs = subject and row.get("type") != "post"
        if hangs and row[subject or ""] in known.reborn:
            return None
        row = {name: value for name, value in row.items() if name not in _ORDER_BOUND and name != "commitCid"}
        if table == "actor" or (table == "record" and row["json"] == ""):
            row["indexedAt"] = None
        times = known.times.get((row.get("uri", ""), row.get("cid", "")), set())
        if len(times) > 1 and table not in ("record", "duplicate_record") and row.get("indexedAt", min(times)) in times:
            row |= dict.fromkeys(name for name in _DATES if name in row)
        return row

    return _shape(tables, bound)


def differences(one: Shape, other: Shape) -> list[str]:
    """A line for each row that only one of two runs has."""
    return [
        f"{table}: {side} {row}"
        for table in KEYS
        for side, rows in (("-", one[table] - other[table]), ("+", other[table] - one[table]))
        for row in rows.elements()
    ]


def broken(tables: Tables, known: Expected) -> list[str]:
    """A line for each row that is not as the messages say, and for each counter that counts wrong."""
    return [*_unlike(tables, known), *_miscounted(tables), *_told_of_nothing(tables, known)]


def _unlike(tables: Tables, known: Expected) -> Iterator[str]:
    for table, key in KEYS.items():
        if table in ("notification", "indexer.dead_letter", "post_agg", "profile_agg"):
            continue
        rows = {tuple(str(row[name]) for name in key): row for row in tables[table]}
        wanted = known.rows.get(table, {})
        for missing in wanted.keys() - rows.keys():
            yield f"{table}: missing {missing}"
        for extra in rows.keys() - wanted.keys() - known.may_be.get(table, set()):
            yield f"{table}: not wanted {rows[extra]}"
        for shared in rows.keys() & wanted.keys():
            row = _plain(rows[shared])
            wrong = {name: row[name] for name, value in wanted[shared].items() if row[name] != value}
            if wrong:
                yield f"{table}: {shared} has {wrong}, not {wanted[shared]}"


def _miscounted(tables: Tables) -> Iterator[str]:
    for column, (aggregate, table, by) in AGGREGATES.items():
        key = KEYS[aggregate][0]
        found = Counter({row[key]: row[column] for row in tables[aggregate] if row[column]})
        wanted = Counter(
            row[by] for row in tables[table] if row[by] and not (column == "replyCount" and row["violatesThreadGate"])
        )
        if found != wanted:
            yield f"{column}: {dict(found)}, not {dict(wanted)}"


def _told_of_nothing(tables: Tables, known: Expected) -> Iterator[str]:
    """Notifications of posts go with them, and those of a removed account's records with these."""
    posts = {row["uri"] for row in tables["post"]}
    for row in tables["notification"]:
        if row["author"] in known.marks and (row["recordUri"],) not in known.rows["record"]:
            yield f"notification: of a removed account: {row}"
        if "/app.bsky.feed.post/" in row["recordUri"] and row["recordUri"] not in posts:
            yield f"notification: of a post that is not there: {row}"


def _shape(tables: Tables, bound: Callable[[str, Row], Row | None]) -> Shape:
    undated = {row["uri"] for row in tables["record"] if row["json"] and "createdAt" not in json.loads(row["json"])}
    return {table: Counter(_texts(table, map(_plain, rows), undated, bound)) for table, rows in tables.items()}


def _texts(
    table: str, rows: Iterable[Row], undated: set[str], bound: Callable[[str, Row], Row | None]
) -> Iterator[str]:
    for row in rows:
        seen = {name: value for name, value in row.items() if name not in _NEVER_COMPARED.get(table, ())}
        if table == "profile" and row["uri"] in undated:
            seen["createdAt"] = _CLOCK
        if row.get("reason") == "unverified":
            seen["sortAt"] = _CLOCK
        kept = bound(table, seen)
        if kept is not None and not _is_zero(table, kept):
            yield json.dumps(kept, sort_keys=True)


def _plain(row: Row) -> Row:
    """NULL and false of a flag mean the same."""
    return {name: bool(value) if name in _FLAGS else value for name, value in row.items()}


def _is_zero(table: str, row: Row) -> bool:
    """A counter that went up and down again has a row, one that never moved has none."""
    return table.endswith("_agg") and not any(value for name, value in row.items() if name not in KEYS[table])
