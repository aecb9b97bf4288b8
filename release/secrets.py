"""Look for secrets in the files that git knows: keys and tokens by their exact shapes, and passwords in URLs.

`python -m release.secrets [FOLDER]`. Shapes, not entropy: what is found is one, and nothing has to be excused.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

# Each begins with fixed letters: such a pattern is searched for a hundred times as fast.
SHAPES = {
    kind: re.compile(shape)
    for kind, shape in {
        "private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----",
        "AWS access key": rb"A(?:KI|SI)A[0-9A-Z]{16}\b",
        "GitHub token": rb"gh[pousr]_[A-Za-z0-9]{36}\b",
        "fine-grained GitHub token": rb"github_pat_[A-Za-z0-9_]{82}\b",
        "GitLab token": rb"glpat-[\w-]{20}\b",
        "Google API key": rb"AIza[\w-]{35}",
        "npm token": rb"npm_[A-Za-z0-9]{36}\b",
        "package upload token": rb"pypi-AgE[\w-]{50}",
        "Slack token": rb"xox[abeoprs]-\d+-[\w-]{10}",
        "Stripe key": rb"k_live_[A-Za-z0-9]{20}",
        "JSON web token": rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20}",
        "SCRAM verifier": rb"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]{20,}\$",
        "password in a URL": rb"://[^\s/:@\"'`{}<>]*:(?P<password>[^\s/@\"'`{}<>]{3,})@",
    }.items()
}
PLACEHOLDERS = {b"***", b"PASSWORD", b"SECRET", b"password", b"secret"}
"""Passwords in URLs that say that one belongs there."""
MADE_UP = ("tests/", "benches/")
"""Where URLs have passwords that only the servers of the tests know. Keys and tokens are looked for there, too."""


class Finding(NamedTuple):
    """Where something is that looks like a secret; never the secret."""

    file: str
    line: int
    kind: str


def main(arguments: list[str]) -> int:
    """1 when there is anything, with a line for each."""
    root = Path(arguments[0]) if arguments else ROOT
    files = list(tracked(root))
    findings = [finding for file in files for finding in look(file, root)]
    sys.stdout.write(f"secrets: {len(files)} files looked at, {len(findings)} findings\n")
    for file, line, kind in findings:
        sys.stderr.write(
            f"secrets: {file}:{line}: {kind}\n"
            "  next: take it out of the file and, where it was committed, make it invalid where it is used\n"
        )
    return 1 if findings else 0


def tracked(root: Path) -> Iterator[Path]:
    """What would be committed: the files of git's index, and new ones that are not ignored."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    for name in sorted(set(said.decode().split("\0")) - {""}):
        if (root / name).is_file():
            yield root / name


def look(file: Path, root: Path) -> Iterator[Finding]:
    """What the file holds, also where it is no text."""
    name = file.relative_to(root).as_posix()
    content = file.read_bytes()
    for kind, shape in SHAPES.items():
        for found in shape.finditer(content):
            if "password" in shape.groupindex and (name.startswith(MADE_UP) or found["password"] in PLACEHOLDERS):
                continue
            yield Finding(name, content.count(b"\n", 0, found.start()) + 1, kind)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
