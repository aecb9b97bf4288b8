"""DNS, by the name servers that the system is configured with (lessons L-24, L-25).

Names are absolute: the search list of the machine is not for the names of strangers. Nothing is cached: a host is
asked for once a day.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.txtbase import TXTBase

from indexer.identity.limits import Limits
from indexer.identity.outcomes import Failure

_ANSWERS_ALIKE_S = 1.0  # an old control tells nothing; one a second is enough, however many look-ups fail
_LATE_ANSWER_S = 0.3  # what addresses of the other family get once there are some


class Names:
    """Answers of the name servers. `nameservers`: address and port each; None: those of the system."""

    def __init__(
        self, limits: Limits, clock: Callable[[], float], nameservers: Sequence[tuple[str, int]] | None = None
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._resolver = _resolver(nameservers)
        self._resolver.timeout = limits.dns_try_s
        self._resolver.use_edns(0, 0, 1232)  # the size that fits every path (DNS flag day 2020)
        self._control: tuple[float, asyncio.Task[bool]] | None = None

    async def close(self) -> None:
        if self._control is not None:
            self._control[1].cancel()
            await asyncio.gather(self._control[1], return_exceptions=True)

    async def texts(self, name: str) -> list[bytes] | Failure:
        """The TXT records of a name, the chunks of each put together; Failure("dns") where nobody could say."""
        records = await self._ask(name, "TXT")
        return (
            records
            if isinstance(records, Failure)
            else [b"".join(r.strings) for r in records if isinstance(r, TXTBase)]
        )

    async def addresses(self, host: str) -> list[str] | Failure:
        """The addresses of a host, both families, as they came; empty where it has none.

        Failure("dns") where nobody could say. `localhost` is known without asking (RFC 6761).
        """
        if host == "localhost" or host.endswith(".localhost"):
            return ["127.0.0.1", "::1"]
        tasks = [asyncio.create_task(self._ask(host, kind)) for kind in ("A", "AAAA")]
        try:
            done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if late and any(_found(task) for task in done):
                # Name servers that swallow questions for AAAA are common enough.
                done, late = await asyncio.wait(tasks, timeout=_LATE_ANSWER_S)
            elif late:
                done, late = await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        answers = [task.result() for task in tasks if task in done]
        failures = [answer for answer in answers if isinstance(answer, Failure)]
        records = [record for answer in answers if not isinstance(answer, Failure) for record in answer]
        found = [record.address for record in records if isinstance(record, A | AAAA)]
        return failures[0] if failures and not found else found

    async def work(self, since: float) -> bool:
        """Whether the name servers answer at all: a control question, put not long before `since` or later.

        It is for a name that nobody has, so that no cache answers it.
        """
        if self._control is None or self._control[0] < since - _ANSWERS_ALIKE_S:
            self._control = (self._clock(), asyncio.create_task(self._answered()))
        return await asyncio.shield(self._control[1])

    async def _answered(self) -> bool:
        return not isinstance(await self._ask(f"_atproto.{secrets.token_hex(10)}.com", "TXT"), Failure)

    async def _ask(self, name: str, kind: str) -> Sequence[dns.rdata.Rdata] | Failure:
        """The records; empty for NXDOMAIN, no such records, or a name that cannot exist."""
        try:
            question = dns.name.from_text(name)
        except dns.exception.DNSException:
            return []
        try:
            # dnspython reckons with the wall clock of the machine, which may jump.
            async with asyncio.timeout(self._limits.timeout_s):
                answer = await self._resolver.resolve(
                    question, kind, raise_on_no_answer=False, lifetime=self._limits.timeout_s, search=False
                )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, EOFError, TimeoutError):
            return Failure("dns")
        return [] if answer.rrset is None else list(answer.rrset)


def _found(task: asyncio.Task[Sequence[dns.rdata.Rdata] | Failure]) -> bool:
    answer = task.result()
    return not isinstance(answer, Failure) and len(answer) > 0


def _resolver(nameservers: Sequence[tuple[str, int]] | None) -> dns.asyncresolver.Resolver:
    if nameservers is None:
        try:
            return dns.asyncresolver.Resolver(configure=True)
        except dns.resolver.NoResolverConfiguration:
            nameservers = [("127.0.0.1", 53)]  # as resolv.conf(5) has it where there is no file
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in nameservers]
    return resolver
