"""actors.md 2.3: DID documents from the directory and from did:web hosts; the cache is kept up (2.2, step 1)."""

import asyncio
import json
import socket
import ssl
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from indexer.identity import Deferred, DidCache, NotFound, Resolver, Unusable
from indexer.identity.cache import entry
from indexer.identity.did import web_url
from indexer.identity.outcomes import Document
from tests.identity.conftest import ALICE, BOB, SHORT, Hanging, Internet, document, gives, leads_to, roomy, says
from tests.identity.network import WebHosts

WEB = "did:web:alice.example"


async def resolve(resolver: Resolver, did: str = ALICE) -> Document | NotFound | Unusable | Deferred:
    return await resolver._documents.resolve(did)


async def test_rule_plc_get_with_the_did_percent_encoded(internet: Internet) -> None:
    did = "did:plc:a b/c?d#e%f!é"
    paths = []

    async def directory(request: web.Request) -> web.StreamResponse:
        paths.append(request.raw_path)
        return web.json_response(document(did))

    internet.directory.fallback = directory
    assert isinstance(await resolve(await internet.resolver(), did), Document)
    assert paths == ["/did%3Aplc%3Aa%20b%2Fc%3Fd%23e%25f!%C3%A9"]


async def test_rule_plc_accept_header(internet: Internet) -> None:
    internet.documents[ALICE] = document()
    await resolve(await internet.resolver())
    assert internet.directory.headers[0]["Accept"] == "application/did+ld+json,application/json"
    assert internet.directory.headers[0]["Accept-Encoding"] == "identity"


async def test_rule_plc_url_may_have_a_path(internet: Internet) -> None:
    internet.directory.fallback = gives(document())
    resolver = await internet.resolver(plc_url=f"http://localhost:{internet.directory.port}/plc")
    assert isinstance(await resolve(resolver), Document)
    assert internet.directory.requests == [
        (f"localhost:{internet.directory.port}", "/plc/did%3Aplc%3Aaaaaaaaaaaaaaaaaaaaaaaaa")
    ]


async def test_rule_plc_over_https_is_verified(internet: Internet) -> None:
    hosts: WebHosts = await internet.start(WebHosts().running(internet.authority.server("localhost")))
    hosts.fallback = gives(document())
    url = f"https://localhost:{hosts.port}"
    assert isinstance(await resolve(await internet.resolver(plc_url=url)), Document)
    strict = await internet.resolver(plc_url=url, ssl_context=ssl.create_default_context())
    assert await resolve(strict) == Deferred("tls", 30)


async def test_a_document_comes_with_the_time_it_came(internet: Internet) -> None:
    internet.documents[ALICE] = document(extra=[1])
    resolver = await internet.resolver(now_ms=lambda: 1234)
    assert await resolve(resolver) == Document(ALICE, document(extra=[1]), 1234)


async def test_rule_plc_404_is_not_found(internet: Internet) -> None:
    assert await resolve(await internet.resolver()) == NotFound()


@pytest.mark.parametrize("status", [401, 403, 408, 418, 500, 502, 503])
async def test_rule_plc_other_statuses_are_errors(internet: Internet, status: int) -> None:
    internet.documents[ALICE] = status
    assert await resolve(await internet.resolver()) == Deferred("status", 30)


async def test_rule_plc_410_is_an_error_not_a_missing_document(internet: Internet) -> None:
    internet.documents[ALICE] = 410
    assert await resolve(await internet.resolver()) == Unusable("tombstone")


async def test_a_did_that_the_directory_refuses_is_unusable(internet: Internet) -> None:
    internet.documents["did:plc:ABCDEF"] = 400
    assert await resolve(await internet.resolver(), "did:plc:ABCDEF") == Unusable("bad_did")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_rule_plc_redirects_are_refused(internet: Internet, status: int) -> None:
    internet.directory.fallback = leads_to(f"http://127.0.0.1:{internet.directory.port}/x", status)
    assert await resolve(await internet.resolver()) == Deferred("redirect", 30)
    assert len(internet.directory.requests) == 1


async def test_rule_plc_time_limit(internet: Internet) -> None:
    internet.directory.fallback = Hanging(says(""))
    assert await resolve(await internet.resolver(SHORT)) == Deferred("timeout", 30)


async def test_a_directory_that_is_down_defers(internet: Internet) -> None:
    assert await resolve(await internet.resolver(plc_url="http://127.0.0.1:1")) == Deferred("refused", 30)


