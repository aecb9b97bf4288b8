"""What is in deploy/ fits the settings of the indexer, and holds no secret."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from indexer.configuration.settings import OPTIONS, Option, option
from indexer.errors import ExitCode

DEPLOY = Path(__file__).parents[2] / "deploy"
KNOWN: dict[str, Option] = {variable: row for row in OPTIONS for variable in row.variables}
NOT_OURS = {"PATH", "PYTHONUNBUFFERED"}
GRACE_S = int(option("grace_s").default or 0)
PORT = int(option("metrics_port").default or 0)

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
INDEXERS = {name: it for name, it in COMPOSE["services"].items() if name.startswith("indexer-")}
MANIFESTS: list[dict[str, Any]] = [
    document
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
SET: dict[str, Any] = next(document for document in MANIFESTS if document["kind"] == "StatefulSet")
POD: dict[str, Any] = SET["spec"]["template"]["spec"]
DOCKERFILE = (DEPLOY / "docker/Dockerfile").read_text(encoding="utf-8")
FILES = [file for file in sorted(DEPLOY.rglob("*")) if file.is_file() and file.parent.name != "secrets"]
UNIT = (DEPLOY / "systemd/appview-indexer.service").read_text(encoding="utf-8")


def variables() -> Iterator[tuple[str, str, str | None]]:
    """Where, which, and its value; None where that is known at run time only."""
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            yield f"compose {name}", variable, value
    for container in POD["containers"]:
        for entry in container["env"]:
            yield "kubernetes", entry["name"], entry.get("value")
    for file, name, pattern in (("Dockerfile", DOCKERFILE, "ENV (.*)"), ("systemd", UNIT, "Environment=(.*)")):
        for line in re.findall(rf"^{pattern}$", name, re.M):
            for pair in line.split():
                variable, _, value = pair.partition("=")
                yield file, variable, value


@pytest.mark.parametrize(("where", "variable", "value"), [found for found in variables() if found[1] not in NOT_OURS])
def test_every_variable_is_a_setting_with_a_value_that_is_allowed(where: str, variable: str, value: str | None) -> None:
    row = KNOWN.get(variable.removesuffix("_FILE"))
    assert row is not None, f"{where}: {variable}"
    if variable.endswith("_FILE"):
        assert value is not None
        assert value.startswith(("/", "%d/"))
    else:
        assert not row.secret, f"{where}: {variable} belongs into a file"
        if value is not None:
            assert isinstance(value, str)
            row.parse(value)


@pytest.mark.parametrize("file", FILES, ids=lambda it: it.name)
def test_no_file_holds_a_secret(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"://[^/\s:@]*:(?!PASSWORD@)[^/\s@]+@", text), "a URL with a password"
    assert not re.search(r"(?i)(password|passwd|token)\w*\s*[:=]\s*[\"']?\w{6,}", text)
    assert {said for said in re.findall(r" >(\S+)", text) if "password" in said} <= {
        "change-this-password", "change-this-password-too"
    }  # fmt: skip


def test_fleet_has_six_indexers_with_names_of_their_own_behind_two_poolers() -> None:
    assert len(INDEXERS) == 6
    assert sorted(it["environment"]["INDEXER_CONSUMER"] for it in INDEXERS.values()) == sorted(INDEXERS)
    assert (
        sorted(pooler for it in INDEXERS.values() for pooler in it["depends_on"]) == ["pooler-1"] * 3 + ["pooler-2"] * 3
    )
    for it in INDEXERS.values():
        files = {value for variable, value in it["environment"].items() if variable.endswith("_FILE")}
        assert files == {f"/run/secrets/{secret}" for secret in it["secrets"]}
        assert set(it["secrets"]) <= COMPOSE["secrets"].keys()
        (pooler,) = it["depends_on"]
        assert f"postgres-url-{pooler[-1]}" in it["secrets"]


def test_poolers_let_in_all_who_come() -> None:
    limits = dict(re.findall(r"^(\w+) = (.*)$", (DEPLOY / "docker/pgbouncer.ini").read_text(encoding="utf-8"), re.M))
    for pooler in ("pooler-1", "pooler-2"):
        wanted = sum(
            int(it["environment"]["DB_POOL_MAX_SIZE"]) for it in INDEXERS.values() if it["depends_on"] == [pooler]
        )
        assert wanted <= int(limits["default_pool_size"]) <= int(limits["max_client_conn"])
    assert limits["pool_mode"] == "transaction"


def test_nobody_kills_it_before_its_grace_time_is_over() -> None:
    assert all(int(it["stop_grace_period"].removesuffix("s")) > GRACE_S for it in INDEXERS.values())
    assert POD["terminationGracePeriodSeconds"] > GRACE_S
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.M)[0]) > GRACE_S


def test_probes_ask_the_port_for_machines() -> None:
    (container,) = POD["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": PORT}]
    assert {kind: container[kind]["httpGet"] for kind in container if kind.endswith("Probe")} == {
        "startupProbe": {"path": "/livez", "port": "metrics"},
        "livenessProbe": {"path": "/livez", "port": "metrics"},
        "readinessProbe": {"path": "/readyz", "port": "metrics"},
    }
    assert f"EXPOSE {PORT}\n" in DOCKERFILE
    assert f":{PORT}/livez" in DOCKERFILE
    assert "METRICS_HOST=0.0.0.0" in DOCKERFILE


def test_pods_keep_their_names_and_run_without_rights() -> None:
    names = {entry["name"]: entry for entry in POD["containers"][0]["env"]}
    assert names["INDEXER_CONSUMER"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert f"USER {POD['securityContext']['runAsUser']}:" in DOCKERFILE
    mounted = {mount["mountPath"] for mount in POD["containers"][0]["volumeMounts"]}
    assert {str(Path(entry["value"]).parent) for name, entry in names.items() if name.endswith("_FILE")} <= mounted
    (service,) = [document for document in MANIFESTS if document["kind"] == "Service"]
    assert service["spec"]["selector"] == SET["spec"]["template"]["metadata"]["labels"]
    assert SET["spec"]["serviceName"] == service["metadata"]["name"]
    assert not [document for document in MANIFESTS if document["kind"] == "Secret"]


def test_systemd_starts_nothing_again_that_ended_for_people_to_look_at() -> None:
    """A canary that is done (0) would take its next messages, a passed budget (1) its next thousand."""
    (restart,) = re.findall(r"^Restart=(.+)$", UNIT, re.M)
    (never,) = re.findall(r"^RestartPreventExitStatus=(.+)$", UNIT, re.M)
    assert restart == "on-failure"
    assert {int(code) for code in never.split()} == {int(ExitCode.FINDINGS), int(ExitCode.CONFIG)}
