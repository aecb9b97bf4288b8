"""What a look-up can come to. The network's faults are values; nothing here is raised."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

Cause = Literal[
    # the host's own doing, seen for certain
    "no_address",  # its name does not exist, or has no address
    "forbidden_address",  # all its addresses are private or otherwise not public
    "forbidden_port",  # not https on port 443
    "bad_url",  # no URL, or its host is spelled in a way that only some software reads
    "refused",  # connection refused or broken off
    "tls",  # no handshake, or a certificate that does not verify
    "protocol",  # the answer is not HTTP
    "redirect",  # where none is followed, or one too many
    "too_big",
    "encoded",  # compressed, although that was declined
    "slow",  # it answers, but does not come to an end
    "status",  # an HTTP status that says no
    "not_json",
    # silence: the host's doing, or ours
    "timeout",
    "unreachable",  # no route to the host
    "dns",  # the name server did not answer, or could not (SERVFAIL)
    # ours
    "local",  # no network at all, no file descriptors left, a local firewall
    "busy",  # too many look-ups wait for the same host
    "circuit_open",  # the host failed again and again; not asked now
    "rate_limited",  # 429; not asked before the time that the host named
    "network_down",  # most hosts fail: it is not this one's fault
    "overloaded",  # our own process was too busy to take the answer in time
    # what is wrong with a DID, its document or its handle
    "bad_did",
    "unknown_method",
    "not_found",
    "tombstone",
    "bad_document",
    "no_handle",
    "no_pds",
    "no_key",
    "bad_key",
    "bad_handle",
    "no_proof",  # the handle names no DID
    "other_did",  # the handle names another DID
    # of a PDS
    "repo_not_found",
    "bad_answer",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)

SILENT: frozenset[Cause] = frozenset({"timeout", "unreachable"})
UNREACHED: frozenset[Cause] = SILENT | {"refused", "tls"}
OURS: frozenset[Cause] = frozenset({"local", "busy", "circuit_open", "rate_limited", "network_down", "overloaded"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that gave no answer. `retry_after_s`: when it makes sense to ask again, where that is known."""

    cause: Cause
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A valid DID document, as parsed from the answer, and when it came (milliseconds since the epoch)."""

    did: str
    content: dict[str, Any]
    fetched_ms: int


@dataclass(frozen=True, slots=True)
class Found:
    """What `actor` must hold: the verified handle in lower case, or None where it does not verify (actors.md 2.2)."""

    did: str
    handle: str | None
    document: dict[str, Any]
    fetched_ms: int
    cause: Cause | None = None
    """Why there is no handle."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The DID has no document. The actor's row is not written."""

    cause: Cause = "not_found"


@dataclass(frozen=True, slots=True)
class Unusable:
    """An answer that asking again will not mend: a malformed DID or document, one without handle, PDS or key.

    The actor's row is not written (actors.md 2.2).
    """

    cause: Cause


@dataclass(frozen=True, slots=True)
class Deferred:
    """Nothing is known yet: ask again, not before `retry_after_s` seconds. The row stays as it is.

    `fallback`: where the document is known and only the handle is in doubt, what the reference would write now. For
    whoever does not want to wait for ever.
    """

    cause: Cause
    retry_after_s: float
    fallback: Found | None = None


@dataclass(frozen=True, slots=True)
class Hosting:
    """What is known of an account's repository (actors.md 4). `unknown`: ask again after `retry_after_s` seconds."""

    answer: Literal["hosted", "gone", "unknown"]
    cause: Cause | None = None
    retry_after_s: float | None = None
