"""Other threads go on while the codec reads."""

import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from indexer import codec
from indexer.codec.testing import build
from tests.codec import corpus


@pytest.fixture
def no_switches() -> Iterator[None]:
    """The interpreter takes the GIL from nobody: another thread runs only where it is released."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


ATTEMPTS = 30
"""What is over before the other thread has woken up is done again."""


def rounds_during(work: Callable[[], object]) -> int:
    """How often another thread had the GIL meanwhile."""
    rounds, started, over = [0], threading.Event(), threading.Event()

    def run() -> None:
        while not over.is_set():
            rounds[0] += 1
            started.set()
            time.sleep(0)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    before = rounds[0]
    for _ in range(ATTEMPTS):
        work()
        if rounds[0] > before:
            break
    during = rounds[0] - before
    over.set()
    thread.join()
    return during


def events() -> Callable[[], object]:
    # Of a type that the lexicons do not have: no Python objects are made of the record.
    record = {"list": [{"number": number, "text": "text"} for number in range(40_000)]}
    event = {
        "type": "create",
        "did": build.DID,
        "collection": "a.b.c",
        "rkey": "1",
        "rev": build.REV,
        "time": build.TIME,
    }
    payload = json.dumps(event | {"commit": str(codec.Cid.of_raw(b"")), "record": record}).encode()
    assert isinstance(codec.decode_events([payload])[0], codec.Event)
    return lambda: codec.decode_events([payload])


def frames() -> Callable[[], object]:
    batch = [frame for name in corpus.FRAMES for frame in corpus.frames(name)] * 30
    return lambda: codec.decode_frames(batch)


def texts() -> Callable[[], object]:
    blocks = codec.encode_dag_cbor([{"list": [{"number": number} for number in range(100_000)]}])
    return lambda: codec.dag_cbor_to_json(blocks)


def files() -> Callable[[], object]:
    data = build.repository_car({f"a.b.c/{number}": {"text": "x" * 3_000_000} for number in range(4)})
    return lambda: codec.read_car(io.BytesIO(data))


def records() -> Callable[[], object]:
    """Those of a repository whose file has arrived."""
    made = {f"a.b.c/{number}": {"list": [[number, place] for place in range(10_000)]} for number in range(ATTEMPTS)}
    repository = iter(codec.checked(codec.read_car(io.BytesIO(build.repository_car(made)))))
    return lambda: next(repository)


@pytest.mark.usefixtures("no_switches")
def test_what_holds_the_gil_lets_no_other_thread_run() -> None:
    """What the other tests rest on."""
    text = json.dumps(list(range(50_000)))
    assert rounds_during(lambda: json.loads(text)) == 0


@pytest.mark.usefixtures("no_switches")
@pytest.mark.parametrize("prepare", [events, frames, texts, files, records], ids=lambda prepare: prepare.__name__)
def test_the_gil_is_released(prepare: Callable[[], Callable[[], object]]) -> None:
    assert rounds_during(prepare()) > 0
