"""`indexer demo` as a person runs it: what it shows is what was fed, and nothing is left running or behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from indexer.demo import feed, hostile, recording
from indexer.demo.traffic import Message, Traffic

MESSAGES = 500
WITH_FEW = (sys.executable, "-c", f"import sys; from indexer import demo; sys.exit(demo.main({MESSAGES}))")
COMMAND = (sys.executable, "-m", "indexer", "demo")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The folder that the demo has for temporary files; short, because sockets are in it."""
    folder = tempfile.mkdtemp(prefix="demo", dir="/tmp")
    yield Path(folder)
    shutil.rmtree(folder)


def environment(temporary: Path, **variables: str) -> dict[str, str]:
    """This process's, without servers that it names; and with settings of a daemon that must not matter."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("INDEXER_", "NO_COLOR"))}
    daemon = {"REDIS_URL": "redis://127.0.0.1:1", "INDEXER_BATCH_SIZE": "0", "INDEXER_STREAMS": "other"}
    flags = {"INDEXER_RUN_DRAIN": "true", "INDEXER_STATUS_JSON": "true", "INDEXER_TAKEOVER_DRY_RUN": "true"}
    return {**kept, **daemon, **flags, "TMPDIR": str(temporary), "COLUMNS": "100", **variables}


def start(command: Sequence[str], environ: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def assert_nothing_is_left(temporary: Path) -> None:
    """No file, and no process that was started with the folder in its arguments: servers and daemon have it."""
    assert list(temporary.iterdir()) == []
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(temporary) not in arguments


def made_up() -> dict[str, list[Message]]:
    """The made-up messages by stream, made once more."""
    live = round(MESSAGES * feed.LIVE_SHARE)
    return {
        feed.LIVE: list(islice(Traffic(hostile=feed.HOSTILE).messages(), live)),
        feed.BACKFILL: list(islice(Traffic(form="backfill", hostile=feed.HOSTILE).messages(), MESSAGES - live)),
    }


def shown(text: str, label: str) -> int:
    """The number beside a label of the summary."""
    (found,) = re.findall(rf"^  (?:.*    )?{label} +([\d,]+)(?:  |$)", text, re.MULTILINE)
    return int(found.replace(",", ""))


def test_demo_shows_what_became_of_what_it_fed(temporary: Path) -> None:
    with start(WITH_FEW, environment(temporary)) as demo:
        output, errors = demo.communicate()
    assert demo.returncode == 0, output + errors
    assert errors == ""
    assert "\x1b" not in output

    messages = made_up()
    total = len(recording.payloads()) + MESSAGES
    broken = {stream: [message.hostile for message in found if message.hostile] for stream, found in messages.items()}
    live, backfill = messages[feed.LIVE], messages[feed.BACKFILL]
    assert f"{len(recording.payloads())}  recorded by a relay of the real network on 2026-07-04" in output
    assert f"{len(live)}  made up, {len(broken[feed.LIVE])} of them broken on purpose" in output
    assert f"{len(backfill)}  made up, as backfilled repositories, {len(broken[feed.BACKFILL])} broken" in output

    fates = {kind.name: kind.fate.partition(" ") for kind in hostile.KINDS}
    expected = Counter(fates[str(kind)][0] for found in broken.values() for kind in found)
    assert expected["ignored"] + expected["dead"] > 0
    assert shown(output, "indexed") == total - expected["dead"] - expected["ignored"]
    assert shown(output, "dead lettered") == expected["dead"]
    assert shown(output, "ignored") == expected["ignored"]
    reasons = Counter(fates[str(kind)][2] for found in broken.values() for kind in found if fates[str(kind)][2])
    for reason, count in reasons.items():
        assert shown(output, reason) == count

    assert "indexing: 572 of 572" in output
    assert "Posts of the recording (5 of 8)" in output
    assert "待って天幕" in output
    assert_nothing_is_left(temporary)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("filling the streams", signal.SIGTERM),
        pytest.param("indexing", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("filling the streams", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("indexing", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_demo_that_is_stopped_leaves_nothing(temporary: Path, number: signal.Signals, line: str) -> None:
    with start(COMMAND, environment(temporary)) as demo:
        assert demo.stdout is not None
        assert any(line in text for text in demo.stdout)
        demo.send_signal(number)
        output, errors = demo.communicate()
    assert demo.returncode == 75, output + errors
    assert "stopped early" in output
    assert errors == ""
    assert_nothing_is_left(temporary)


@pytest.mark.parametrize("variable", ["INDEXER_PG_BIN", "INDEXER_REDIS_SERVER"])
def test_missing_programs_are_named_with_a_remedy(temporary: Path, variable: str) -> None:
    with start(COMMAND, environment(temporary, **{variable: "/nowhere"})) as demo:
        output, errors = demo.communicate()
    assert demo.returncode == 78, output + errors
    assert "/nowhere" in errors
    assert "remedy: pip install 'appview-indexer[embedded]'" in errors
    assert_nothing_is_left(temporary)


def test_named_servers_are_used_and_left_as_they_were(temporary: Path, postgres_url: str, redis_url: str) -> None:
    named = {"INDEXER_TEST_POSTGRES_URL": postgres_url, "INDEXER_TEST_REDIS_URL": redis_url}
    with start(WITH_FEW, environment(temporary, **named)) as demo:
        output, errors = demo.communicate()
    assert demo.returncode == 0, output + errors
    assert "indexing: 572 of 572" in output
    assert_nothing_is_left(temporary)
