"""The status page in a real browser. Long, and not in the gate: to install Chromium alone takes a minute."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance import browser
from tests.acceptance.daemon import Daemon, count, feed, running
from tests.messages import A, create, post, post_uri

pytestmark = [pytest.mark.long, pytest.mark.needs_chromium, pytest.mark.timeout(600)]

LIVE, GROUP = "firehose_live", "firehose_group"
DEFAULT = {"INDEXER_STATUS_PAGE": "auto"}
HOSTILE = "<script>document.title='taken'</script><img src=http://evil.example/x onerror=alert(1)>"
PHONE, DESK = 360, 1120
OFTEN = {"indexer.daemon.page.collector:EVERY_S": 0.5, "indexer.daemon.page.collector:SHARE": 1}
SHOWN = "!document.getElementById('main').hidden"
FIGURES = (
    "Object.fromEntries([...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.textContent]))"
)
COLOURS = """[...document.querySelectorAll('body, .card, h1, h2, td, .pill, figcaption, svg text')].map(
    e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor, getComputedStyle(e).fill].join())"""
CONTRASTS = """[...document.querySelectorAll('body *')].filter(e => e.offsetParent && [...e.childNodes].some(
    n => n.nodeType === 3 && n.textContent.trim())).map(e => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let below = e, paper = rgb(getComputedStyle(e).backgroundColor);
  while (paper.length === 4 && paper[3] === 0 && (below = below.parentElement))
    paper = rgb(getComputedStyle(below).backgroundColor);
  const [a, b] = [light(rgb(getComputedStyle(e).color)), light(paper)].sort((x, y) => y - x);
  return [(a + 0.05) / (b + 0.05), e.tagName, e.className, e.textContent.slice(0, 20)];
}).filter(([contrast]) => contrast < 4.5)"""


@pytest.fixture
def daemon(database: str, redis_url: str, tmp_path: Path) -> Iterator[Daemon]:
    """At rest, so that its figures stay as they are: others hold entries, one of them under a hostile name."""
    broken = [b"not JSON", b"not JSON", b'{"type":"create"}']
    with (
        redis.Redis.from_url(redis_url) as client,
        running(database, redis_url, tmp_path, settings=OFTEN, environment=DEFAULT) as found,
    ):
        found.started()
        feed(redis_url, LIVE, [*(create(post_uri(A, f"p{n}"), post()) for n in range(30)), *broken])
        found.until(lambda: count(database, "post") == 30 and client.xlen(LIVE) == 0)
        hold(client, HOSTILE, 7)
        hold(client, "typescript-3", 1200)
        found.until(lambda: status(found)["dead_letters"] == 3 and len(status(found)["history"]["at"]) > 3)
        yield found


def hold(client: "redis.Redis", consumer: str, number: int) -> None:
    """Entries that a consumer holds; in one transaction, so that the daemon does not read them first."""
    with client.pipeline() as pipeline:
        for _ in range(number):
            pipeline.xadd(LIVE, {"event": "{}"})
        pipeline.xreadgroup(GROUP, consumer, {LIVE: ">"}, count=number)
        pipeline.execute()


def address(daemon: Daemon) -> str:
    return f"http://127.0.0.1:{daemon.lines('started')[0]['metrics_port_bound']}/"


def status(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.get("/status.json")[1])
    return found


def expected(found: dict[str, Any]) -> dict[str, str]:
    """Texts of figures that stay as they are while nothing happens."""
    texts = {
        "left": sum(one["undelivered"] + one["pending"] for one in found["streams"]),
        "dead_letters": found["dead_letters"],
        "connections": sum(found["connections"].values()),
        **{f"causes.{cause}": number for cause, number in found["dead_letters_by_cause"].items()},
        **{f"connections.{name}": number for name, number in found["connections"].items()},
    }
    for place, one in enumerate(found["streams"]):
        texts |= {f"streams.{place}.{name}": one[name] for name in ("undelivered", "pending", "length")}
        for number, consumer in enumerate(one["consumers"]):
            texts[f"streams.{place}.consumers.{number}.pending"] = consumer["pending"]
    return {name: f"{number:,}" for name, number in texts.items()}


def lines(found: dict[str, Any]) -> int:
    """How many courses there are of which anything is known."""
    history = found["history"]
    courses = [history["dead_letters"], history["handle_backlog"]]
    courses += [course for stream in history["streams"].values() for course in stream.values()]
    return sum(any(value is not None for value in course) for course in courses)


async def test_figures_are_those_of_the_document_and_strangers_texts_are_texts(daemon: Daemon) -> None:
    async with browser.page() as page:
        await page.look(DESK)
        await page.open(address(daemon))
        await page.until(SHOWN)
        found = status(daemon)
        assert {one["name"]: one["pending"] for one in found["streams"][0]["consumers"]} == {
            "one": 0, HOSTILE: 7, "typescript-3": 1200
        }  # fmt: skip
        assert sum(found["dead_letters_by_cause"].values()) == found["dead_letters"] == 3
        shown = await page.run(FIGURES)
        texts = expected(found)
        assert {name: shown.get(name) for name in texts} == texts
        assert HOSTILE in await page.run("document.getElementById('consumers').textContent")
        assert await page.run("document.querySelectorAll('#main script, #main img').length") == 0
        assert await page.run("document.title") == "one"
        assert found["last_error"] == await page.run("document.getElementById('error').textContent")
        assert await page.run("document.querySelectorAll('#notices p').length") == 0
        drawn = "[...document.querySelectorAll('svg path:not(.area)')].filter(e => e.getAttribute('d')).length"
        assert await page.until(drawn) == lines(found)
        assert page.complaints == []
        assert set(page.requests) == {address(daemon), f"{address(daemon)}status.json"}


@pytest.mark.parametrize("width", [PHONE, DESK])
async def test_page_fits_and_can_be_read_in_both_colours(daemon: Daemon, width: int) -> None:
    colours = {}
    async with browser.page() as page:
        for scheme in ("light", "dark"):
            await page.look(width, scheme)
            await page.open(address(daemon))
            await page.until(SHOWN)
            assert await page.run("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
            outside = (
                "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth)"
            )
            assert await page.run(f"{outside}.map(e => e.outerHTML.slice(0, 80))") == []
            assert await page.run(CONTRASTS) == []
            colours[scheme] = await page.run(COLOURS)
            assert page.complaints == []
    assert len(colours["light"]) == len(colours["dark"]) > 30
    same = [one for one, other in zip(colours["light"], colours["dark"], strict=True) if one == other]
    assert same == []


async def test_daemon_that_has_gone_is_told_and_so_is_its_return(
    daemon: Daemon, database: str, redis_url: str, tmp_path: Path
) -> None:
    gone = "document.getElementById('notices').textContent"
    async with browser.page() as page:
        await page.look(DESK)
        await page.open(address(daemon))
        await page.until(SHOWN)
        daemon.kill()
        assert "is as it was at" in await page.until(gone, lambda text: "does not answer" in text)
        assert await page.run("document.getElementById('ready').textContent") == "no answer"
        assert await page.run("document.body.classList.contains('stale')")
        assert await page.run("document.title") == "no answer: one"
        port = DEFAULT | {"METRICS_PORT": address(daemon).split(":")[-1].strip("/")}
        with running(database, redis_url, tmp_path, consumer="two", environment=port):
            assert await page.until("document.title", lambda title: title == "two")
            assert await page.run(gone) == ""
            assert not await page.run("document.body.classList.contains('stale')")


async def test_trouble_is_shown(daemon: Daemon) -> None:
    """What the daemon says is put before the page in its place: each state looks the same whatever brought it about."""
    told = {
        **status(daemon),
        "age_s": 99,
        "lanes": {LIVE: "halted", "firehose_backfill": "waiting", "label_live": "paused"},
        "reasons": ["paused: by an operator", f"lane {LIVE} halted: {HOSTILE}", "lane label_live waits for Redis"],
        "instances": [
            {"consumer": HOSTILE, "lives": True, "state": "paused", "paused": True, "rate": 1500},
            {"consumer": "two", "lives": False, "state": None, "paused": True, "rate": None},
        ],
        "away": [{"what": "PostgreSQL is away", "cause": HOSTILE, "remedy": "start it"}],
    }
    async with browser.page() as page:
        await page.look(PHONE)
        told_as = json.dumps(json.dumps(told))
        script = f"window.fetch = async () => new Response({told_as}, {{ status: 200 }});"
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        await page.open(address(daemon))
        await page.until(SHOWN)
        notices = await page.run("[...document.querySelectorAll('#notices p')].map(e => [e.className, e.textContent])")
        old, paused, halted, waits, away = notices
        assert [kind.split()[1] for kind, _ in notices] == ["warn", "warn", "bad", "warn", "bad"]
        assert "its figures are old" in old[1]
        assert paused[1].startswith("paused: ")
        assert HOSTILE in halted[1]
        assert "waits for Redis" in waits[1]
        assert f"cause: {HOSTILE}" in away[1]
        row = await page.run("[...document.querySelectorAll('#instances td')].map(e => e.textContent)")
        assert row == [HOSTILE, "paused", "1,500", "two", "does not run, starts paused", "–"]
        pills = "[...document.querySelectorAll('#streams .pill')].map(e => e.textContent)"
        assert await page.run(pills) == ["halted", "waiting", "paused"]
        assert await page.run("document.title") == "halted: one"
        assert await page.run("document.documentElement.scrollWidth") == PHONE
        assert page.complaints == []


async def test_without_javascript_it_says_where_else_to_look(daemon: Daemon) -> None:
    async with browser.page() as page:
        await page.send("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(address(daemon))
        document = (await page.send("DOM.getDocument"))["root"]["nodeId"]
        link = await page.send("DOM.querySelector", nodeId=document, selector="noscript a[href='/status.json']")
        box = await page.send("DOM.getBoxModel", nodeId=link["nodeId"])
        assert box["model"]["width"] > 0


async def test_name_that_is_led_here_gets_nothing(daemon: Daemon) -> None:
    """DNS rebinding: for this browser a foreign name is this machine."""
    async with browser.page("--host-resolver-rules=MAP evil.example 127.0.0.1") as page:
        await page.open(address(daemon).replace("127.0.0.1", "evil.example"))
        assert "not served under that name" in await page.run("document.body.textContent")
        assert await page.run("fetch('/status.json').then(answer => answer.status)") == 421
        await page.open(address(daemon))
        await page.until(SHOWN)
