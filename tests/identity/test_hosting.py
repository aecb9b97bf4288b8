"""actors.md 4: whether an account is still hosted."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from indexer.identity import Deferred, Hosting, Resolver
from indexer.identity.hosting import RETRIED
from tests.identity.conftest import ALICE, SHORT, Hanging, Internet, document, gives, roomy, says

PDS = "pds.example"
COMMIT = {"cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq", "rev": "3jzfcijpj2z2a"}
NOT_FOUND = {"error": "RepoNotFound", "message": "Could not find repo"}


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def resolver(internet: Internet, pauses: list[float]) -> Resolver:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    internet.documents[ALICE] = document(pds=f"https://{PDS}")
    return await internet.resolver(roomy(host_trips=100), sleep=sleep, clock=lambda: 0.0)


async def test_rule_the_pds_is_asked_for_the_latest_commit(internet: Internet, resolver: Resolver) -> None:
    internet.host(PDS, gives(COMMIT))
    assert await resolver.hosting(ALICE) == Hosting("hosted")
    assert (await resolver.hosting(ALICE)).answer == "hosted"
    path = "/xrpc/com.atproto.sync.getLatestCommit?did=did%3Aplc%3Aaaaaaaaaaaaaaaaaaaaaaaaa"
    assert internet.web.requests == [(PDS, path)] * 2


async def test_rule_the_path_of_the_endpoint_does_not_count(internet: Internet, resolver: Resolver) -> None:
    internet.documents[ALICE] = document(pds=f"https://{PDS}:443/some/path?q#f")
    internet.host(PDS, gives(COMMIT))
    assert (await resolver.hosting(ALICE)).answer == "hosted"
    assert internet.web.requests[0][1].startswith("/xrpc/")


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_rule_repo_not_found_is_gone(internet: Internet, resolver: Resolver, status: int) -> None:
    internet.host(PDS, gives(NOT_FOUND, status))
    assert await resolver.hosting(ALICE) == Hosting("gone", "repo_not_found")


async def test_rule_no_document_is_gone(internet: Internet, resolver: Resolver) -> None:
    del internet.documents[ALICE]
    assert await resolver.hosting(ALICE) == Hosting("gone", "not_found")


async def test_rule_no_pds_in_the_document_is_gone(internet: Internet, resolver: Resolver) -> None:
    internet.documents[ALICE] = document(service=[])
    assert await resolver.hosting(ALICE) == Hosting("gone", "no_pds")


async def test_rule_only_the_pds_must_be_there(internet: Internet, resolver: Resolver) -> None:
    internet.documents[ALICE] = document(pds=f"https://{PDS}", alsoKnownAs=[], verificationMethod=[])
    internet.host(PDS, gives(COMMIT))
    assert (await resolver.hosting(ALICE)).answer == "hosted"


@pytest.mark.parametrize(
    "error", ["RepoTakendown", "RepoSuspended", "RepoDeactivated", "InvalidRequest", "repoNotFound"]
)
async def test_rule_other_errors_are_unknown(internet: Internet, resolver: Resolver, error: str) -> None:
    internet.host(PDS, gives({"error": error}, 400))
    assert await resolver.hosting(ALICE) == Hosting("unknown", "status", 30)
    assert internet.web.asked(PDS) == 1, "not tried again"


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "null", "{}", '{"cid":1,"rev":"3k"}', '{"cid":"bafy"}', '{"error":"RepoNotFound"}']
)
async def test_a_success_without_a_commit_is_unknown(internet: Internet, resolver: Resolver, body: str) -> None:
    """A host that answers everything with a page does not host the account; nor does it say that it does not."""
    internet.host(PDS, says(body))
    assert await resolver.hosting(ALICE) == Hosting("unknown", "bad_answer", 30)


@pytest.mark.parametrize("status", sorted(RETRIED))
async def test_rule_statuses_that_are_tried_again(
    internet: Internet, resolver: Resolver, pauses: list[float], status: int
) -> None:
    answers = iter([status, status, status, 200])

    async def improving(_request: web.Request) -> web.StreamResponse:
        return web.json_response(COMMIT, status=next(answers))

    internet.host(PDS, improving)
    assert (await resolver.hosting(ALICE)).answer == "hosted"
    assert pauses == [0.1, 0.2, 0.4]


async def test_rule_the_statuses_are_those_of_the_reference() -> None:
    assert sorted(RETRIED) == [408, 425, 429, 500, 502, 503, 504, 522, 524]


async def test_rule_after_three_more_tries_it_is_unknown(
    internet: Internet, resolver: Resolver, pauses: list[float]
) -> None:
    internet.host(PDS, says("", 503))
    assert await resolver.hosting(ALICE) == Hosting("unknown", "status", 30)
    assert internet.web.asked(PDS) == 4
    assert pauses == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501, 505, 521, 523])
async def test_rule_other_statuses_are_not_tried_again(internet: Internet, resolver: Resolver, status: int) -> None:
    internet.host(PDS, says("", status))
    assert (await resolver.hosting(ALICE)).answer == "unknown"
    assert internet.web.asked(PDS) == 1


async def test_rule_network_errors_are_tried_again(internet: Internet, resolver: Resolver, pauses: list[float]) -> None:
    internet.names.addresses[PDS] = ["45.9.9.9"]
    assert await resolver.hosting(ALICE) == Hosting("unknown", "refused", 30)
    assert len(internet.switchboard.dialled) == 4
    assert pauses == [0.1, 0.2, 0.4]


async def test_a_short_retry_after_does_not_end_the_tries(
    internet: Internet, resolver: Resolver, pauses: list[float]
) -> None:
    answers = iter([says("", 429, Retry_After="0"), gives(COMMIT)])

    async def improving(request: web.Request) -> web.StreamResponse:
        return await next(answers)(request)

    internet.host(PDS, improving)
    assert (await resolver.hosting(ALICE)).answer == "hosted"
    assert pauses == [0.1]


async def test_a_long_retry_after_ends_the_tries(internet: Internet, resolver: Resolver, pauses: list[float]) -> None:
    internet.host(PDS, says("", 429, Retry_After="600"))
    assert await resolver.hosting(ALICE) == Hosting("unknown", "rate_limited", 600)
    assert internet.web.asked(PDS) == 1
    assert pauses == []


async def test_a_pds_that_hangs_is_unknown(internet: Internet, pauses: list[float]) -> None:
    internet.documents[ALICE] = document(pds=f"https://{PDS}")
    internet.host(PDS, Hanging(says("")))
    hosting = await (await internet.resolver(replace(SHORT, backoff_s=(0.0,)))).hosting(ALICE)
    assert hosting == Hosting("unknown", "timeout", 30)


@pytest.mark.parametrize(
    ("endpoint", "cause"),
    [
        ("http://pds.example", "forbidden_port"),
        ("https://pds.example:3000", "forbidden_port"),
        ("https://localhost", "bad_url"),
        ("https://127.0.0.1", "forbidden_address"),
        ("https://user@pds.example", "bad_url"),
        ("https://nowhere.example", "no_address"),
    ],
)
async def test_a_pds_that_may_not_be_asked_is_unknown_not_gone(
    internet: Internet, resolver: Resolver, endpoint: str, cause: Any
) -> None:
    internet.documents[ALICE] = document(pds=endpoint)
    assert await resolver.hosting(ALICE) == Hosting("unknown", cause, 30)
    assert internet.switchboard.dialled == []


@pytest.mark.parametrize(("answer", "cause"), [(410, "tombstone"), (500, "status"), ({"id": "x"}, "bad_document")])
async def test_a_document_that_cannot_be_had_is_unknown(
    internet: Internet, resolver: Resolver, answer: Any, cause: Any
) -> None:
    internet.documents[ALICE] = answer
    assert await resolver.hosting(ALICE) == Hosting("unknown", cause, 30)


async def test_the_time_to_ask_again_is_the_directorys(internet: Internet, resolver: Resolver) -> None:
    internet.directory.fallback = says("", 429, Retry_After="90")
    assert await resolver.hosting(ALICE) == Hosting("unknown", "rate_limited", 90)
    assert await resolver.look_up(ALICE) == Deferred("rate_limited", 90)


async def test_an_endless_answer_is_unknown(internet: Internet, resolver: Resolver) -> None:
    internet.host(PDS, says("{" + " " * 1_000_000 + "}"))
    assert await resolver.hosting(ALICE) == Hosting("unknown", "bad_answer", 30)


async def test_cancelling_between_tries_is_safe(internet: Internet) -> None:
    internet.documents[ALICE] = document(pds=f"https://{PDS}")
    internet.host(PDS, says("", 503))
    resolver = await internet.resolver(roomy(backoff_s=(1000.0,)))
    task = asyncio.create_task(resolver.hosting(ALICE))
    await internet.web.arrived(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
