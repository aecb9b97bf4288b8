"""docs/reference/: pages written from the code. `python -m tests.reference` writes them, a quick test compares.

What the code cannot say (what to do about a cause, which variables are not settings) is said here.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from indexer import cli
from indexer.configuration.settings import OPTIONS
from indexer.demo import reasons
from indexer.metrics import Metrics

FOLDER = Path(__file__).parents[1] / "docs/reference"
NOTICE = "<!-- Written by `python -m tests.reference` from the code: change that, not this. -->"

REMEDIES = {
    "not_json": "the producer cut it off or wrote something else: `dlq drop`, and mend the producer",
    "not_an_object": "as `not_json`",
    "missing_field": "the cause names the field; the producer left it out",
    "bad_uri": "nothing: such a record cannot have an address",
    "bad_cid": "the producer wrote a CID that is none",
    "bad_commit": "as `bad_cid`",
    "bad_rev": "`dlq retry` when that time has come; until then somebody's clock is wrong",
    "bad_record": "nothing: other AppViews refuse it, too",
    "invalid_record": "nothing, unless the lexicon has grown: then upgrade and `dlq retry`",
    "too_deep": "nothing",
    "too_big": "nothing",
    "bad_label": "tell the labeler",
    "crashed": "report it with `dlq show`; `dlq retry` after the upgrade that mends it",
    "db": "`dlq show` has PostgreSQL's own words; mend the table, then `dlq retry`",
}

CLASSES = (
    (
        "`db_22...`",
        "data exception: a value that the column's type does not take",
        "report it: such values should be refused before",
    ),
    (
        "`db_23...`",
        "a constraint that somebody added: `db_23514` is a CHECK, `db_23505` a unique index",
        "change the constraint, then `dlq retry`",
    ),
    ("`db_44...`", "a view's WITH CHECK OPTION", "change the view, then `dlq retry`"),
    ("`db_54...`", "a limit of PostgreSQL, such as an index row that is too long (`db_54000`)", "usually nothing"),
    (
        "all others",
        "no dead letter: the lane waits, tries again or halts; see "
        "[Errors of PostgreSQL](../messages.md#errors-of-postgresql)",
        "`/readyz` says for what",
    ),
)

ELSEWHERE = {
    "INDEXER_TEST_REDIS_URL": "the tests and `demo` use this server instead of a private one",
    "INDEXER_TEST_POSTGRES_URL": "likewise",
    "INDEXER_TEST_REQUIRE_PACKAGES": "1: tests that miss a program fail instead of being skipped",
    "INDEXER_PG_BIN": "folder of the PostgreSQL that private servers are started from",
    "INDEXER_REDIS_SERVER": "program of the Redis-compatible server that is started privately",
    "NO_COLOR": "anything: no colours",
    "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID": "set by systemd",
}

EXIT_CODES = {
    0: "Go on.",
    1: "Read what was listed; each finding says what to do. For `run`: a lane halted, or an error budget was passed; "
    "the log says why.",
    2: "Read the last line, or `--help`.",
    69: "Look at the server that is named. `run --wait` waits instead.",
    70: "Nothing is lost: start it again (a service manager does). Report what the log says.",
    75: "Nothing is lost: run it again.",
    78: "Mend the setting, right or schema that is named. Starting again without that is useless.",
}


def pages() -> dict[str, str]:
    """The text of each page by its file's name."""
    return {
        "commands.md": _page("Commands", commands()),
        "settings.md": _page("Settings", settings()),
        "metrics.md": _page("Metrics", metrics()),
        "causes.md": _page("Causes", causes()),
        "exit-codes.md": _page("Exit codes", exit_codes()),
    }


def _page(title: str, body: Iterable[str]) -> str:
    return "\n".join([f"# {title}", NOTICE, "", *body]).rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def commands() -> Iterator[str]:
    yield "`indexer` and `python -m indexer` are the same. What is listed under *Settings* is described in"
    yield "[Settings](settings.md), with its variable, unit and default; a flag wins over its variable. [Exit"
    yield "codes](exit-codes.md) are the same everywhere. `python -m indexer.embedded` starts private servers to try"
    yield "things with, until Ctrl-C: see the [tutorial](../tutorial.md)."
    yield ""
    yield from _parser(cli.parser())


