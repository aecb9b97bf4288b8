"""What `make audit` looks at, on this tree and on planted faults; but for cargo-deny, which no test installs."""

import json
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from indexer import _native
from release import advisories, licences, sbom, secrets, tag
from release.pins import ROOT

BILL = json.loads(sbom.FILE.read_text(encoding="utf-8"))
ALPHABET = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3"


def test_bill_lists_what_cargo_links_for_this_machine() -> None:
    linked = sbom._tree(_native.TARGET)
    listed = {
        component["purl"]: component["licenses"][0]["expression"]
        for component in BILL["components"]
        if not component.get("properties") or _native.TARGET in component["properties"][0]["value"].split()
    }
    assert listed == {crate.purl: licence for crate, (licence, _) in linked.items() if "appview" not in crate.name}


def test_bill_is_of_what_is_locked() -> None:
    locked = {
        (it["name"], it["version"]): it.get("checksum")
        for it in tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    }
    for component in BILL["components"]:
        (checksum,) = component["hashes"]
        assert checksum == {"alg": "SHA-256", "content": locked[component["name"], component["version"]]}
    references = {component["bom-ref"] for component in BILL["components"]} | {BILL["metadata"]["component"]["bom-ref"]}
    assert {it["ref"] for it in BILL["dependencies"]} == references
    assert {it for dependency in BILL["dependencies"] for it in dependency["dependsOn"]} < references
    assert BILL["metadata"]["component"]["version"] == _native.VERSION


def test_bill_tells_nothing_of_the_machine() -> None:
    text = sbom.FILE.read_text(encoding="utf-8")
    assert not [word for word in ("file:", "timestamp", "serialNumber", str(ROOT), str(Path.home())) if word in text]


def test_another_bill_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sbom, "bill", lambda: BILL)
    assert sbom.main(["--check"]) == 0
    monkeypatch.setattr(sbom, "bill", lambda: BILL | {"components": []})
    assert sbom.main(["--check"]) == 1
    assert "next: make sbom" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MIT AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("GPL-2.0-only OR MIT AND GPL-3.0-only", False),
        ("GPL-2.0-only AND MIT OR MIT", True),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("", False),
        ("Proprietary", False),
    ],
)
def test_expression_is_judged_as_spdx_says(expression: str, allowed: bool) -> None:
    assert licences.allowed(expression) is allowed


def test_every_installed_package_has_a_licence_that_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0
    assert "0 with a licence that is not allowed" in capsys.readouterr().out


def test_licence_that_is_not_allowed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(licences, "ALLOWED", licences.ALLOWED - {"MPL-2.0"})
    assert licences.main() == 1
    assert "orjson: MPL-2.0 AND (Apache-2.0 OR MIT)\n  next: " in capsys.readouterr().err


def test_no_file_of_the_repository_holds_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert secrets.main([]) == 0, capsys.readouterr().err


def test_every_shape_of_a_secret_is_found_and_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Put together here, so that this file holds none."""
    planted = {
        "private key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
        "AWS access key": "AKIA" + "ABCDEFGH12345678",
        "GitHub token": "ghp_" + ALPHABET[:36],
        "fine-grained GitHub token": "github_pat_" + (ALPHABET * 3)[:82],
        "GitLab token": "glpat-" + ALPHABET[:20],
        "Google API key": "AIza" + ALPHABET[:35],
        "npm token": "npm_" + ALPHABET[:36],
        "package upload token": "pypi-AgE" + (ALPHABET * 2)[:60],
        "Slack token": "xoxb-" + "123456-" + ALPHABET[:24],
        "Stripe key": "sk_live_" + ALPHABET[:24],
        "JSON web token": ".".join(("eyJ" + ALPHABET[:20], "eyJ" + ALPHABET[:20], ALPHABET)),
        "SCRAM verifier": "SCRAM-SHA-256" + "$4096:" + ALPHABET[:24] + "$x:y",
        "password in a URL": "postgresql://bsky:" + "sw0rdf1sh@db/bsky",
    }
    assert planted.keys() == secrets.SHAPES.keys()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name, text in planted.items():
        (tmp_path / f"{name}.bin").write_bytes(b"\xff\xfe first line\nkey = " + text.encode() + b"\n")
    (tmp_path / "fine.md").write_text("redis://:PASSWORD@cache, postgresql://db/bsky, AKIA, https://host/a:b@c\n")
    (tmp_path / ".gitignore").write_text("left\n")
    (tmp_path / "left").write_text(planted["npm token"])
    assert secrets.main([str(tmp_path)]) == 1
    out = capsys.readouterr()
    found = [line for line in out.err.splitlines() if line.startswith("secrets: ")]
    assert sorted(found) == [f"secrets: {name}.bin:2: {name}" for name in sorted(planted)]
    assert not [text for text in planted.values() if text in out.err + out.out]


@pytest.fixture
def database() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A stand-in for the database of vulnerabilities, which knows one of redis; and what it was asked."""
    asked: list[dict[str, object]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.extend(body["queries"])
            known = [{"vulns": [{"id": "X-1"}]} if it["package"]["name"] == "redis" else {} for it in body["queries"]]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"results": known}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


def test_every_pinned_version_is_asked_about(
    database: tuple[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address, asked = database
    monkeypatch.setenv("OSV_URL", address)
    monkeypatch.setattr(advisories, "AT_ONCE", 50)
    assert advisories.main([]) == 1
    assert len(asked) == len(set(advisories.pinned())) > 100
    assert {"package": {"ecosystem": "crates.io", "name": "pyo3"}, "version": crate("pyo3")} in asked
    out = capsys.readouterr()
    assert f"{len(asked)} versions asked about, 1 with" in out.out
    assert ": X-1\n  next: " in out.err


def crate(name: str) -> str:
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return next(str(it["version"]) for it in locked if it["name"] == name)


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--required"], 75)])
def test_database_that_is_away_is_never_passed_over_in_silence(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OSV_URL", "http://127.0.0.1:1/")
    assert advisories.main(arguments) == code
    out = capsys.readouterr()
    assert "NOT CHECKED" in out.err
    assert out.out == ""


def test_tag_is_that_of_the_sources() -> None:
    assert tag.faults("v9.9.9")[0] == f"the tag is v9.9.9, Cargo.toml has version {_native.VERSION}"
    assert f"v{_native.VERSION}" not in str(tag.faults(f"v{_native.VERSION}"))
