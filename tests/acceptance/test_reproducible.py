"""`make wheel` in two folders gives the same bytes, and nothing in them tells where they were made."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from indexer import _native
from release import sbom, secrets

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def copied(folder: Path, umask: int) -> Path:
    """The folder, with the sources in it."""
    for file in secrets.tracked(ROOT):
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
        copy.chmod(copy.stat().st_mode & ~umask)
    return folder


def built(folder: Path, cargo: Path, umask: int) -> Path:
    """What `make wheel` makes of these sources, with that folder as CARGO_HOME."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO", "RUST", "PYTHON"))}
    environ |= {"SOURCE_DATE_EPOCH": "1767225600", "INDEXER_COMMIT": COMMIT, "CARGO_HOME": str(cargo)}
    done = subprocess.run(
        ["make", "wheel", f"VENV={sys.prefix}"],
        cwd=folder, env=environ, umask=umask, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_wheel_is_the_same_wherever_it_is_built(tmp_path: Path) -> None:
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    elsewhere = tmp_path / "cargo-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "registry").symlink_to(home / "registry")
    first, second = copied(tmp_path / "here", 0o022), copied(tmp_path / "a" / "folder further down", 0o077)
    here = built(first, home, 0o022)
    there = built(second, elsewhere, 0o077)

    assert here.name == there.name
    with zipfile.ZipFile(here) as one, zipfile.ZipFile(there) as other:
        assert one.namelist() == other.namelist()
        assert [name for name in one.namelist() if one.read(name) != other.read(name)] == []
        content = b"".join(one.read(name) for name in one.namelist())
        (bill,) = (name for name in one.namelist() if ".dist-info/sboms/" in name)
        assert one.read(bill) == sbom.FILE.read_bytes()
    assert hashlib.sha256(here.read_bytes()).digest() == hashlib.sha256(there.read_bytes()).digest()
    assert COMMIT.encode() in content, "`indexer --version` tells it"
    for folder in (tmp_path, ROOT, home, Path.home(), Path(sys.prefix)):
        assert f"{folder}/".encode() not in content, folder
    done = subprocess.run(["release/try", here, _native.TARGET], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"commit: {COMMIT}" in done.stdout
