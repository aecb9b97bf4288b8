"""`python -m release.tag vX.Y.Z`: whether the sources are those of this version, before it is released."""

import re
import sys
import tomllib

from release.pins import ROOT


def main(arguments: list[str]) -> int:
    """1 with a line for everything that is not ready."""
    (tag,) = arguments
    found = list(faults(tag))
    for fault in found:
        sys.stderr.write(f"tag: {fault}\n  next: see Releasing in CONTRIBUTING.md, then tag the commit that has it\n")
    return 1 if found else 0


def faults(tag: str) -> list[str]:
    """What a release under this tag would get wrong."""
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, Cargo.toml has version {version}")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M):
        found.append(f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
