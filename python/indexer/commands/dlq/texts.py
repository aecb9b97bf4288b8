"""Dead letters for people and for programs. Much in them was written by strangers: nothing of it may move a cursor."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import asyncpg

from indexer.wording import printable, quantity

SHOWN_CHARACTERS = 4_000
"""Of a message; `export` has all of it."""


def json_text(value: object) -> str:
    """One line of JSON in ASCII, without a control character."""
    return json.dumps(value, ensure_ascii=True)


def exported(letter: asyncpg.Record) -> str:
    """A letter as a line of JSON; with the message in `payload`, or in `payload_base64` where it is not UTF-8."""
    payload: bytes = letter["payload"]
    fields = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in letter.items()
        if name != "payload"
    }
    try:
        fields["payload"] = payload.decode()
    except UnicodeDecodeError:
        fields["payload_base64"] = base64.b64encode(payload).decode()
    return json_text(fields)


def groups_json(groups: Sequence[asyncpg.Record]) -> str:
    """What `ls` shows as a JSON document; `all_causes` tells when the list was cut."""
    causes = [
        {
            "cause": group["cause"],
            "letters": group["letters"],
            "first_at": group["first_at"].isoformat(),
            "last_at": group["last_at"].isoformat(),
            "streams": group["streams"],
            "example": group["example"],
        }
        for group in groups
    ]
    total, all_causes = (groups[0]["all_letters"], groups[0]["all_causes"]) if groups else (0, 0)
    return json_text({"letters": total, "all_causes": all_causes, "causes": causes})


def groups_table(groups: Sequence[asyncpg.Record]) -> Iterator[str]:
    """Lines of a table, the total last."""
    if not groups:
        yield "no dead letters"
        return
    rows = [("letters", "cause", "first", "last", "example", "streams")]
    rows += [
        (
            f"{group['letters']:,}",
            printable(group["cause"]),
            _time(group["first_at"]),
            _time(group["last_at"]),
            str(group["example"]),
            printable(", ".join(group["streams"])),
        )
        for group in groups
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].rjust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
    causes = groups[0]["all_causes"]
    hidden = causes - len(groups)
    rest = f"; {quantity(hidden, 'rarer cause is', 'rarer causes are')} not shown" if hidden else ""
    yield f"{quantity(groups[0]['all_letters'], 'dead letter')}, {quantity(causes, 'cause')}{rest}"


def shown(letter: asyncpg.Record) -> Iterator[str]:
    """Everything about a letter, a field a line, then its message."""
    payload: bytes = letter["payload"]
    text = payload.decode(errors="backslashreplace")
    fields = {
        "id": letter["id"],
        "stream": letter["stream"],
        "message id": letter["message_id"],
        "added": _added(letter["message_id"]),
        "cause": letter["cause"],
        "class": letter["class"],
        "SQLSTATE": letter["sqlstate"],
        "detail": letter["detail"],
        "attempts": letter["attempts"],
        "first died": _time(letter["first_at"]),
        "last died": _time(letter["last_at"]),
        **_named(payload),
        "message": f"{len(payload):,} bytes" + (", its beginning:" if len(text) > SHOWN_CHARACTERS else ":"),
    }
    for name, value in fields.items():
        if value is not None:
            yield f"{name:<12}{printable(str(value))}"
    yield printable(text[:SHOWN_CHARACTERS])
    if len(text) > SHOWN_CHARACTERS:
        yield f"(all of it: indexer dlq export {letter['id']})"


def _named(payload: bytes) -> dict[str, str]:
    """What the message names, where it can be read."""
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(message, dict):
        return {}
    label = message.get("label")
    found = {"type": message.get("type"), "DID": message.get("did"), "collection": message.get("collection")}
    found |= {"rkey": message.get("rkey"), "rev": message.get("rev"), "time": message.get("time")}
    found |= {"label of": label.get("uri") if isinstance(label, dict) else None}
    return {name: value[:300] for name, value in found.items() if isinstance(value, str)}


def _added(message_id: str) -> str | None:
    """When the entry was added to its stream, by its id."""
    try:
        return _time(datetime.fromtimestamp(int(message_id.partition("-")[0]) / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
