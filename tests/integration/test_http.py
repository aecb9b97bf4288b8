"""The port for machines."""

import socket
from contextlib import closing

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from indexer.daemon.http import Health, serving
from indexer.errors import ConfigError, ExitCode


class Answers:
    """What the process under test says of itself, changeable while it is asked."""

    def __init__(self) -> None:
        self.health = Health(live=True, ready=True)
        self.registry = CollectorRegistry()


async def get(port: int, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_three_paths_are_served_and_no_other() -> None:
    process = Answers()
    async with serving("127.0.0.1", 0, process.registry, lambda: process.health) as port:
        assert port > 0
        statuses = [
            (await get(port, path))[0] for path in ("/metrics", "/livez", "/readyz", "/", "/metrics/", "/healthz")
        ]
    assert statuses == [200, 200, 200, 404, 404, 404]


async def test_metrics_are_in_the_format_of_prometheus() -> None:
    process = Answers()
    Counter("indexer_things", "Things.", registry=process.registry).inc(3)
    async with serving("127.0.0.1", 0, process.registry, lambda: process.health) as port:
        _, kind, text = await get(port, "/metrics")
    assert kind == "text/plain"
    samples = {
        sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples
    }
    assert samples["indexer_things_total"] == 3


async def test_health_is_asked_each_time_and_says_why() -> None:
    process = Answers()
    async with serving("127.0.0.1", 0, process.registry, lambda: process.health) as port:
        assert [await get(port, path) for path in ("/livez", "/readyz")] == [(200, "text/plain", "ok\n")] * 2
        process.health = Health(live=True, ready=False, reasons=("firehose_live: halted (42703)", "redis: away"))
        assert (await get(port, "/livez"))[0] == 200
        assert await get(port, "/readyz") == (503, "text/plain", "firehose_live: halted (42703)\nredis: away\n")
        process.health = Health(live=False, ready=False)
        assert (await get(port, "/livez"))[0] == 503


async def test_port_is_free_again_afterwards() -> None:
    process = Answers()
    async with serving("127.0.0.1", 0, process.registry, lambda: process.health) as port:
        pass
    async with serving("127.0.0.1", port, process.registry, lambda: process.health) as again:
        assert again == port


async def test_taken_port_is_a_fault_of_configuration() -> None:
    process = Answers()
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"METRICS_PORT={port}") as fault:
            async with serving("127.0.0.1", port, process.registry, lambda: process.health):
                pass
    assert fault.value.exit_code is ExitCode.CONFIG
    assert "another process" in fault.value.cause


async def test_address_of_another_machine_is_a_fault_of_configuration() -> None:
    process = Answers()
    with pytest.raises(ConfigError, match=r"METRICS_HOST=192\.0\.2\.1"):
        async with serving("192.0.2.1", 0, process.registry, lambda: process.health):
            pass
