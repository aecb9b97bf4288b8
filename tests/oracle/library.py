"""The cases beside this file (README.md): their messages and the kinds of the hostile ones."""

import subprocess
import sys
from pathlib import Path

import zstandard

FOLDER = Path(__file__).parent
HOSTILE = ("mixed-5k-hostile", "backfill-10k", "labels-2k")
"""The cases with hostile messages."""
STREAMS = {"backfill-10k": "firehose_backfill", "labels-2k": "label_live"}


def stream(case: str) -> str:
    """The Redis stream that a case's messages come in."""
    return STREAMS.get(case, "firehose_live")


def messages(case: str) -> list[bytes]:
    """The messages in stream order; an empty line is a message with an empty field."""
    with (FOLDER / "cases" / case / "stream.jsonl.zst").open("rb") as packed:
        text: bytes = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return text.removesuffix(b"\n").split(b"\n")


def kinds(case: str) -> dict[int, str]:
    """The kind of each hostile message, by its place in the stream, from 0."""
    lines = (FOLDER / "cases" / case / "kinds.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines)
    return {int(number) - 1: kind for number, kind in pairs}


def compare(database: str, case: str, *options: str) -> tuple[int, str]:
    """Run `compare.py`: its exit status (0: nothing differs) and what it says."""
    command = [sys.executable, str(FOLDER / "compare.py"), "--dsn", database, "--case", str(FOLDER / "cases" / case)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr
