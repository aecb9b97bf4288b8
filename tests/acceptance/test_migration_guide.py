"""docs/migrating.md, command by command: with stand-ins for the TypeScript indexers, and each phase's way back."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest
import redis

from indexer.demo.migration import SETTINGS, index_alone
from indexer.demo.migration.fleet import Fleet
from indexer.demo.migration.messages import Feed
from indexer.demo.migration.play import OURS, STAND_INS
from indexer.demo.migration.proof import prove
from tests.conftest import execute
from tests.guides import commands_by_heading

GUIDE = Path(__file__).parents[2] / "docs/migrating.md"
SERVERS = {"REDIS_HOST", "DB_POSTGRES_URL"}
ELSEWHERE = {"indexer demo --migration": "test_demo_migration.py"}
ONE, TWO, THREE = "Phase one: beside them", "Phase two: theirs go by twos", "Phase three: alone"
IN_ORDER = (
    "Migrating", "Before",
    ONE, "Back from phase one",
    ONE, TWO, "Back from phase two",
    ONE, TWO, THREE, "Back from phase three",
)  # fmt: skip
"""The way back of a phase, then the way there again: what only looks is typed the first time."""
LOOKS = re.compile(r"indexer (status|dlq ls|doctor)\b|.*--dry-run\b")
OF_THESE_SERVERS = {"redis.not_persistent", "redis.policy", "network.dns", "network.directory"}
"""What a doctor finds at the servers of tests."""


LOST = """INSERT INTO post_agg (uri, "likeCount") VALUES ('at://did:plc:nobody/app.bsky.feed.post/gone', 1)"""
"""What a TypeScript indexer leaves that is killed between its deletion of a like and the count."""


class Desk:
    """Where the commands of the guide are typed."""

    def __init__(self, fleet: Fleet, feed: Feed) -> None:
        self.fleet, self.feed = fleet, feed
        self.exported: dict[str, str] = {}
        self.running: set[str] = set()
        self.said: list[str] = []

    def type(self, line: str) -> None:
        words = shlex.split(line, comments=True)
        if words[0] == "export":
            name, _, text = words[1].partition("=")
            self.exported |= {} if name in SERVERS else {name: text}
        elif words[:2] == ["docker", "compose"]:
            verb, *names = [word for word in words[2:] if word != "-d"]
            self.compose(verb, *names)
        else:
            assert words[0] == "indexer", line
            self.command(words[1:])

    def compose(self, verb: str, *names: str) -> None:
        assert verb in ("up", "start", "stop"), verb
        self.feed.add(50)
        if verb == "stop" or self.running & set(names):  # `up` with other settings makes a service again
            self.fleet.stop(*names)
            self.running -= set(names)
        if verb != "stop":
            for ours in (True, False):
                some = [name for name in names if (name in OURS) is ours]
                settings = {name: text for name, text in self.exported.items() if ours and name != "INDEXER_CONSUMER"}
                self.fleet.launch(*some, ours=ours, **settings)
            self.running |= set(names)
            for name in names:
                self.fleet.wait_for(name)

    def command(self, words: list[str]) -> None:
        done = self.fleet.command(*words, **self.exported)
        self.said += done.lines
        if words[0] == "doctor":
            found = {code for line in done.lines for code in re.findall(r"^found: .*\[(\S+)\]$", line)}
            assert found <= OF_THESE_SERVERS, done.lines
        else:
            assert done.status == (1 if "--dry-run" in words and words[0] == "reconcile" else 0), (words, done.lines)


@pytest.mark.timeout(900)
def test_every_command_works_in_order(database: str, other_database: str, redis_url: str) -> None:
    commands = commands_by_heading(GUIDE)
    assert set(commands) == set(IN_ORDER)
    variables = {**SETTINGS, "REDIS_HOST": redis_url, "DB_POSTGRES_URL": database}
    variables.pop("INDEXER_NOTIFICATIONS")  # the guide sets it
    variables["INDEXER_STATUS_INTERVAL"] = "0.2"
    with redis.Redis.from_url(redis_url) as client, Fleet(variables, client) as fleet:
        desk = Desk(fleet, Feed(client))
        desk.compose("start", *STAND_INS)
        for place, heading in enumerate(IN_ORDER):
            desk.feed.add(100)
            if heading == THREE:
                fleet.until(fleet.is_still)
                execute(database, LOST)
            for line in commands[heading]:
                if line in ELSEWHERE or (heading in IN_ORDER[:place] and LOOKS.match(line)):
                    continue
                desk.type(line)
            fleet.until(fleet.is_still)
            if heading == THREE:
                assert fleet.length() == 0
                assert fleet.holders() == {}
                index_alone(fleet, client, desk.feed, other_database)
                proof = asyncio.run(prove(database, other_database))
                assert [name for name, table in proof.tables.items() if not table.is_equal] == []
                assert proof.holds, proof
        assert desk.running == set(STAND_INS)
