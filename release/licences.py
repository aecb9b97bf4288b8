"""Compare the licences of the Python packages that are pinned with those that are allowed. Asks nobody.

Those that are installed are looked at, in their own metadata; it says how many others there are.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata

from release.pins import FILES, read

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Unlicense", "Zlib",
    "MPL-2.0",  # files under it stay under it; it says nothing of what uses them
}  # fmt: skip
OLD_NAMES = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""What metadata older than PEP 639 says, in classifiers or free text."""
OPERATORS = {"AND", "OR", "WITH", "(", ")"}


def main() -> int:
    """1 when a licence is not allowed or not stated, with a line for each."""
    pinned = sorted({pin.name for file in FILES for pin in read(file)})
    looked_at, elsewhere, refused = 0, [], []
    for name in pinned:
        try:
            stated = licence(name)
        except PackageNotFoundError:
            elsewhere.append(name)
            continue
        looked_at += 1
        if not allowed(stated):
            refused.append(f"{name}: {stated or 'no licence is stated'}")
    sys.stdout.write(
        f"licences: {looked_at} Python packages looked at, {len(refused)} with a licence that is not allowed\n"
    )
    if elsewhere:
        sys.stdout.write(f"licences: not installed here, so not looked at: {', '.join(elsewhere)}\n")
    for line in refused:
        sys.stderr.write(f"licences: {line}\n  next: do without it, or allow its licence in release/licences.py\n")
    return 1 if refused else 0


def licence(name: str) -> str:
    """The SPDX expression of an installed package, however its metadata says it; empty where it does not."""
    found = metadata(name)
    if "License-Expression" in found:
        return found["License-Expression"]
    # Packages under several licences of old list all of them: whoever uses them may need each.
    classifiers = [
        it.rpartition(" :: ")[2] for it in found.get_all("Classifier", []) if it.startswith("License :: OSI")
    ]
    free = [text.splitlines()[0].strip() for text in found.get_all("License", []) if text]
    return " AND ".join(OLD_NAMES.get(it, it) for it in classifiers or free)


def allowed(expression: str) -> bool:
    """Whether one side of each OR, and both of each AND, are allowed. AND binds more closely, as SPDX says."""
    words = re.findall(r"[()]|[^\s()]+", expression)
    terms = [
        {"AND": "and", "OR": "or"}.get(word, word) if word in OPERATORS else str(word in ALLOWED) for word in words
    ]
    return _either(terms) if words and "WITH" not in words else False


def _either(terms: list[str]) -> bool:
    """Read `a and b or c` with brackets off the front of `terms`."""
    result = _both(terms)
    while terms and terms[0] == "or":
        terms.pop(0)
        result = _both(terms) or result
    return result


def _both(terms: list[str]) -> bool:
    result = _one(terms)
    while terms and terms[0] == "and":
        terms.pop(0)
        result = _one(terms) and result
    return result


def _one(terms: list[str]) -> bool:
    word = terms.pop(0)
    if word != "(":
        return word == "True"
    result = _either(terms)
    terms.pop(0)
    return result


if __name__ == "__main__":
    sys.exit(main())
