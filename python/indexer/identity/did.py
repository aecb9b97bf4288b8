"""DID documents: asked for, judged, and kept in the cache that the AppView reads (actors.md 2.2, 2.3; streams.md 9)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from indexer.identity import documents
from indexer.identity.cache import DidCache
from indexer.identity.directory import ACCEPT, Directory
from indexer.identity.http import Client
from indexer.identity.limits import Limits
from indexer.identity.outcomes import Cause, Deferred, Document, Failure, NotFound, Unusable
from indexer.identity.responses import REDIRECTS, Response

MAX_DID = 2048  # characters (the DID syntax of atproto)

# Of a failed request for a did:web document: asking the same host again gives the same.
_LASTING: frozenset[Cause] = frozenset(
    {"bad_url", "forbidden_port", "forbidden_address", "redirect", "too_big", "encoded", "protocol"}
)
_LASTING_STATUS: dict[int, Cause] = {400: "bad_did", 410: "tombstone"}


class Documents:
    """Looks documents up; each that is found is written to the cache, each that is not found deleted there.

    Faults change nothing in the cache, as in the reference.
    """

    def __init__(
        self,
        directory: Directory,
        client: Client,
        limits: Limits,
        now_ms: Callable[[], int],
        cache: DidCache | None = None,
    ) -> None:
        self._directory = directory
        self._client = client
        self._limits = limits
        self._now_ms = now_ms
        self._cache = cache

    async def resolve(self, did: str) -> Document | NotFound | Unusable | Deferred:
        """The document of a DID, always asked for anew."""
        given = await self._ask(did)
        answer = Document(did, given, self._now_ms()) if isinstance(given, dict) else given
        if self._cache is not None:
            if isinstance(answer, Document):
                await self._cache.write(did, answer.content, answer.fetched_ms)
            elif isinstance(answer, NotFound):
                await self._cache.delete(did)
        return answer

    async def _ask(self, did: str) -> dict[str, Any] | NotFound | Unusable | Deferred:
        if len(did) > MAX_DID or not did.isprintable():
            return Unusable("bad_did")
        if did.startswith("did:plc:"):
            return self._of_directory(did, await self._directory.get(did))
        if did.startswith("did:web:"):
            url = web_url(did)
            if isinstance(url, Unusable):
                return url
            return self._of_host(did, await self._client.get(url, max_bytes=self._limits.document_bytes, accept=ACCEPT))
        return Unusable("unknown_method")

    def _of_directory(self, did: str, answer: Response | Failure) -> dict[str, Any] | NotFound | Unusable | Deferred:
        if isinstance(answer, Failure):
            return self._deferred(answer)
        if answer.status == 404:
            return NotFound()
        if not answer.is_success:
            lasting = _LASTING_STATUS.get(answer.status)
            return Unusable(lasting) if lasting else self._deferred(Failure("status", answer.retry_after_s))
        try:
            document = _document(did, answer)
        except ValueError:
            # A page that somebody in between shows instead of the directory's answer: that passes.
            return self._deferred(Failure("not_json"))
        return document

    def _of_host(self, did: str, answer: Response | Failure) -> dict[str, Any] | NotFound | Unusable | Deferred:
        if isinstance(answer, Failure):
            return Unusable(answer.cause) if answer.cause in _LASTING else self._deferred(answer)
        if answer.status in REDIRECTS:
            return Unusable("redirect")
        if not answer.is_success:
            return NotFound()
        try:
            return _document(did, answer)
        except ValueError:
            return Unusable("not_json")

    def _deferred(self, failure: Failure) -> Deferred:
        return Deferred(failure.cause, self._limits.retry_s if failure.retry_after_s is None else failure.retry_after_s)


def web_url(did: str) -> str | Unusable:
    """Where the document of a did:web lies; only the form with nothing but a host (and a percent-encoded port)."""
    encoded = did.removeprefix("did:web:")
    if ":" in encoded:
        return Unusable("bad_did")
    try:
        host = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return Unusable("bad_did")
    if not host or any(character in host for character in "/\\?#@"):
        return Unusable("bad_did")
    scheme = "http" if host == "localhost" or host.startswith("localhost:") else "https"
    return f"{scheme}://{host}/.well-known/did.json"


def _document(did: str, answer: Response) -> dict[str, Any] | Unusable:
    """ValueError where the body is not JSON."""
    if not answer.is_whole:
        return Unusable("too_big")
    value = documents.parsed(answer.body)
    return value if isinstance(value, dict) and documents.is_valid(did, value) else Unusable("bad_document")
