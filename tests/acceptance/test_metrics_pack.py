"""The alerts and the dashboard of deploy/ ask for what `/metrics` has, and alerts fire when they should."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from indexer.metrics import Metrics

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
RUNBOOKS = ROOT / "docs/runbooks"
STREAMS = ("firehose_live", "firehose_backfill", "label_live")
TARGET = {"job", "instance"}
"""What Prometheus itself adds to every sample."""
WORDS = {"and", "or", "unless", "bool", "offset"}

RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
BOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))

LIVE = 'job="appview-indexer", instance="a", stream="firehose_live"'
HERE = 'job="appview-indexer", instance="a"'
FLOWS = f'indexer_messages_total{{{LIVE}, outcome="indexed"}}'
CASES: dict[str, tuple[dict[str, str], int, dict[str, str]]] = {
    # by alert: series, the minute, and the labels of the alert beside job and severity
    "IndexerDown": ({f"up{{{HERE}}}": "0x60"}, 5, {"instance": "a"}),
    "IndexerAllDown": ({f'indexer_build_info{{{HERE}, version="1"}}': "1x2 stale"}, 20, {}),
    "IndexerRestarts": ({f"process_start_time_seconds{{{HERE}}}": "0x5 100x5 200x5 300x50"}, 25, {"instance": "a"}),
    "IndexerLaneStandsStill": (
        {FLOWS: "7x60", f"indexer_stream_length{{{LIVE}}}": "30x60", f"indexer_stream_pending{{{LIVE}}}": "10x60"},
        15,
        {"instance": "a", "stream": "firehose_live"},
    ),
    "IndexerPaused": ({f'indexer_lane_state{{{LIVE}, state="paused"}}': "0x5 1x90"}, 80, {"instance": "a"}),
    "IndexerFallsBehind": (
        {FLOWS: "0+100x90", f"indexer_stream_length{{{LIVE}}}": "100001+10x90"}, 50, {"stream": "firehose_live"}
    ),
    "IndexerLate": ({f"indexer_stream_oldest_pending_seconds{{{LIVE}}}": "1801x60"}, 10, {"stream": "firehose_live"}),
    "IndexerManyDeadLetters": (
        {FLOWS: "0+97x60", f'indexer_messages_total{{{LIVE}, outcome="dead_lettered"}}': "0+3x60"},
        30,
        {"stream": "firehose_live"},
    ),
    "IndexerRefusedByPostgres": (
        {f'indexer_dead_letters_total{{{LIVE}, reason="db"}}': "0x20 1x40"},
        25,
        {"stream": "firehose_live", "reason": "db"},
    ),
    "IndexerGroupLost": ({f"indexer_groups_lost_total{{{LIVE}}}": "0x20 1x40"}, 25, {"stream": "firehose_live"}),
    "IndexerBodiesVanished": (
        {f'indexer_ignored_total{{{LIVE}, reason="vanished"}}': "0x20 5x40"}, 25, {"stream": "firehose_live"}
    ),
    "IndexerAcknowledgedElsewhere": (
        {FLOWS: "0+100x60", f"indexer_acknowledged_elsewhere_total{{{LIVE}}}": "0+2x60"},
        40,
        {"stream": "firehose_live"},
    ),
    "IndexerContention": ({f'indexer_retries_total{{{HERE}, class="contention"}}': "0+90x60"}, 40, {}),
    "IndexerWritesSlow": (
        {
            f'indexer_stage_seconds_bucket{{{HERE}, stage="write", le="{le}"}}': f"0+{step}x60"
            for le, step in (("5.0", 80), ("10.0", 100), ("+Inf", 100))
        },
        40,
        {},
    ),
    "IndexerLookUpsFail": (
        {
            f'indexer_look_ups_total{{{HERE}, outcome="found"}}': "0+4x120",
            f'indexer_look_ups_total{{{HERE}, outcome="put_off"}}': "0+6x120",
        },
        90,
        {},
    ),
    "IndexerHandleBacklog": ({f"indexer_handle_backlog{{{HERE}}}": "100001+1x180"}, 150, {}),
}  # fmt: skip

HEALTHY = {
    f"up{{{HERE}}}": "1x180",
    f'indexer_build_info{{{HERE}, version="1"}}': "1x180",
    f"process_start_time_seconds{{{HERE}}}": "0x90 5400x90",
    FLOWS: "0+5000x180",
    f'indexer_messages_total{{{LIVE}, outcome="dead_lettered"}}': "0+50x180",
    f"indexer_stream_length{{{LIVE}}}": "500 700 500 900x60 400x120",
    f"indexer_stream_pending{{{LIVE}}}": "400x180",
    f"indexer_stream_oldest_pending_seconds{{{LIVE}}}": "2x180",
    f'indexer_dead_letters_total{{{LIVE}, reason="bad_record"}}': "0+50x180",
    f'indexer_dead_letters_total{{{LIVE}, reason="db"}}': "0x180",
    f"indexer_groups_lost_total{{{LIVE}}}": "0x180",
    f'indexer_ignored_total{{{LIVE}, reason="vanished"}}': "0x180",
    f"indexer_acknowledged_elsewhere_total{{{LIVE}}}": "0+1x180",
    f'indexer_retries_total{{{HERE}, class="contention"}}': "0+5x180",
    f'indexer_stage_seconds_bucket{{{HERE}, stage="write", le="5.0"}}': "0+100x180",
    f'indexer_stage_seconds_bucket{{{HERE}, stage="write", le="+Inf"}}': "0+100x180",
    f'indexer_look_ups_total{{{HERE}, outcome="found"}}': "0+9x180",
    f'indexer_look_ups_total{{{HERE}, outcome="put_off"}}': "0+1x180",
    f"indexer_handle_backlog{{{HERE}}}": "300x180",
    # Paused for a while, with entries that wait
    f'indexer_messages_total{{{HERE}, stream="paused", outcome="indexed"}}': "7x180",
    f'indexer_stream_length{{{HERE}, stream="paused"}}': "9x160 0x20",
    f'indexer_stream_pending{{{HERE}, stream="paused"}}': "0x180",
    f'indexer_lane_state{{{HERE}, stream="paused", state="paused"}}': "1x50 0x5 1x50 0x5 1x50 0x20",
    f'indexer_lane_state{{{HERE}, stream="paused", state="idle"}}': "0x50 1x5 0x50 1x5 0x50 1x20",
    # Servers that are away for a moment
    f'indexer_lane_state{{{LIVE}, state="waiting"}}': "0x20 1x3 0x70 1x3 0x90",
    # A backfill is long, old and grows; an idle stream gives nothing to do
    f'indexer_stream_length{{{HERE}, stream="firehose_backfill"}}': "30000000+9x180",
    f'indexer_stream_oldest_pending_seconds{{{HERE}, stream="firehose_backfill"}}': "9999x180",
    f'indexer_messages_total{{{HERE}, stream="firehose_backfill", outcome="indexed"}}':
        "0+900x180",
    f'indexer_messages_total{{{HERE}, stream="label_live", outcome="indexed"}}': "3x180",
    f'indexer_stream_length{{{HERE}, stream="label_live"}}': "0x180",
    f'indexer_stream_pending{{{HERE}, stream="label_live"}}': "0x180",
}  # fmt: skip


def series() -> dict[str, dict[str, set[str]]]:
    """Every series of the daemon: the values of each of its labels."""
    text = generate_latest(Metrics(STREAMS).registry).decode()
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


SERIES = series()


def unknown(query: str) -> Iterator[str]:
    """What a query names that no series of the daemon has."""
    groupings = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
    labels = {name.strip() for group in re.findall(groupings, query) for name in group.split(",") if name.strip()}
    query = re.sub(r"\[[^\]]*\]", "", re.sub(groupings, "", query))
    asked = set()
    for name, matchers in re.findall(r"(?<![\w.\"])([a-zA-Z_:]\w*)(?!\w)(?!\s*\()(?:\{([^}]*)\})?", query):
        if name in WORDS:
            continue
        asked.add(name)
        if name not in SERIES:
            yield f"series {name}"
            continue
        for label, how, text in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            if label in TARGET:
                continue
            values = SERIES[name].get(label)
            if values is None:
                yield f"label {label} of {name}"
            elif not any(re.fullmatch(text if "~" in how else re.escape(text), value) for value in values):
                yield f"{label}={text} of {name}"
    if not asked:
        yield "no series at all"
    for label in labels - TARGET:
        if not any(label in SERIES.get(name, ()) for name in asked):
            yield f"by ({label})"


def board_queries() -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", ())]


def test_alerts_ask_for_series_that_there_are() -> None:
    assert {rule["alert"]: said for rule in RULES if (said := list(unknown(rule["expr"])))} == {}


def test_dashboard_asks_for_series_that_there_are() -> None:
    assert len(board_queries()) > 20
    assert {title: said for title, query in board_queries() if (said := list(unknown(query)))} == {}
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= set(re.findall(r"\w+", target["expr"])) | TARGET


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("rate(indexer_message_total[5m])", ["series indexer_message_total"]),
        ('indexer_messages_total{result="indexed"}', ["label result of indexer_messages_total"]),
        ('indexer_messages_total{job="x", outcome="index"}', ["outcome=index of indexer_messages_total"]),
        ("sum by (job, table) (indexer_messages_total) > 0", ["by (table)"]),
        ("vector(1)", ["no series at all"]),
        ('sum by (le) (rate(indexer_stage_seconds_bucket{stage="write"}[10m])) and up == 0', []),
    ],
)
def test_check_of_queries_sees_what_is_wrong(query: str, said: list[str]) -> None:
    assert list(unknown(query)) == said


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


def test_each_alert_has_its_page_and_its_case() -> None:
    names = [rule["alert"] for rule in RULES]
    assert sorted(page.stem for page in RUNBOOKS.glob("*.md")) == sorted(names) == sorted(CASES)
    for rule in RULES:
        page = RUNBOOKS / f"{rule['alert']}.md"
        assert rule["annotations"]["runbook"] == str(page.relative_to(ROOT))
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"^#+ .+$", text, re.M) == [f"# {rule['alert']}", "## See more", "## Do"]
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert (RUNBOOKS / link).is_file(), link


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs_promtool
def test_prometheus_understands_alerts_and_dashboard(tmp_path: Path) -> None:
    queries = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$job", ".+")}
        for number, (_, query) in enumerate(board_queries())
    ]
    rules = tmp_path / "dashboard.json"  # JSON is YAML
    rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": queries}]}))
    assert promtool("check", "rules", ALERTS, rules).count("SUCCESS") == 2


@pytest.mark.needs_promtool
def test_alerts_fire_where_something_is_wrong_and_nowhere_else(tmp_path: Path) -> None:
    def group(given: dict[str, str], expected: list[dict[str, Any]]) -> dict[str, Any]:
        values = [{"series": name, "values": value} for name, value in given.items()]
        return {"interval": "1m", "input_series": values, "alert_rule_test": expected}

    quiet = [
        {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []} for name in CASES for minute in (30, 100, 175)
    ]
    wrong: dict[str, str] = {}
    alerts: list[dict[str, Any]] = []
    for rule in RULES:  # all at once, each on a stream of its own
        name = rule["alert"]
        given, minute, own = CASES[name]
        wrong |= {one.replace("firehose_live", name): values for one, values in given.items()}
        labels = {"job": "appview-indexer", **rule["labels"], **own}
        if "stream" in own:
            labels["stream"] = name
        fired = {"exp_labels": labels, "exp_annotations": rule["annotations"]}
        alerts.append({"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [fired]})
    # halted, or waiting, with a stream that is empty
    standing = next(rule for rule in RULES if rule["alert"] == "IndexerLaneStandsStill")
    for state in ("halted", "waiting"):
        wrong[f'indexer_lane_state{{{LIVE.replace("firehose_live", state)}, state="{state}"}}'] = "0x5 1x30"
    all_of_them = [
        {
            "exp_labels": {"job": "appview-indexer", "instance": "a", "severity": "critical", "stream": stream},
            "exp_annotations": standing["annotations"],
        }
        for stream in ("IndexerLaneStandsStill", "halted", "waiting")
    ]
    for alert in alerts:
        if alert["alertname"] == standing["alert"]:
            alert["exp_alerts"] = all_of_them
    groups = [group(HEALTHY, quiet), group(wrong, alerts)]
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": groups}))
    promtool("test", "rules", cases)
