"""What the rehearsal has shown, for a person."""

from collections.abc import Mapping

from indexer.demo.migration.proof import Proof
from indexer.terminal import Terminal

NEXT = (
    ("docs/migrating.md", "the guide that was played"),
    ("indexer doctor", "begin with it, on servers of your own"),
)


def write(
    terminal: Terminal, messages: int, killed: int, in_hand: int, left: tuple[int, Mapping[str, int]], proof: Proof
) -> None:
    """The proof part by part, and what it comes to. `left` is what is in the streams, and who holds how many of it."""
    terminal.title("Proof: beside what one indexer that nobody disturbed makes of the same messages")
    equal = {name: table.rows for name, table in proof.tables.items() if table.is_equal}
    terminal.say(f"  {sum(equal.values()):,} rows of {len(equal)} tables are equal:")
    _in_columns(terminal, [f"{name:<22}{rows:>8,}" for name, rows in equal.items()])
    for name, table in proof.tables.items():
        if not table.is_equal:
            terminal.say(f"  NOT EQUAL: {name}, {table.missing:,} rows missing, {table.not_wanted:,} not wanted")
    wrong = ", ".join(f"{counter} {number:,} times" for counter, number in proof.miscounted.items())
    terminal.say(f"  {'counters':<14}{proof.counters:>8,}  {f'WRONG: {wrong}' if wrong else 'each says how many rows'}")
    terminal.say(f"  {'dead letters':<14}{proof.letters:>8,}  {_letters(proof)}")
    length, holders = left
    held = ", ".join(f"{name} holds {number:,}" for name, number in holders.items()) or "nothing is pending"
    terminal.say(f"  {'streams':<14}{length:>8,}  entries; {held}")
    terminal.title("In short")
    terminal.say(f"  {messages:,} messages, {killed} processes killed with {in_hand:,} of them in hand")
    if is_as_it_should_be(left, proof):
        terminal.say("  nothing is lost, nothing is there twice, every counter is right")
    else:
        terminal.say("  THIS IS NOT AS IT SHOULD BE: see above, and report it")
    terminal.title("What to try next")
    for command, what in NEXT:
        terminal.say(f"  {command:<24}{terminal.faint(what)}")


def is_as_it_should_be(left: tuple[int, Mapping[str, int]], proof: Proof) -> bool:
    """Whether the proof holds, and nothing is left in the streams."""
    return proof.holds and not any(left)


def _in_columns(terminal: Terminal, cells: list[str]) -> None:
    columns = max(1, (terminal.width - 4) // 34)
    lines = -(-len(cells) // columns)  # rounded up
    for line in range(lines):
        terminal.say("    " + "    ".join(cells[line::lines]))


def _letters(proof: Proof) -> str:
    if proof.letters_missing or proof.letters_not_wanted:
        return f"NOT EQUAL: {proof.letters_missing:,} missing, {proof.letters_not_wanted:,} not wanted"
    if proof.dropped:
        return f"equal, but for {proof.dropped:,} that are not JSON: TypeScript deletes those without a word"
    return "equal"
