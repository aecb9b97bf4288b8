"""What PostgreSQL says of a record or an account; each read has a time limit, and nothing is written."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import asyncpg
import orjson

from indexer.commands.trace.facts import Fact, Target, iso, ms_of
from indexer.configuration.values import quoted
from indexer.connections.database import Connection
from indexer.fold.tid import LATEST_MS, instant
from indexer.records import RECORDS
from indexer.schema.catalog import tables
from indexer.sink.counts import COLUMNS
from indexer.wording import quantity

LIMIT_MS = 30_000
MOST_LETTERS = 100
_AGGREGATES = {
    "app.bsky.feed.post": ("post_agg", "uri", COLUMNS["post_agg"]),
    "app.bsky.actor.profile": ("profile_agg", "did", COLUMNS["profile_agg"]),
}


class Tables:
    """One look at the database, in one snapshot."""

    def __init__(self, connection: Connection, schema: str, target: Target) -> None:
        self._connection = connection
        self._schema = schema
        self.target = target
        self.stands: dict[str, tuple[str, str]] = {}
        """Rev and CID of rows of `record`, by URI; the CID is empty in a tombstone."""
        self.removed_ms: int | None = None
        """Up to when messages of the account are stale."""
        self.notes: list[str] = []

    async def read(self) -> list[Fact]:
        found: list[Fact] = []
        await self._connection.execute(
            f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {LIMIT_MS}"
        )
        try:
            self._there = await tables(self._connection, self._schema)
            self._has_own = bool(
                await self._connection.fetchval("SELECT to_regclass('indexer.account_deletion') IS NOT NULL")
            )
            if not self._has_own:
                self.notes.append("the database has no schema `indexer`: dead letters and removals are not known")
            found += [fact async for fact in self._account()]
            if self.target.collection:
                found += [fact async for fact in self._record()]
            if self._has_own:
                found += [fact async for fact in self._letters()]
        finally:
            await self._connection.execute("ROLLBACK")
        return found

    async def look_up(self, uris: Iterable[str]) -> None:
        """What stands of other records, for `is_stale`."""
        rows = await self._fetch(
            f"SELECT uri, rev, cid, json = '' FROM {self._name('record')} WHERE uri = ANY($1::text[])",
            sorted(set(uris)),
        )
        self.stands.update({uri: (rev, "" if gone else cid) for uri, rev, cid, gone in rows})

    def is_stale(self, uri: str, rev: str | None, cid: str | None, time: str | None) -> str | None:
        """Why a message of the record changes nothing now; None: it does."""
        at_ms = ms_of(time)
        if self.removed_ms is not None and (at_ms is None or at_ms <= self.removed_ms):
            return f"its account was deleted at {iso(self.removed_ms)}, after the message"
        if uri not in self.stands or rev is None:
            return None
        known, version = self.stands[uri]
        if rev < known:
            return f"the record has the newer rev {known}"
        if rev == known and (cid or "") == version:
            return "it is the version that stands"
        if rev == known and (version == "" or (cid or "") < version):
            return "another write with the same rev stands"
        return None

    async def _fetch(self, sql: str, *arguments: object) -> list[Any]:
        return await self._connection.fetch(sql, *arguments)

    async def _in_time(self, what: str, sql: str, *arguments: object) -> list[Any]:
        """As `_fetch`; nothing, and a note, where that takes too long."""
        await self._connection.execute("SAVEPOINT slow")
        try:
            return await self._fetch(sql, *arguments)
        except asyncpg.QueryCanceledError:
            await self._connection.execute("ROLLBACK TO SAVEPOINT slow")
            self.notes.append(f"{what} are too many to look through in {LIMIT_MS // 1000} s: left out")
            return []

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    async def _account(self) -> AsyncIterator[Fact]:
        did, is_account = self.target.did, not self.target.collection
        if self._has_own:
            for row in await self._fetch("SELECT * FROM indexer.account_deletion WHERE did = $1", did):
                self.removed_ms = row["removed_ms"]
                yield _deletion(row)
            for row in await self._fetch("SELECT * FROM indexer.account_status WHERE did = $1", did):
                if is_account or row["status"]:
                    status = row["status"] or "active"
                    yield Fact("account_status", f"the account is {status}", row["at_ms"], {"status": status})
            for row in (
                await self._fetch("SELECT * FROM indexer.handle_lookup WHERE did = $1", did) if is_account else ()
            ):
                why = f", put off {row['attempts']} times: {row['cause']}" if row["attempts"] else ""
                yield Fact("look_up_waits", f"its handle is to be looked up{why}", _ms(row["next_at"]))
        if not is_account:
            return
        for row in await self._fetch(f"SELECT * FROM {self._name('actor')} WHERE did = $1", did):
            handle, status = row["handle"], row["upstreamStatus"]
            text = f"has the handle {handle}" if handle else "has a row without a handle"
            text += f", status {status}" if status else ""
            yield Fact("actor", text, ms_of(row["indexedAt"]), {"handle": handle, "status": status})
        for row in await self._fetch(f"SELECT * FROM {self._name('actor_sync')} WHERE did = $1", did):
            text = f"its newest commit here has the rev {row['repoRev']}"
            yield Fact("commit", text, instant(row["repoRev"]), {"rev": row["repoRev"], "commit": row["commitCid"]})
        rows = await self._fetch(
            f"SELECT split_part(uri, '/', 4) AS c, count(*) FILTER (WHERE json <> '') AS live,"
            f" count(*) FILTER (WHERE json = '') AS gone FROM {self._name('record')} WHERE did = $1"
            " GROUP BY 1 ORDER BY 1",
            did,
        )
        if rows:
            number, gone = sum(row["live"] for row in rows), sum(row["gone"] for row in rows)
            counts = {row["c"]: row["live"] for row in rows if row["live"]}
            details = {"records": counts, **await self._aggregate("app.bsky.actor.profile", did)}
            text = f"{quantity(number, 'record is', 'records are')} indexed, {quantity(gone, 'tombstone')} kept"
            yield Fact("indexed", text, None, details)

    async def _record(self) -> AsyncIterator[Fact]:
        target, uri = self.target, self.target.uri
        rows = await self._fetch(
            f"SELECT rev, cid, \"indexedAt\", json = '' AS gone FROM {self._name('record')} WHERE uri = $1", uri
        )
        counts = await self._rows()
        duplicates = await self._fetch(
            f'SELECT "duplicateOf", "indexedAt" FROM {self._name("duplicate_record")} WHERE uri = $1', uri
        )
        details: dict[str, Any] = {"tables": counts, **await self._aggregate(target.collection, uri)}
        if rows:
            (row,) = rows
            self.stands[uri] = row["rev"], "" if row["gone"] else row["cid"]
            details |= {"rev": row["rev"], "cid": row["cid"]}
        is_gone = bool(rows) and rows[0]["gone"]
        for row in duplicates:
            of = row["duplicateOf"]
            yield Fact("duplicate", f"duplicate of {of}: that one is indexed", ms_of(row["indexedAt"]), {"of": of})
        if is_gone:
            when = instant(rows[0]["rev"])
            told = f" ({iso(when)})" if when is not None else ""
            yield Fact("tombstone", f"deleted with the rev {rows[0]['rev']}{told}; a tombstone is kept", when, details)
        kind = RECORDS.get(target.collection)
        needs = kind is not None and kind.tables and not duplicates and kind.tables[0].name not in counts
        if counts and (is_gone or not rows):
            said = "its record is gone" if is_gone else "there is no record"
            yield Fact("incomplete", f"rows in {_listed(counts)}, but {said}: see `indexer verify`", None, details)
        elif rows and not is_gone and needs:
            text = "its record is stored, but it has no rows: see `indexer verify`"
            yield Fact("incomplete", text, ms_of(rows[0]["indexedAt"]), details)
        elif rows and not is_gone:
            where = _listed({"record": 1, **counts})
            if not duplicates:
                text = f"indexed with the rev {rows[0]['rev']}: rows in {where}"
                yield Fact("indexed", text, ms_of(rows[0]["indexedAt"]), details)
        elif not rows and self.removed_ms is not None:
            yield Fact("removed", "removed with its account", self.removed_ms, details)
        others = await self._fetch(f'SELECT uri FROM {self._name("duplicate_record")} WHERE "duplicateOf" = $1', uri)
        if others:
            details["duplicates"] = [row[0] for row in others]
        number = await self._connection.fetchval(
            f'SELECT count(*) FROM {self._name("notification")} WHERE "recordUri" = $1', uri
        )
        if number:
            text = f"{quantity(number, 'notification was', 'notifications were')} written"
            yield Fact("notified", text, None, {"notifications": number})
        sql = f"SELECT src, val, neg, cts FROM {self._name('label')} WHERE uri = $1"  # no index leads there
        for row in await self._in_time("the labels", sql, uri):
            text = f"{'label taken back' if row['neg'] else 'labelled'}: {row['val']} by {row['src']}"
            yield Fact("labelled", text, ms_of(row["cts"]), {"src": row["src"], "val": row["val"]})

    async def _rows(self) -> dict[str, int]:
        """The record's rows by table."""
        kind = RECORDS.get(self.target.collection)
        counts: dict[str, int] = {}
        for table in (*kind.tables, *kind.attached_tables) if kind is not None else ():
            sql = f"SELECT count(*) FROM {self._name(table.name)} WHERE {quoted(table.owner)} = $1"
            if table.name in self._there and (number := await self._connection.fetchval(sql, self.target.uri)):
                counts[table.name] = number
        return counts

    async def _aggregate(self, collection: str, uri: str) -> dict[str, Any]:
        if collection not in _AGGREGATES:
            return {}
        table, key, columns = _AGGREGATES[collection]
        value = uri if key == "uri" else self.target.did
        rows = await self._fetch(f"SELECT * FROM {self._name(table)} WHERE {key} = $1", value)
        return {"aggregates": {column: row[column] for row in rows for column in columns}} if rows else {}

    async def _letters(self) -> AsyncIterator[Fact]:
        """Dead letters whose payload names it; only the newest are shown."""
        target = self.target
        rows = await self._in_time(
            "the dead letters",
            "SELECT * FROM indexer.dead_letter WHERE position($1::bytea IN payload) > 0"
            " AND position($2::bytea IN payload) > 0 ORDER BY id DESC LIMIT $3",
            target.did.encode(),
            target.rkey.encode(),
            MOST_LETTERS,
        )
        for row in rows:
            body = loaded(row["payload"])
            if body is not None and not names(target, body):
                continue
            stale = (
                self.is_stale(target.uri, _text(body, "rev"), _text(body, "cid"), _text(body, "time")) if body else None
            )
            yield Fact(
                "dead_letter",
                f"dead letter {row['id']} of {row['stream']}: {row['cause']}: {row['detail']};"
                f" retry: indexer dlq retry {row['id']}" + (f" (would change nothing: {stale})" if stale else ""),
                _ms(row["last_at"]),
                {
                    "id": row["id"],
                    "stream": row["stream"],
                    "message_id": row["message_id"],
                    "cause": row["cause"],
                    "detail": row["detail"],
                    "attempts": row["attempts"],
                    "stale": stale,
                    "retry": f"indexer dlq retry {row['id']}",
                },
            )


