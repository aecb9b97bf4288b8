"""The package as somebody installs it: a wheel in an empty environment."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from release import sbom

ROOT = Path(__file__).parents[2]
MIGRATIONS = ROOT / "python" / "indexer" / "schema" / "migrations"

# Building reuses what `make` compiled; installing fetches the dependencies that the wheel declares.
pytestmark = pytest.mark.timeout(600)

DECODE = """
from indexer._native import Event, decode_events
payload = b'{"type":"identity","seq":1,"time":"2025-10-20T10:00:00.000Z","did":"did:plc:z72i7hdynmk6r22z27h6tvur"}'
(event,) = decode_events([payload], [1_760_000_000_000])
assert isinstance(event, Event), event
print(event.kind, event.did)
"""


def run(*command: str | Path) -> str:
    """What the command prints; it must succeed, and sees neither the sources nor this environment."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(command, env=environ, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    manifest = ROOT / "rust" / "python" / "Cargo.toml"
    run(
        sys.executable, "-m", "maturin", "build", "--release", "--quiet", "--compatibility", "linux" if
        sys.platform == "linux" else "pypi", "--manifest-path", manifest, "--out", folder,
    )  # fmt: skip
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty environment in which only the wheel was installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    install(folder, wheel, "--no-compile")
    return folder / "bin" / "python"


def install(environment: Path, *what: str | Path) -> None:
    """By the pip of this environment: an empty one needs none, which saves seconds."""
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", *what)


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "-cp311-abi3-" in wheel.name
    assert {
        "indexer/_native.abi3.so",
        "indexer/_native.pyi",
        "indexer/embedded/guard.py",
        "indexer/daemon/page/page.html",
        "indexer/py.typed",
        "indexer/schema/appview.sql",
        "indexer/sink/queries.sql",
        *(f"indexer/schema/migrations/{step.name}" for step in MIGRATIONS.glob("*.sql")),
    } <= names
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"indexer", "appview_indexer"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith((".rs", ".pyc"))]
    (bill,) = (name for name in names if ".dist-info/sboms/" in name)
    assert zipfile.ZipFile(wheel).read(bill) == sbom.FILE.read_bytes()


def test_installed_package_runs_and_decodes(python: Path) -> None:
    assert run(python, "-m", "indexer", "--help").startswith("usage: indexer")
    assert run(python, "-m", "indexer", "--version") == run(python.with_name("indexer"), "--version")
    assert "CREATE TABLE" in run(python, "-m", "indexer", "schema", "create", "--print-sql")
    assert run(python, "-c", DECODE).split() == ["identity", "did:plc:z72i7hdynmk6r22z27h6tvur"]


def test_declared_dependencies_are_enough_to_import_every_module(python: Path) -> None:
    script = """
import importlib, pkgutil, indexer
for module in pkgutil.walk_packages(indexer.__path__, "indexer."):
    if not module.name.endswith((".__main__", ".guard", ".strategies")):  # the last needs the extra `testing`
        importlib.import_module(module.name)
"""
    run(python, "-c", script)


def test_launcher_without_its_extra_says_what_to_install(python: Path) -> None:
    script = """
import os
os.environ["PATH"] = "/nonexistent"
from indexer.embedded import binaries
binaries.PLACES = ()
try:
    binaries.postgres_folder()
except Exception as fault:
    print(fault)
"""
    assert "pip install 'appview-indexer[embedded]'" in run(python, "-c", script)


EXTRAS = {
    "embedded": """
import os, sys
os.environ["PATH"] = "/nonexistent"
from indexer import cli
sys.exit(cli.main(["demo", "--messages", "200"]))
""",
    "testing": """
from hypothesis import HealthCheck, given, settings
from indexer import codec
from indexer.codec.testing import strategies
@settings(max_examples=20, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.records())
def holds(record):
    assert codec.decode_dag_cbor(codec.encode_dag_cbor([record])) == [record]
holds()
print("held")
""",
    "bench": """
import atproto, cbor2, cbrrr, libipld, msgspec
print(cbrrr.decode_dag_cbor(b"\\xa0"))
""",
}


@pytest.mark.long
@pytest.mark.parametrize(("extra", "script"), EXTRAS.items(), ids=list(EXTRAS))
def test_extra_brings_what_it_is_for(extra: str, script: str, wheel: Path, tmp_path: Path) -> None:
    """With the newest versions that its ranges allow; `bench` needs a C compiler."""
    venv.create(tmp_path)
    python = tmp_path / "bin" / "python"
    install(tmp_path, f"{wheel}[{extra}]")
    run(sys.executable, "-m", "pip", "--python", python, "check")
    assert run(python, "-c", script)
