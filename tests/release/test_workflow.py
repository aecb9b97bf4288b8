"""The release workflow, which runs elsewhere: it builds what docs/versions.md lists, as the Makefile does."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from release import sbom
from release.pins import read

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]


def matrix(job: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = JOBS[job]["strategy"]["matrix"]["include"]
    return found


def maturin() -> dict[str, str]:
    (step,) = (step for name, step in STEPS if name == "wheel" and "maturin-action" in step.get("uses", ""))
    found: dict[str, str] = step["with"]
    return found


def test_every_target_of_the_docs_is_built_tried_and_in_the_sbom() -> None:
    text = (ROOT / "docs/versions.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+-\w+-\w+(?:-\w+)?)` \| `(\w+)` \|", text, re.M))
    built = {row["target"]: row.get("manylinux", "macosx") for row in matrix("wheel")}
    assert {target: tag.removeprefix("manylinux") for target, tag in documented.items()} == built
    assert [row["target"] for row in matrix("try")] == list(built)
    assert sorted(built) == list(sbom.TARGETS)


def test_wheel_is_tried_on_the_machine_it_is_for() -> None:
    for row in matrix("try"):
        arm, mac = row["target"].startswith("aarch64"), row["target"].endswith("darwin")
        assert ("macos" in row["runner"]) == mac
        assert arm == (row["runner"].endswith("-arm") or row["runner"] == "macos-15")
        assert mac or row["image"].endswith("alpine" if row["target"].endswith("musl") else "slim")


def test_wheel_is_built_as_make_wheel_builds_it() -> None:
    (command,) = re.findall(r"^\t\$\(BIN\)/maturin (build .*)$", MAKEFILE, re.M)
    step = maturin()
    assert f"{step['command']} {step['args']}" == command
    recipe = MAKEFILE.partition("\nwheel:")[2].partition("\n\n")[0]
    said = yaml.safe_dump(JOBS["wheel"]["steps"])
    for word in ("cargo fetch --quiet --locked", "SOURCE_DATE_EPOCH", "INDEXER_COMMIT", "CARGO_ENCODED_RUSTFLAGS"):
        assert word in recipe
        assert word in said
    assert set(re.findall(r"--env (\w+)", step["docker-options"])) == {"SOURCE_DATE_EPOCH", "INDEXER_COMMIT"}
    assert step["before-script-linux"].splitlines() == [
        "cargo fetch --quiet --locked",
        'export CARGO_ENCODED_RUSTFLAGS="$(release/remap)"',
    ]


def test_tools_have_the_versions_that_were_tested() -> None:
    pins = {pin.name: pin.version for pin in read(ROOT / "requirements-dev.txt")}
    versions = {step["with"]["maturin-version"] for _, step in STEPS if "maturin-action" in step.get("uses", "")}
    assert versions == {f"v{pins['maturin']}"}
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"FROM rust:([\d.]+)-", dockerfile) == [maturin()["rust-toolchain"]]


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
    run = "\n".join(step.get("run", "") for _, step in STEPS)
    assert set(re.findall(r"\bmake ([a-z-]+)", run)) == {"lint", "test", "audit"} <= targets
    for script in set(re.findall(r"\brelease/(\w+)\b", run)):
        assert os.access(ROOT / "release" / script, os.X_OK), script
    for module in set(re.findall(r"python -m release\.(\w+)", run)):
        assert (ROOT / "release" / f"{module}.py").exists()


def test_no_job_may_do_more_than_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        **{name: {"contents": "read"} for name in JOBS},
        "publish": {"id-token": "write"},
    }
    assert "secrets." not in yaml.safe_dump(WORKFLOW)
    assert "pull_request" not in WORKFLOW[True]  # YAML 1.1 reads the key `on` so
    assert all(step["with"]["persist-credentials"] is False for _, step in STEPS if "checkout" in step.get("uses", ""))


def test_only_a_tag_is_published_when_everything_was_tried() -> None:
    job = JOBS["publish"]
    assert job["if"] == "github.ref_type == 'tag'"
    assert set(job["needs"]) | {"check"} == JOBS.keys() - {"publish"}
    assert job["environment"] == "release"
    assert not [step for step in job["steps"] if "run" in step], "nothing is executed where the right to publish is"


def test_foreign_actions_are_named_by_commit_or_version() -> None:
    for _, step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@([0-9a-f]{40}|v\d+\.\d+\.\d+)", step["uses"])


def test_texts_of_an_event_are_no_commands() -> None:
    """`${{ }}` in a script is replaced before a shell reads it."""
    for _, step in STEPS:
        inside = re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step.get("run", ""))
        assert all(word.startswith("matrix.") for word in inside), step
