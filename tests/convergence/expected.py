"""What the tables must hold, as a function of the set of messages (design.md, derived state): no order, no time.

Written from the documents alone, so that it fails with the code wherever the code forgets what they say, also where
every order gives the same wrong rows. It names keys and the columns that decide; whole rows are compared between runs.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from indexer._native import COLLECTIONS, Event
from tests.convergence.standings import Marks, account_rows, is_stale

Key = tuple[str, ...]
Row = dict[str, Any]

POST = "app.bsky.feed.post"
TABLES = {
    "app.bsky.feed.generator": "feed_generator",
    "app.bsky.graph.list": "list",
    "app.bsky.graph.starterpack": "starter_pack",
}
"""Tables that have a row for each live record; the others are below."""
SELF = {"app.bsky.actor.profile": "profile", "app.bsky.labeler.service": "labeler"}
"""The same, where the record key is `self`."""
GATES = {"app.bsky.feed.threadgate": "thread_gate", "app.bsky.feed.postgate": "post_gate"}
DUPLICATES = {
    "app.bsky.feed.like": ("like", "subject"),
    "app.bsky.feed.repost": ("repost", "subject"),
    "app.bsky.graph.follow": ("follow", "subjectDid"),
    "app.bsky.graph.block": ("actor_block", "subjectDid"),
    "app.bsky.graph.listblock": ("list_block", "subjectUri"),
    "app.bsky.graph.verification": ("verification", "subject"),
}
"""Tables with one row for each subject of a repository (and list items: one for each list and subject)."""


@dataclass(slots=True)
class Winner:
    """The write that decides what a record is: the greatest rev; of one rev a deletion, then the greatest CID."""

    rank: tuple[str, bool, str]
    event: Event
    time: str
    commits: bool = False
    """Whether it moves `actor_sync`, too."""

    @property
    def rev(self) -> str:
        return self.rank[0]

    @property
    def is_live(self) -> bool:
        return not self.rank[1]


@dataclass(slots=True)
class Expected:
    """Rows by table and key; a row names only the columns that are known."""

    rows: dict[str, dict[Key, Row]] = field(default_factory=lambda: defaultdict(dict))
    may_be: dict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Rows that may be there or not: what hangs on posts that were deleted and created again, for one."""
    times: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By URI and CID: the times under which that version came."""
    reborn: set[str] = field(default_factory=set)
    """Records that were deleted and created again, or are of an account that was."""
    marks: Marks = field(default_factory=dict)
    """The removed accounts."""


def expected(events: Iterable[Event], marks: Marks | None = None) -> Expected:
    """The rows after these events, none of which is refused by PostgreSQL or is about what is not its own.

    What a removal made stale counts as if it had never been, but for what others hang on it. That takes histories in
    which whatever is newer than the deletion of its account has a greater rev than what is not.
    """
    known = list(events)
    found = Expected(marks=marks or {})
    stale = {event.uri for event in known if event.uri is not None and is_stale(event, found.marks)}
    winners: dict[str, Winner] = {}
    versions: dict[str, set[str]] = defaultdict(set)
    for event in known:
        if event.collection not in COLLECTIONS or event.uri is None:
            continue
        cid = event.cid or ""
        rank = (event.rev or "", event.kind == "delete", cid)
        found.times[event.uri, cid].add(event.time)
        if is_stale(event, found.marks):
            continue
        versions[event.uri].add(cid)
        before = winners.get(event.uri)
        if before is None or before.rank < rank:
            winners[event.uri] = Winner(rank, event, event.time)
        elif before.rank == rank:
            before.time = max(before.time, event.time)
        if winners[event.uri].rank == rank:
            winners[event.uri].commits |= event.commit is not None and not event.backfill
    found.reborn = {uri for uri, winner in winners.items() if winner.is_live and "" in versions[uri]} | stale
    for uri, winner in winners.items():
        row = {"rev": winner.rev, "cid": winner.rank[2]}
        found.rows["record"][uri,] = row | ({"indexedAt": winner.time} if winner.is_live else {"json": ""})
    live = {uri: winner for uri, winner in winners.items() if winner.is_live}
    _groups(live, found)
    _gates(live, found)
    for uri, winner in live.items():
        collection = winner.event.collection or ""
        if collection in TABLES:
            found.rows[TABLES[collection]][uri,] = {"cid": winner.event.cid}
        elif collection in SELF and winner.event.rkey == "self":
            found.rows[SELF[collection]][uri,] = {"cid": winner.event.cid}
        elif collection == "app.bsky.feed.repost":
            value = winner.event.value or {}
            _hangs("feed_item", uri, value["subject"]["uri"], {"type": "repost"}, winner, winners, found)
        elif collection == POST:
            _post(uri, winner, winners, found)
    _threads(live, winners, versions, found)
    _commits(known, winners, found)
    for table, did, values in account_rows(known, found.marks):
        if values is None:
            found.may_be[table].add((did,))
        else:
            found.rows[table][did,] = values
    return found


def _groups(live: dict[str, Winner], found: Expected) -> None:
    """Of the live records with one key the one with the lowest rev, then URI, is indexed (DIV-13)."""
    groups: dict[Key, list[tuple[str, str]]] = defaultdict(list)
    for uri, winner in live.items():
        event, value = winner.event, winner.event.value or {}
        if event.collection == "app.bsky.graph.listitem":
            groups["list_item", value["list"], value["subject"]].append((winner.rev, uri))
        elif event.collection in DUPLICATES:
            table, _ = DUPLICATES[event.collection]
            subject = value["subject"]
            of = subject["uri"] if isinstance(subject, dict) else subject
            groups[table, event.did, of].append((winner.rev, uri))
    columns = dict(DUPLICATES.values())
    for (table, _, subject), members in groups.items():
        (_, indexed), *others = sorted(members)
        found.rows[table][indexed,] = {
            "cid": live[indexed].event.cid,
            columns.get(table, "subjectDid"): subject,
        }
        for _, uri in others:
            duplicate = {"duplicateOf": indexed, "cid": live[uri].event.cid, "indexedAt": live[uri].time}
            found.rows["duplicate_record"][uri,] = duplicate


def _gates(live: dict[str, Winner], found: Expected) -> None:
    for uri, winner in live.items():
        if table := GATES.get(winner.event.collection or ""):
            found.rows[table][uri,] = {"cid": winner.event.cid, "postUri": (winner.event.value or {})["post"]}


def _hangs(
    table: str, uri: str, subject: str, row: Row, winner: Winner, winners: dict[str, Winner], found: Expected
) -> None:
    """What hangs on a post is there unless the post was deleted after it (DIV-18)."""
    post = winners.get(subject)
    if subject in found.reborn:
        found.may_be[table].add((uri,))
    elif post is None or post.is_live or not post.rev > winner.rev:
        found.rows[table][uri,] = row


def _post(uri: str, winner: Winner, winners: dict[str, Winner], found: Expected) -> None:
    value = winner.event.value or {}
    reply = value.get("reply") or {"parent": {"uri": None}, "root": {"uri": None}}
    gated = {row["postUri"] for row in found.rows["thread_gate"].values()}
    post_gated = {row["postUri"] for row in found.rows["post_gate"].values()}
    found.rows["post"][uri,] = {
        "cid": winner.event.cid,
        "text": value["text"],
        "replyParent": reply["parent"]["uri"],
        "replyRoot": reply["root"]["uri"],
        "hasThreadGate": uri in gated,
        "hasPostGate": uri in post_gated,
    }
    found.rows["feed_item"][uri,] = {"type": "post", "postUri": uri}
    embed = value.get("embed") or {"$type": ""}
    parts = [embed]
    if embed["$type"] == "app.bsky.embed.recordWithMedia":
        parts = [{"$type": "app.bsky.embed.record", **embed["record"]}, embed["media"]]
    for part in parts:
        match part["$type"]:
            case "app.bsky.embed.images":
                for position, image in enumerate(part["images"]):
                    found.rows["post_embed_image"][uri, str(position)] = {"alt": image["alt"]}
            case "app.bsky.embed.video":
                found.rows["post_embed_video"][uri,] = {}
            case "app.bsky.embed.external":
                found.rows["post_embed_external"][uri,] = {"title": part["external"]["title"]}
            case "app.bsky.embed.record":
                quoted = part["record"]["uri"]
                found.rows["post_embed_record"][uri, quoted] = {"embedCid": part["record"]["cid"]}
                if f"/{POST}/" in quoted:
                    row = {"subject": quoted, "subjectCid": part["record"]["cid"]}
                    _hangs("quote", uri, quoted, row, winner, winners, found)


def _threads(
    live: dict[str, Winner], winners: dict[str, Winner], versions: dict[str, set[str]], found: Expected
) -> None:
    """InvalidReplyRoot (DIV-12), where no parent above was deleted or updated: its record at the time is gone."""
    verdicts: dict[str, bool | None] = {}

    def verdict(uri: str) -> bool | None:
        if uri not in verdicts:
            verdicts[uri] = False  # a post that is its own parent asks for itself
            verdicts[uri] = judge(uri)
        return verdicts[uri]

    def judge(uri: str) -> bool | None:
        row = found.rows["post"][uri,]
        parent, root = row["replyParent"], row["replyRoot"]
        if parent is None:
            return False
        if parent in found.reborn:
            return None
        if parent not in winners:
            return True
        if not winners[parent].is_live or len(versions[parent]) > 1:
            return None
        above = verdict(parent) if (parent,) in found.rows["post"] else False
        if above is not False:
            return above
        reply = json.loads(live[parent].event.json or "{}").get("reply")
        return bool(reply) if parent == root else ((reply or {}).get("root") or {}).get("uri") != root

    for (uri,) in list(found.rows["post"]):
        if (invalid := verdict(uri)) is not None:
            found.rows["post"][uri,]["invalidReplyRoot"] = invalid


def _commits(events: Iterable[Event], winners: dict[str, Winner], found: Expected) -> None:
    """The newest rev that came with a commit, but for backfill events (actors.md 1)."""
    for event in events:
        if event.did in found.marks:
            if not is_stale(event, found.marks):
                found.may_be["actor_sync"].add((event.did,))  # it goes with the account, unless a record is there
            continue
        if event.commit is None or event.rev is None or (event.kind != "repo" and event.backfill):
            continue
        row = found.rows["actor_sync"].setdefault((event.did,), {"repoRev": event.rev})
        row["repoRev"] = max(row["repoRev"], event.rev)
    for winner in winners.values():
        if winner.commits and winner.event.did in found.marks:
            found.rows["actor_sync"][winner.event.did,] = {}
