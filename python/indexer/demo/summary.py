"""The summary: what was fed, what became of it, and what to try next, for a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.demo import reasons, recording
from indexer.demo.daemon import Counts
from indexer.demo.feed import BACKFILL, LIVE, Fed
from indexer.demo.findings import Findings, Letters, ShownPost
from indexer.terminal import Terminal, columns_of, fitted, readable
from indexer.wording import quantity

SHOWN = 5
"""Posts of the recording that are shown, of different authors where there are so many."""
NEXT = (
    ("make test", "everything that must hold, on servers like these"),
    ("make bench", "how fast it is, measured with durable servers"),
    ("python -m indexer run --help", "the daemon and its settings"),
    ("python -m indexer schema create --help", "a database of your own"),
)


@dataclass(frozen=True, slots=True)
class Speed:
    """One look at the time it took."""

    messages: int
    seconds: float
    indexer_cpu_s: float | None
    """None where the system does not tell."""
    postgres_cpu_s: float | None


def write(terminal: Terminal, fed: Fed, counts: Counts, found: Findings, speed: Speed) -> None:
    """All parts, in the order in which they are read."""
    _fed(terminal, fed)
    _outcome(terminal, counts)
    _rows(terminal, found.rows)
    shown = _of_many_authors(found.recorded)[:SHOWN]
    terminal.title(f"Posts of the recording ({len(shown)} of {len(found.recorded)})")
    _posts(terminal, shown)
    terminal.say(terminal.faint("  The recorded likes are of older posts; handles are not looked up here."))
    if found.liked:
        terminal.title("The most liked of the made-up posts")
        _posts(terminal, found.liked)
    _letters(terminal, found.letters)
    _ignored(terminal, counts)
    _speed(terminal, speed)
    terminal.title("What to try next")
    for command, what in NEXT:
        terminal.say(f"  {command:<40}{terminal.faint(what)}")


def disagreements(fed: Fed, counts: Counts, found: Findings) -> list[str]:
    """What does not add up; there should be nothing."""
    letters = sum(letters.messages for letters in found.letters)
    faults = []
    if counts.finished != fed.total:
        faults.append(f"{fed.total:,} messages were fed, {counts.finished:,} were finished")
    if letters != counts.outcomes["dead_lettered"]:
        faults.append(f"{counts.outcomes['dead_lettered']:,} dead letters were counted, {letters:,} are kept")
    if len(found.recorded) != len(recording.post_uris()):
        faults.append(f"the recording has {len(recording.post_uris())} posts, {len(found.recorded)} are indexed")
    return faults


def _fed(terminal: Terminal, fed: Fed) -> None:
    terminal.title("What was fed")
    for stream, count, what in (
        (LIVE, fed.recorded, f"recorded by a relay of the real network on {recording.DATE}"),
        (LIVE, fed.made_up[LIVE], f"made up, {fed.broken[LIVE]:,} of them broken on purpose"),
        (BACKFILL, fed.made_up[BACKFILL], f"made up, as backfilled repositories, {fed.broken[BACKFILL]:,} broken"),
    ):
        if count:
            terminal.say(f"  {stream:<18}{count:>8,}  {what}")


def _outcome(terminal: Terminal, counts: Counts) -> None:
    terminal.title("What became of it")
    for outcome, what in (
        ("indexed", "rows written, or rightly nothing to write"),
        ("dead_lettered", "cannot be indexed: kept for people, see below"),
        ("ignored", "rightly without effect, see below"),
    ):
        terminal.say(f"  {outcome.replace('_', ' '):<18}{counts.outcomes[outcome]:>8,}  {what}")
    if counts.cleaned:
        terminal.say(f"  {'of these mended':<18}{counts.cleaned:>8,}  texts with letters that PostgreSQL refuses")


def _rows(terminal: Terminal, rows: dict[str, int]) -> None:
    terminal.title("Rows in the AppView's tables")
    cells = [f"{table:<22}{count:>8,}" for table, count in rows.items()]
    columns = max(1, (terminal.width - 2) // 34)
    lines = -(-len(cells) // columns)  # rounded up
    for line in range(lines):
        terminal.say("  " + "    ".join(cells[line::lines]))


def _posts(terminal: Terminal, posts: Sequence[ShownPost]) -> None:
    for post in posts:
        author = f"@{post.handle}" if post.handle else _short(post.creator)
        counters = (quantity(post.likes, "like"), quantity(post.reposts, "repost"), quantity(post.replies, "answer"))
        when = f"{post.created_at[:10]} {post.created_at[11:16]}"
        parts = (author, "answers" if post.is_reply else "", post.language or "", when, *counters)
        head = "  ".join(part for part in parts if part)
        terminal.say("  " + terminal.faint(fitted(head, terminal.width - 2)))
        terminal.say("    " + (fitted(readable(post.text), terminal.width - 4) or "(no text)"))


def _letters(terminal: Terminal, letters: Sequence[Letters]) -> None:
    if not letters:
        return
    terminal.title("Dead letters (table indexer.dead_letter), by reason, with the first of each")
    for found in letters:
        terminal.say(f"  {found.reason:<18}{found.messages:>5,}  {reasons.DEAD[found.reason]}")
        terminal.say(terminal.faint(fitted(f"      {found.cause}: {readable(found.detail)}", terminal.width)))
        terminal.say(terminal.faint(f"      {_excerpt(found, terminal.width - 6)}"))


def _ignored(terminal: Terminal, counts: Counts) -> None:
    if not counts.ignored:
        return
    terminal.title("Ignored, by reason")
    for reason, count in counts.ignored.most_common():
        terminal.say(f"  {reason:<18}{count:>5,}  {reasons.IGNORED[reason]}")


def _speed(terminal: Terminal, speed: Speed) -> None:
    terminal.title("How fast (one look; `make bench` measures)")
    terminal.say(f"  {speed.messages / speed.seconds:,.0f} messages a second, {speed.seconds:.1f} s in all")
    used = ((speed.indexer_cpu_s, "the indexer"), (speed.postgres_cpu_s, "PostgreSQL"))
    if parts := [f"{cpu_s * 1e6 / speed.messages:,.0f} µs in {what}" for cpu_s, what in used if cpu_s is not None]:
        terminal.say(f"  processor time of a message: {', '.join(parts)}")


def _of_many_authors(posts: Sequence[ShownPost]) -> list[ShownPost]:
    """In their order, but the first of each author before all others."""
    first: dict[str, ShownPost] = {}
    for post in posts:
        first.setdefault(post.creator, post)
    return [*first.values(), *(post for post in posts if first[post.creator] is not post)]


def _excerpt(letters: Letters, columns: int) -> str:
    """The payload, or the end of it, which in a text that was cut off is what is wrong."""
    payload = readable(letters.payload.decode("utf-8", "replace"))
    if columns_of(payload) <= columns or letters.reason != "not_json":
        return fitted(payload, columns)
    return f"…{payload[1 - columns :]}"


def _short(did: str) -> str:
    """The DID as a person can tell it from others."""
    return did if columns_of(did) <= 24 else f"{did[:18]}…{did[-4:]}"
