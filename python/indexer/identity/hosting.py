"""Whether a PDS still hosts an account (actors.md 4)."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from indexer.identity import documents
from indexer.identity.http import Client
from indexer.identity.limits import Limits
from indexer.identity.outcomes import UNREACHED, Cause, Failure, Hosting
from indexer.identity.responses import Response
from indexer.identity.urls import target

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 522, 524})
_NETWORK: frozenset[Cause] = UNREACHED | {"dns", "local", "slow", "protocol"}
_METHOD = "/xrpc/com.atproto.sync.getLatestCommit"


async def ask(
    client: Client,
    limits: Limits,
    pds: str,
    did: str,
    *,
    allow_private: bool,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Hosting:
    """Ask the PDS for the newest commit: a commit means `hosted`, RepoNotFound `gone`, all else `unknown`.

    Faults of the network and the statuses that pass are tried again, up to three times; a Retry-After that is longer
    than the pause between the tries ends them.
    """
    place = target(pds, allow_private=allow_private)
    if isinstance(place, Failure):
        return Hosting("unknown", place.cause, limits.retry_s)
    url = f"{place.origin}{_METHOD}?did={quote(did, safe='')}"  # the path of the endpoint does not count
    for pause_s in (*limits.backoff_s, None):
        answer = await client.get(url, max_bytes=limits.answer_bytes, redirects=limits.redirects)
        judged = _judged(answer, limits)
        if pause_s is None or not _may_pass(answer):
            break
        if isinstance(answer, Response) and (answer.retry_after_s or 0) > pause_s:
            break
        await sleep(pause_s)
    return judged


def _may_pass(answer: Response | Failure) -> bool:
    return answer.cause in _NETWORK if isinstance(answer, Failure) else answer.status in RETRIED


def _judged(answer: Response | Failure, limits: Limits) -> Hosting:
    wait_s = limits.retry_s if answer.retry_after_s is None else answer.retry_after_s
    if isinstance(answer, Failure):
        return Hosting("unknown", answer.cause, wait_s)
    try:
        body = documents.parsed(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    if answer.is_success:
        if isinstance(body.get("cid"), str) and isinstance(body.get("rev"), str):
            return Hosting("hosted")
        return Hosting("unknown", "bad_answer", wait_s)
    if body.get("error") == "RepoNotFound":
        return Hosting("gone", "repo_not_found")
    return Hosting("unknown", "rate_limited" if answer.status == 429 else "status", wait_s)
