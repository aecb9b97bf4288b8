"""Whether a handle names a DID: DNS and HTTPS at once, DNS first (actors.md 2.4).

What counts against the handle, so that it becomes NULL, and what does not:

| what happened | judgement |
|---|---|
| a TXT record or the HTTPS host names another DID, or neither names one | against |
| no such name, no address, only non-public ones; TLS failure, connection refused | against |
| no HTTP, a wrong or endless body, too many redirects or one to what may not be asked | against |
| the host is silent: time-out, no route | against, unless most other hosts are silent, too (`witness.py`) |
| the name servers say SERVFAIL or nothing | against, if they answer a control question then; else undecided |
| no network, no file descriptors, all places at the host taken, the host left alone | undecided |
| status 429 | undecided |
| the name servers or the host are late, and our event loop was late itself | undecided |

Undecided means: ask again; nothing is written. A status other than 429 says nothing, only the body counts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from indexer.identity.http import Client
from indexer.identity.lag import LoopLag
from indexer.identity.limits import Limits
from indexer.identity.names import Names
from indexer.identity.outcomes import OURS, SILENT, UNREACHED, Cause, Failure
from indexer.identity.urls import is_host_name

_DNS_PREFIX = b"did="
_LATE: frozenset[Cause] = SILENT | {"dns", "slow"}

# What JavaScript's trim() takes away.
_BLANKS = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True, slots=True)
class Verified:
    """The handle names the DID."""


@dataclass(frozen=True, slots=True)
class Refuted:
    """It does not, and that is the handle's doing."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Undecided:
    """That cannot be said now."""

    cause: Cause
    retry_after_s: float


class Handles:
    """Verifies handles with the name servers and hosts that they name."""

    def __init__(self, names: Names, client: Client, limits: Limits, clock: Callable[[], float], lag: LoopLag) -> None:
        self._names = names
        self._client = client
        self._limits = limits
        self._clock = clock
        self._lag = lag

    async def verify(self, handle: str, did: str) -> Verified | Refuted | Undecided:
        """Whether the handle, as written in the document, resolves to exactly this DID."""
        if not is_host_name(handle):
            return Refuted("bad_handle")
        since, lost_s = self._clock(), self._lag.lost_s
        https = asyncio.create_task(self._by_https(handle))
        try:
            by_dns = await self._by_dns(handle)
            if isinstance(by_dns, str):
                return Verified() if by_dns == did else Refuted("other_did")
            by_https = await https
        finally:
            https.cancel()
            await asyncio.gather(https, return_exceptions=True)
        if by_https == did:
            return Verified()
        is_late = self._lag.lost_s - lost_s > self._limits.overload_s
        return await self._blamed(handle, by_dns, by_https, since, is_late=is_late)

    async def _by_dns(self, handle: str) -> str | Failure:
        """The DID that TXT records name: there must be exactly one; it is neither trimmed nor judged."""
        records = await self._names.texts(f"_atproto.{handle}")
        if isinstance(records, Failure):
            return records
        found = [record for record in records if record.startswith(_DNS_PREFIX)]
        named = found[0].removeprefix(_DNS_PREFIX) if len(found) == 1 else b""
        return named.decode("utf-8", "replace") if named else Failure("no_proof")

    async def _by_https(self, handle: str) -> str | Failure:
        """The DID in the first line of the answer, whatever its status."""
        answer = await self._client.get(
            f"https://{handle}/.well-known/atproto-did",
            max_bytes=self._limits.proof_bytes,
            redirects=self._limits.redirects,
        )
        if isinstance(answer, Failure):
            return answer
        line, end, _ = answer.body.decode("utf-8", "replace").removeprefix("\ufeff").partition("\n")
        named = line.strip(_BLANKS)
        if named.startswith("did:") and (end or answer.is_whole):
            return named
        if answer.status == 429:
            wait_s = self._limits.retry_s if answer.retry_after_s is None else answer.retry_after_s
            return Failure("rate_limited", wait_s)
        return Failure("no_proof")

    async def _blamed(
        self, handle: str, by_dns: Failure, by_https: str | Failure, since: float, *, is_late: bool
    ) -> Refuted | Undecided:
        """Who is to blame that there is no proof; see the table above."""
        https = Failure("other_did") if isinstance(by_https, str) else by_https
        if is_late and {by_dns.cause, https.cause} & _LATE:
            return Undecided("overloaded", self._limits.retry_s)
        if "dns" in (by_dns.cause, https.cause) and not await self._names.work(since):
            return Undecided("dns", self._limits.retry_s)
        if https.cause in OURS:
            return Undecided(https.cause, self._limits.retry_s if https.retry_after_s is None else https.retry_after_s)
        if https.cause in UNREACHED and self._client.witness.is_widespread(handle):
            return Undecided("network_down", self._limits.retry_s)
        return Refuted(https.cause)
