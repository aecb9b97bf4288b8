"""Ask a database of known vulnerabilities (OSV) about every version that is pinned: files of pins and Cargo.lock.

The only part of `make audit` that needs the network. Where the database cannot be reached, nothing was checked, and it
says so on standard error: exit code 0, so that the rest can be used without a network, or 75 with `--required`.
"""

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

from release.pins import FILES, ROOT, read

ADDRESS = "https://api.osv.dev/v1/querybatch"
DEADLINE_S = 20
AT_ONCE = 1000  # the most that the database takes

Query = tuple[str, str, str]
"""Ecosystem as the database calls it, name, version."""


def main(arguments: list[str]) -> int:
    """0: nothing is known, or nobody answered; 1: findings, with a line for each; 75: nobody answered `--required`."""
    queries = sorted(set(pinned()))
    address = os.environ.get("OSV_URL", ADDRESS)
    try:
        known = [
            finding for first in range(0, len(queries), AT_ONCE) for finding in ask(address, queries[first:][:AT_ONCE])
        ]
    except (OSError, ValueError) as fault:
        sys.stderr.write(
            f"advisories: NOT CHECKED, {len(queries)} versions: {address} does not answer as it should: {fault}\n"
            "  next: make advisories, where the network allows it\n"
        )
        return 75 if "--required" in arguments else 0
    sys.stdout.write(f"advisories: {len(queries)} versions asked about, {len(known)} with known vulnerabilities\n")
    for (_, name, version), identifiers in known:
        sys.stderr.write(
            f"advisories: {name} {version}: {', '.join(identifiers)}\n"
            "  next: renew the pin (CONTRIBUTING.md), or say in the change why it does not concern us\n"
        )
    return 1 if known else 0


def pinned() -> Iterator[Query]:
    """What is pinned, whether it is shipped, tested with or built with."""
    for file in FILES:
        yield from (("PyPI", pin.name, pin.version) for pin in read(file))
    for file in (ROOT / "Cargo.lock", ROOT / "rust/fuzz/Cargo.lock"):
        locked = tomllib.loads(file.read_text(encoding="utf-8"))["package"]
        yield from (("crates.io", it["name"], it["version"]) for it in locked if "source" in it)


def ask(address: str, queries: list[Query]) -> list[tuple[Query, list[str]]]:
    """Those with known vulnerabilities, and the identifiers of these."""
    asked = [{"package": {"ecosystem": system, "name": name}, "version": version} for system, name, version in queries]
    request = Request(address, json.dumps({"queries": asked}).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=DEADLINE_S) as answer:
        results: list[dict[str, Any]] = json.load(answer)["results"]
    return [
        (query, [it["id"] for it in result["vulns"]])
        for query, result in zip(queries, results, strict=True)
        if result.get("vulns")
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