def _parser(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A section for each command that does something."""
    actions = parser._actions
    groups = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    own = [action for action in actions if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)]
    own = [action for action in own if action.help != argparse.SUPPRESS]
    fields = {row.field: row.flag for row in OPTIONS}
    given = [action for action in own if fields.get(action.dest) in action.option_strings]
    own = [action for action in own if action not in given]
    if not groups or own:
        positional = [_shown(action) for action in own if not action.option_strings]
        yield f"## `{' '.join([parser.prog, *positional])}`"
        yield ""
        yield _escaped(parser.description or "")
        yield ""
    if own:
        rows = ((f"`{_shown(action)}`", _escaped((action.help or "").replace("%%", "%"))) for action in own)
        yield from _table(("argument", "meaning"), rows)
    if given:
        names = [f"`{_shown(action)}`" for action in given]
        yield f"Settings: {'all of them' if len(given) == len(OPTIONS) else ', '.join(names)}."
        yield ""
    for group in groups:
        for child in dict.fromkeys(group.choices.values()):
            yield from _parser(child)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def _shown(action: argparse.Action) -> str:
    if action.choices and not isinstance(action, argparse._SubParsersAction):
        value = "{" + ",".join(map(str, action.choices)) + "}"
    else:
        metavar = action.metavar if isinstance(action.metavar, str) else None
        value = metavar or (action.dest if not action.option_strings else action.dest.upper())
    if not action.option_strings:
        return f"[{value} ...]" if action.nargs == "*" else value
    return action.option_strings[-1] + (f" {value}" if action.nargs != 0 else "")


def settings() -> Iterator[str]:
    yield "What `run` reads, and the other commands as far as they need it. Best first: the flag, the variable, the"
    yield "file that `<variable>_FILE` names, the default. Where a setting has two variables, the first wins."
    yield "`indexer config show` lists what is in force and where it comes from. Values that are not allowed are"
    yield "refused at the start (exit code 78)."
    yield ""
    yield from _table(
        ("variable", "flag", "unit", "default", "meaning"),
        (
            (
                ", ".join(f"`{name}`" for name in row.variables),
                f"`{row.flag}`",
                f"`{row.unit}`" if "|" in row.unit else row.unit,
                "required" if row.default is None else f"`{row.default}`",
                row.help + (" (masked wherever it is shown)" if row.secret else ""),
            )
            for row in OPTIONS
        ),
    )
    yield "## Other variables"
    yield ""
    yield from _table(("variable", "meaning"), ((f"`{name}`", text) for name, text in ELSEWHERE.items()))
    yield "Flags that belong to one command have a variable as well: [Commands](commands.md) names it beside the flag."
    yield "Any other `INDEXER_...` is told as a warning at the start, with the name that was probably meant."


def metrics() -> Iterator[str]:
    yield "What `/metrics` shows, besides `process_...` and `python_gc_...` of the Prometheus client. Every series"
    yield "is there from the start, at zero. `stream` is the name of a stream that the instance reads."
    yield ""
    found = []
    for family in Metrics(("STREAM",)).registry.collect():
        if not family.name.startswith("indexer_"):
            continue
        labels: dict[str, list[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label != "le" and value not in labels.setdefault(label, []):
                    labels[label].append(value)
        is_open = family.name == "indexer_build_info"
        shown = [
            f"`{label}`" + ("" if is_open or label == "stream" else ": " + ", ".join(f"`{one}`" for one in values))
            for label, values in labels.items()
        ]
        name = family.name + ("_total" if family.type == "counter" else "")
        found.append((f"`{name}`", family.type, "; ".join(shown), family.documentation))
    yield from _table(("metric", "type", "labels", "meaning"), found)
    yield "`indexer_stage_seconds` has the buckets, `_sum` and `_count` of a histogram. The alerts of"
    yield "`deploy/prometheus/alerts.yml` ask for some of these; [Deploying](../deploying.md) says how to install"
    yield "them."


def causes() -> Iterator[str]:
    yield "Why a message is not indexed. `indexer dlq ls` shows causes; what follows a colon there is the field or"
    yield "path. Metrics carry the word before the colon. [Messages](../messages.md) has the table of fates: every"
    yield "kind of hostile message that is known."
    yield ""
    yield "## Dead letters"
    yield ""
    yield "Kept in `indexer.dead_letter` with the message, then acknowledged: `indexer_dead_letters_total`."
    yield ""
    rows = ((f"`{_cause(cause)}`", text, REMEDIES[cause]) for cause, text in reasons.DEAD.items())
    yield from _table(("cause", "meaning", "what to do"), rows)
    yield "`db_<SQLSTATE>` carries PostgreSQL's code. Its classes, those that become dead letters and those that do"
    yield "not:"
    yield ""
    yield from _table(("cause", "meaning", "what to do"), CLASSES)
    yield "## Ignored"
    yield ""
    yield "Acknowledged and counted (`indexer_ignored_total`), kept nowhere: they rightly have no effect."
    yield ""
    yield from _table(("reason", "meaning"), ((f"`{reason}`", text) for reason, text in reasons.IGNORED.items()))


def _cause(cause: str) -> str:
    return "db_<SQLSTATE>" if cause == "db" else cause


def exit_codes() -> Iterator[str]:
    yield "The same for every command (`indexer --help` has the list). Faults are three lines on standard error:"
    yield "what failed, the probable cause, what to do next."
    yield ""
    listed = re.findall(r"^  (\d+) +([^(\n]+)", cli.EPILOG, re.M)
    rows = ((code, text.strip(), EXIT_CODES[int(code)]) for code, text in listed)
    yield from _table(("code", "means", "what to do"), rows)


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"docs/reference: {len(pages())} pages\n")


if __name__ == "__main__":
    main()
