"""The play: what docs/migrating.md says, with its commands, and with the accidents that it promises to survive."""

from collections.abc import Sequence

from indexer.demo.migration.fleet import Done, Fleet
from indexer.demo.migration.messages import Feed
from indexer.errors import IndexerError
from indexer.terminal import Terminal, fitted

STAND_INS = ("typescript-1", "typescript-2", "typescript-3", "typescript-4")
OURS = ("indexer-1", "indexer-2")
DURING = {"INDEXER_AGGREGATES": "recount"}
"""While others count, too."""
SCHEMA, DOCTOR, STATUS = ("schema", "create"), ("doctor", "--instances", "2"), ("status",)
TAKEOVER, RELEASE = ("takeover", "--consumer"), ("release", "--consumer")
RECONCILE = ("reconcile", "--all", "--only", "aggregates")
COMMANDS = (SCHEMA, DOCTOR, STATUS, TAKEOVER, RELEASE, RECONCILE)
"""What is typed, as in the guide; the names of consumers follow."""
MORE = 30
"""Messages that are added where a process that is to be killed has none."""
FINDINGS = 1
STATUS_FACTS = ("dead letters", "counters", "connections")


class Play:
    """The acts, in their order; each adds messages and waits for what its part of the guide promises."""

    def __init__(self, terminal: Terminal, fleet: Fleet, feed: Feed, messages: int) -> None:
        self._terminal, self._fleet, self._feed = terminal, fleet, feed
        self._messages = messages
        self.killed = 0
        """Processes."""
        self.in_hand = 0
        """Messages that they held."""

    def before(self) -> None:
        """The incumbents at work: what they fail at stays pending."""
        self._title("Before: four TypeScript stand-ins, and the schema for what is to come")
        self._run(*SCHEMA)
        self._fleet.start(*STAND_INS, ours=False)
        self._add(15)
        self._until_still()
        failed = sum(self._fleet.holders().values())
        self._note(f"what is broken stays pending ({failed:,} by now): TypeScript tries it again at its next start")

    def beside(self) -> None:
        """Phase one."""
        self._title("Phase one: ours beside them, counting as they do (INDEXER_AGGREGATES=recount)")
        self._run(*DOCTOR, findings=True, only="stream", INDEXER_CONSUMER=OURS[0], **DURING)
        self._start_ours(*OURS)
        self._add(15)
        self._kill(STAND_INS[0])
        self._take_over(STAND_INS[0])
        self._until_still()
        self._status()

    def by_twos(self) -> None:
        """Phase two, with one of ours killed."""
        self._title("Phase two: two of theirs go, one of ours dies and comes back")
        self._add(15)
        self._kill(OURS[0])
        self._fleet.launch(OURS[0], ours=True, **DURING)
        self._note(f"{OURS[0]} is started again under its name, as a supervisor does: it begins with what it held")
        self._stop_theirs(*STAND_INS[1:3])
        self._take_over(*STAND_INS[1:3])
        self._fleet.wait_for(OURS[0])
        self._until_still()

    def back(self) -> None:
        """The way back: ours go, and what a killed one holds is given back."""
        self._title("Roll back: ours go, theirs return")
        self._add(10)
        self._kill(OURS[1])
        self._fleet.stop(OURS[0])
        self._note(f"{OURS[0]} stops in order and holds {self._fleet.held(OURS[0])}")
        self._fleet.launch(*STAND_INS[:3], ours=False)
        self._run(*RELEASE, OURS[1])
        self._fleet.wait_for(*STAND_INS[:3])
        self._until_still()
        self._note("theirs have indexed what was given back")

    def again(self) -> None:
        """Moved again, to the end."""
        self._title("Move again, and phase three: ours alone")
        self._start_ours(*OURS)
        self._add(15)
        self._stop_theirs(*STAND_INS)
        self._take_over(*STAND_INS)
        self._until_empty()
        self._status()

    def alone(self) -> None:
        """Counters are mended once, then move by deltas."""
        self._run(*RECONCILE)
        self._fleet.stop(*OURS)
        self._note("started again with INDEXER_AGGREGATES=delta")
        self._fleet.start(*OURS, ours=True, INDEXER_AGGREGATES="delta")
        self._feed.add(max(self._messages - len(self._feed.given), 0))
        self._until_empty()
        self._fleet.stop(*OURS)

    def _start_ours(self, *names: str) -> None:
        self._note(f"{' and '.join(names)} start: indexer run")
        self._fleet.start(*names, ours=True, **DURING)

    def _stop_theirs(self, *names: str) -> None:
        self._fleet.stop(*names)
        held = sum(self._fleet.held(name) for name in names)
        self._note(f"{', '.join(names)} stop (SIGTERM); pending for them: {held:,}")

    def _kill(self, name: str) -> None:
        held = self._fleet.kill_at_work(name, lambda: self._feed.add(MORE))
        self.killed += 1
        self.in_hand += held
        self._note(f"kill -9 {name}, with {held:,} messages in hand")

    def _take_over(self, *names: str) -> None:
        commands = [(*TAKEOVER, name) for name in names]
        self._terminal.doing(f"indexer takeover, {len(names)} times")
        for words, done in zip(commands, self._fleet.commands(commands, **DURING), strict=True):
            self._show(words, done)

    def _run(self, *words: str, findings: bool = False, only: str = "", **settings: str) -> Done:
        """A command of the guide, shown with what it says: all, or the lines of findings in an area."""
        self._terminal.doing(f"indexer {' '.join(words)}")
        done = self._fleet.command(*words, **settings)
        self._show(words, done, findings=findings, only=only)
        return done

    def _show(self, words: Sequence[str], done: Done, *, findings: bool = False, only: str = "") -> None:
        self._terminal.say(f"  $ indexer {' '.join(words)}")
        lines = (
            [line for line in done.lines if line.startswith("found:") and f"[{only}" in line] if only else done.lines
        )
        for line in lines or ["nothing found that concerns the streams"]:
            self._terminal.say(self._terminal.faint(fitted(f"      {line}", self._terminal.width)))
        if done.status not in ((0, FINDINGS) if findings else (0,)):
            raise IndexerError(
                f"`indexer {' '.join(words)}` ended with {done.status}", " / ".join(done.lines[-5:]), "report it"
            )

    def _status(self) -> None:
        words = (*STATUS, "--interval", "1")
        self._terminal.doing(f"indexer {' '.join(words)}")
        done = self._fleet.command(*words)
        streams = done.lines[: done.lines.index("")] if "" in done.lines else done.lines
        facts = [line for line in done.lines if line.startswith(STATUS_FACTS)]
        self._show(words, Done(done.status, [*streams[1:], *facts]))

    def _add(self, percent: int) -> None:
        self._feed.add(self._messages * percent // 100)

    def _until_still(self) -> None:
        self._fleet.until(self._fleet.is_still, self._tell)

    def _until_empty(self) -> None:
        self._fleet.until(lambda: not self._fleet.length(), self._tell)

    def _tell(self) -> None:
        given = len(self._feed.given)
        self._terminal.doing(f"{given - self._fleet.length():,} of {given:,} messages done")

    def _title(self, text: str) -> None:
        self._terminal.title(text)

    def _note(self, text: str) -> None:
        self._terminal.say(f"  {text}")