async def test_a_directory_whose_name_is_not_known_defers(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert await resolve(await internet.resolver(plc_url="http://plc.invalid")) == Deferred("dns", 30)


async def test_a_page_instead_of_the_directorys_answer_defers(internet: Internet) -> None:
    internet.directory.fallback = says("<html>please log in</html>")
    assert await resolve(await internet.resolver()) == Deferred("not_json", 30)


async def test_an_invalid_document_is_unusable(internet: Internet) -> None:
    internet.documents[ALICE] = document(BOB)
    assert await resolve(await internet.resolver()) == Unusable("bad_document")


async def test_a_document_that_is_too_big_is_unusable(internet: Internet) -> None:
    internet.documents[ALICE] = document(more="x" * 300_000)
    assert await resolve(await internet.resolver()) == Unusable("too_big")


@pytest.mark.parametrize("did", ["did:key:z6Mk", "did:", "not-a-did", "", "DID:PLC:abc", "did:plc"])
async def test_rule_other_methods_are_errors(internet: Internet, did: str) -> None:
    assert await resolve(await internet.resolver(), did) == Unusable("unknown_method")


@pytest.mark.parametrize("did", ["did:plc:" + "a" * 2048, "did:plc:\x00", "did:plc:a\nb", "did:plc:\ud800"])
async def test_a_did_that_cannot_be_one_is_not_asked_for(internet: Internet, did: str) -> None:
    assert await resolve(await internet.resolver(), did) == Unusable("bad_did")
    assert internet.directory.requests == []


async def test_429_stops_all_requests_for_as_long_as_retry_after_says(internet: Internet) -> None:
    now = 0.0
    internet.directory.fallback = says("", status=429, Retry_After="77")
    resolver = await internet.resolver(clock=lambda: now)
    assert await resolve(resolver) == Deferred("rate_limited", 77)
    now = 7.0
    assert await resolve(resolver, BOB) == Deferred("rate_limited", 70)
    assert len(internet.directory.requests) == 1
    internet.directory.fallback = gives(document(BOB))
    now = 77.0
    assert isinstance(await resolve(resolver, BOB), Document)


async def test_429_with_a_date_is_honoured(internet: Internet) -> None:
    internet.directory.fallback = says(
        "", status=429, Retry_After="Fri, 21 Nov 2025 10:02:00 GMT", Date="Fri, 21 Nov 2025 10:00:00 GMT"
    )
    assert await resolve(await internet.resolver()) == Deferred("rate_limited", 120)


async def test_429_without_retry_after_waits_a_little(internet: Internet) -> None:
    internet.directory.fallback = says("", status=429)
    assert await resolve(await internet.resolver(roomy(directory_open_s=4))) == Deferred("rate_limited", 4)


async def test_503_with_retry_after_is_honoured(internet: Internet) -> None:
    internet.directory.fallback = says("", status=503, Retry_After="9")
    resolver = await internet.resolver()
    assert await resolve(resolver) == Deferred("rate_limited", 9)
    assert len(internet.directory.requests) == 1


async def test_a_directory_that_fails_again_and_again_is_left_alone(internet: Internet) -> None:
    now = 0.0
    internet.directory.fallback = says("", status=500)
    resolver = await internet.resolver(roomy(directory_trips=3, directory_open_s=5), clock=lambda: now)
    for _ in range(3):
        assert await resolve(resolver) == Deferred("status", 30)
    assert await resolve(resolver) == Deferred("circuit_open", 5)
    assert len(internet.directory.requests) == 3
    now = 5.0
    internet.directory.fallback = gives(document())
    assert isinstance(await resolve(resolver), Document)


async def test_missing_documents_are_no_failures_of_the_directory(internet: Internet) -> None:
    resolver = await internet.resolver(roomy(directory_trips=3))
    for number in range(10):
        assert await resolve(resolver, f"did:plc:{number}") == NotFound()


async def test_the_directory_gets_so_many_requests_at_once(internet: Internet) -> None:
    host = Hanging(gives(document()))
    internet.directory.fallback = host
    resolver = await internet.resolver(roomy(directory_concurrency=3))
    tasks = [asyncio.create_task(resolve(resolver)) for _ in range(10)]
    await internet.directory.arrived(3)
    host.go.set()
    assert all(isinstance(answer, Document) for answer in await asyncio.gather(*tasks))
    assert max(internet.directory.most_at_once.values()) == 3


async def test_rule_web_get_from_the_well_known_place(internet: Internet) -> None:
    internet.host("alice.example", gives(document(WEB)))
    answer = await resolve(await internet.resolver(now_ms=lambda: 5), WEB)
    assert answer == Document(WEB, document(WEB), 5)
    assert internet.web.requests == [("alice.example", "/.well-known/did.json")]
    assert internet.web.headers[0]["Accept"] == "application/did+ld+json,application/json"


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:a.example", "https://a.example/.well-known/did.json"),
        ("did:web:a.example%3A8443", "https://a.example:8443/.well-known/did.json"),
        ("did:web:localhost", "http://localhost/.well-known/did.json"),
        ("did:web:localhost%3A2583", "http://localhost:2583/.well-known/did.json"),
        ("did:web:localhost.example", "https://localhost.example/.well-known/did.json"),
        ("did:web:%61.example", "https://a.example/.well-known/did.json"),
    ],
)
def test_rule_web_host_is_percent_decoded_and_localhost_is_http(did: str, url: str) -> None:
    assert web_url(did) == url


@pytest.mark.parametrize(
    "did",
    [
        "did:web:a.example:path",
        "did:web:a.example:8443",
        "did:web:a.example:",
        "did:web::a.example",
        "did:web:",
        "did:web:a.example%2Fpath",
        "did:web:a.example%3Fq",
        "did:web:a.example%23f",
        "did:web:user%40a.example",
        "did:web:a%5Cb.example",
        "did:web:%ff.example",
    ],
)
async def test_rule_web_only_the_host_form(internet: Internet, did: str) -> None:
    assert await resolve(await internet.resolver(), did) == Unusable("bad_did")
    assert internet.names.asked == []


async def test_rule_web_localhost_is_asked_over_http_in_development_only(internet: Internet) -> None:
    did = f"did:web:localhost%3A{internet.directory.port}"
    internet.directory.fallback = gives(document(did))
    internet.switchboard.routes["127.0.0.1"] = internet.directory.port
    assert await resolve(await internet.resolver(), did) == Unusable("bad_url")
    assert await resolve(await internet.resolver(), "did:web:localhost") == Unusable("bad_url")
    assert internet.switchboard.dialled == []
    assert isinstance(await resolve(await internet.resolver(allow_private_addresses=True), did), Document)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_rule_web_any_other_status_is_not_found(internet: Internet, status: int) -> None:
    internet.host("alice.example", gives(document(WEB), status))
    assert await resolve(await internet.resolver(), WEB) == NotFound()


async def test_rule_web_redirects_are_refused(internet: Internet) -> None:
    internet.host("alice.example", leads_to("https://b.example/did.json"))
    internet.host("b.example", gives(document(WEB)))
    assert await resolve(await internet.resolver(), WEB) == Unusable("redirect")
    assert internet.web.asked("b.example") == 0


async def test_rule_web_time_limit(internet: Internet) -> None:
    internet.host("alice.example", Hanging(says("")))
    assert await resolve(await internet.resolver(SHORT), WEB) == Deferred("timeout", 30)


async def test_a_did_web_host_that_cannot_be_reached_defers(internet: Internet) -> None:
    resolver = await internet.resolver(SHORT)
    assert await resolve(resolver, "did:web:nowhere.example") == Deferred("no_address", 30)
    internet.names.addresses["alice.example"] = ["45.9.9.9"]
    assert await resolve(resolver, WEB) == Deferred("refused", 30)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("<html>", "not_json"),
        ("[]", "bad_document"),
        (json.dumps(document(ALICE)), "bad_document"),
        ("x" * 300_000, "too_big"),
    ],
)
async def test_a_did_web_host_that_gives_something_else_is_unusable(internet: Internet, body: str, cause: Any) -> None:
    internet.host("alice.example", says(body))
    assert await resolve(await internet.resolver(), WEB) == Unusable(cause)


async def test_rule_the_cache_is_bypassed_on_read_and_written_on_success(internet: Internet, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        stale = json.dumps({"doc": document(handle="stale.example"), "updatedAt": 1})
        await redis.set(f"identity:{ALICE}", stale)
        internet.documents[ALICE] = document(handle="fresh.example")
        resolver = await internet.resolver(cache=DidCache(redis), now_ms=lambda: 77)
        answer = await resolve(resolver)
        assert isinstance(answer, Document)
        assert answer.content == document(handle="fresh.example")
        assert await redis.get(f"identity:{ALICE}") == entry(document(handle="fresh.example"), 77)


async def test_rule_the_cache_entry_is_deleted_on_not_found(internet: Internet, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"identity:{ALICE}", "{}")
        assert await resolve(await internet.resolver(cache=DidCache(redis))) == NotFound()
        assert await redis.keys() == []


@pytest.mark.parametrize("answer", [410, 500, 400, "invalid"])
async def test_rule_an_error_leaves_the_cache_alone(internet: Internet, redis_url: str, answer: Any) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"identity:{ALICE}", "{}")
        internet.documents[ALICE] = answer
        await resolve(await internet.resolver(cache=DidCache(redis)))
        assert await redis.get(f"identity:{ALICE}") == b"{}"


async def test_a_document_without_a_handle_is_cached_all_the_same(internet: Internet, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        internet.documents[ALICE] = document(alsoKnownAs=[])
        resolver = await internet.resolver(cache=DidCache(redis))
        assert await resolver.look_up(ALICE) == Unusable("no_handle")
        assert await redis.keys() == [f"identity:{ALICE}".encode()]
