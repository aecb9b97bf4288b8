"""Write rust/appview-indexer.cdx.json, the SBOM that every wheel carries (PEP 770): which crates are linked in.

maturin can write one itself, but that one names the folder of the build and lists crates that run in the compiler only.
`python -m release.sbom` writes, with `--check` it compares.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
FILE = ROOT / "rust" / "appview-indexer.cdx.json"
TARGETS = (
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
)
"""Those of the wheels that are released (.github/workflows/release.yml)."""


class Crate(NamedTuple):
    """A crate as Cargo.lock has it."""

    name: str
    version: str

    @property
    def purl(self) -> str:
        return f"pkg:cargo/{self.name}@{self.version}"


def main(arguments: list[str]) -> int:
    """0 when the file is right, or was written; 1 when `--check` finds another one."""
    document = bill()
    text = json.dumps(document, indent=1) + "\n"
    if not arguments:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.read_text(encoding="utf-8") == text:
        sys.stdout.write(f"sbom: {len(document['components'])} crates are linked in, as the file says\n")
        return 0
    sys.stderr.write(f"sbom: {FILE.relative_to(ROOT)} is not what Cargo.lock says\n  next: make sbom\n")
    return 1


def bill() -> dict[str, Any]:
    """The document: nothing in it depends on where or when it is made."""
    trees = {target: _tree(target) for target in TARGETS}
    licences = {crate: licence for tree in trees.values() for crate, (licence, _) in tree.items()}
    ours = {crate for crate in licences if crate.name.startswith("appview-indexer")}
    checksums = _checksums()

    def needs(*crates: Crate) -> list[str]:
        found = {other for tree in trees.values() for crate in crates for other in tree.get(crate, ("", ()))[1]}
        return sorted(other.purl for other in found - ours)

    components = []
    for crate in sorted(licences.keys() - ours):
        targets = [target for target, tree in trees.items() if crate in tree]
        components.append(
            {
                "type": "library",
                "bom-ref": crate.purl,
                "name": crate.name,
                "version": crate.version,
                "hashes": [{"alg": "SHA-256", "content": checksums[crate]}],
                "licenses": [{"expression": licences[crate]}],
                "purl": crate.purl,
            }
            | ({} if len(targets) == len(trees) else {"properties": [_property(targets)]})
        )
    (version,) = {crate.version for crate in ours}
    root = f"pkg:pypi/appview-indexer@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "appview-indexer",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
                "purl": root,
            }
        },
        "components": components,
        "dependencies": [
            {"ref": root, "dependsOn": needs(*ours)},
            *({"ref": crate.purl, "dependsOn": needs(crate)} for crate in sorted(licences.keys() - ours)),
        ],
    }


def _property(targets: list[str]) -> dict[str, str]:
    return {"name": "appview-indexer:targets", "value": " ".join(targets)}


def _tree(target: str) -> dict[Crate, tuple[str, set[Crate]]]:
    """Licence and direct dependencies of all that is linked in: what builds or generates code stays in the compiler."""
    features = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["maturin"]["features"]
    command = [
        "cargo", "tree", "--locked", "--package", "appview-indexer-python", "--features", ",".join(features),
        "--target", target, "--edges", "normal,no-proc-macro", "--no-dedupe",
        "--prefix", "depth", "--format", " {p} {l}",
    ]  # fmt: skip
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout
    found: dict[Crate, tuple[str, set[Crate]]] = {}
    above: list[Crate] = []
    for depth, name, version, rest in (line.split(maxsplit=3) for line in said.splitlines()):
        crate = Crate(name, version.removeprefix("v"))
        found.setdefault(crate, (re.sub(r"^\(/.*?\) ", "", rest).replace("/", " OR "), set()))
        del above[int(depth) :]
        if above:
            found[above[-1]][1].add(crate)
        above.append(crate)
    return found


def _checksums() -> dict[Crate, str]:
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return {Crate(it["name"], it["version"]): it["checksum"] for it in locked if "checksum" in it}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
