"""The steps of the Dockerfile, done in a plain folder: no Docker engine is needed to see that they work."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from indexer._native import VERSION

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
PLACES = ("/src", "/build", "/wheels", "/opt/appview-indexer")


def steps() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.M).replace("\\\n", " ")
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_steps_build_an_environment_that_runs(tmp_path: Path) -> None:
    """All but the packages of the system. What COPY does not name is not there."""
    environ = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ["CARGO_TARGET_DIR"] = str(ROOT / "target")  # what was compiled before is not compiled again

    def moved(text: str) -> str:
        return re.sub(rf"(?<![\w.])({'|'.join(PLACES)})(?!\w)", rf"{tmp_path}\1", text)

    said = ""
    for word, rest in steps():
        if word == "COPY" and not rest.startswith("--from"):
            *names, target = rest.split()
            for name in names:
                source, place = ROOT / name, Path(moved(target))
                if source.is_dir():
                    shutil.copytree(source, place, ignore=shutil.ignore_patterns("*.so", "__pycache__", "fuzz"))
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, place)
        elif word == "RUN" and "apt-get" not in rest:
            done = subprocess.run(
                ["/bin/sh", "-ec", moved(rest)], env=environ, cwd="/", capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
            said = done.stdout
    assert said.splitlines()[0] == f"indexer {VERSION}"
    environment = tmp_path / "opt/appview-indexer"
    assert not list(environment.glob("lib/python*/site-packages/pip")), "it needs none"
    assert str(ROOT) not in "".join(path.read_text() for path in environment.glob("lib/python*/site-packages/*.pth"))


def test_last_stage_has_no_tools_and_is_not_run_by_root() -> None:
    last = steps()[max(index for index, (word, _) in enumerate(steps()) if word == "FROM") :]
    assert not [rest for word, rest in last if word in {"RUN", "ADD"}]
    assert all(rest.startswith("--from=environment ") for word, rest in last if word == "COPY")
    assert [rest for word, rest in last if word == "USER"] == ["10001:10001"]
    assert ("ENTRYPOINT", '["python", "-m", "indexer"]') in last


def test_context_holds_what_is_copied() -> None:
    ignored = DOCKERFILE.with_suffix(".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        name for word, rest in steps() if word == "COPY" and not rest.startswith("--from") for name in rest.split()[:-1]
    }
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