def names(target: Target, body: dict[str, Any]) -> bool:
    """Whether a message is about what is traced."""
    if body.get("did") != target.did:
        return False
    if not target.collection:
        return True
    return body.get("collection") == target.collection and body.get("rkey") == target.rkey


def loaded(payload: bytes) -> dict[str, Any] | None:
    """A message as an object; None where it is none."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _deletion(row: asyncpg.Record) -> Fact:
    at = iso(row["at_ms"]) if abs(row["at_ms"]) < LATEST_MS else row["time"]
    details = {"state": row["state"], "rows": row["removed_rows"], "cause": row["cause"]}
    if row["state"] == "removed":
        text = f"the account was deleted at {at} and removed, {row['removed_rows']:,} rows"
        return Fact("removed", text, row["at_ms"], details)
    if row["state"] == "removing":
        text = f"the account was deleted at {at}: its rows are being removed, {row['removed_rows']:,} so far"
        return Fact("removing", text, row["at_ms"], details)
    why = f", put off: {row['cause']}" if row["cause"] else ""
    return Fact(
        "deletion_asked", f"the account was deleted at {at}: its host is to be asked{why}", row["at_ms"], details
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}" if number == 1 else f"{name} ({number})" for name, number in counts.items())


def _text(body: dict[str, Any] | None, name: str) -> str | None:
    value = (body or {}).get(name)
    return value if isinstance(value, str) else None


def _ms(time: Any) -> int:
    return int(time.timestamp() * 1000)
