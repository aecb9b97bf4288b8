"""The files of pins: complete, hashed, and of the versions that pyproject.toml asks for."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.pins import FILES, ROOT, read

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
WANTED = {
    "requirements.txt": DECLARED,
    "requirements-dev.txt": [*DECLARED, *EXTRAS["embedded"], *EXTRAS["testing"], *GROUPS["dev"]],
    "requirements-bench.txt": [*DECLARED, *EXTRAS["bench"]],
    "requirements-audit.txt": GROUPS["audit"],
    "requirements-docs.txt": GROUPS["docs"],
}


def test_every_file_of_pins_is_known() -> None:
    assert {file.name for file in FILES} == WANTED.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_pin_has_hashes_and_nothing_names_a_server(file: Path) -> None:
    pins = read(file)
    assert pins
    for pin in pins:
        assert pin.hashes, pin.name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", it) for it in pin.hashes)
    text = file.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b", text, re.M)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_wanted_is_pinned_within_its_range(file: Path) -> None:
    pins = {canonicalize_name(pin.name): pin.version for pin in read(file)}
    for text in WANTED[file.name]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)], prereleases=True), text


def test_one_version_of_a_package_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for file in FILES:
        for pin in read(file):
            versions.setdefault(pin.name, set()).add(pin.version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def installs() -> Iterator[str]:
    for name in ("Makefile", "deploy/docker/Dockerfile", "release/try"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        yield from re.findall(r"\binstall (?:--[^\n&]*|)(?:--requirement|--no-deps)[^\n&]*", text)


def test_whatever_is_installed_is_hashed_or_ours() -> None:
    found = list(installs())
    assert len(found) >= 8
    for command in found:
        ours = "--no-deps" in command and re.search(r"--editable \.|\*\.whl|\"\$1\"", command)
        assert ours or "--require-hashes" in command, command


@pytest.mark.parametrize("line", ["aiohttp", "aiohttp>=3", "--index-url x", "aiohttp @ file:///x", "-r other.txt"])
def test_a_line_that_is_no_pin_is_not_overlooked(line: str, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"# of tests\nyarl==1.0 ; python_version < '4' \\\n    --hash=sha256:00\n    # via x\n{line}\n")
    with pytest.raises(ValueError, match="not a pin"):
        read(file)
    file.write_text(file.read_text(encoding="utf-8").removesuffix(f"{line}\n"))
    ((*pin,),) = read(file)
    assert pin == ["yarl", "1.0", "python_version < '4'", ("sha256:00",)]
