"""The instance that answers on the metrics port, if there is one: what it says of itself is the last error."""

from dataclasses import dataclass

import aiohttp

from indexer.configuration import values

PATIENCE_S = 2.0
MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Instance:
    """`ready` None: nothing answers at the address."""

    address: str
    ready: bool | None = None
    reasons: tuple[str, ...] = ()


async def ask(host: str, port: int) -> Instance:
    """Ask `/readyz` of this machine's instance; never raises."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not port:  # any free one: only its log knows
        return Instance(address)
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session,
            session.get(f"http://{address}/readyz", allow_redirects=False) as answer,
        ):
            said = (await answer.content.read(MOST_BYTES)).decode(errors="replace")
            if answer.status not in (200, 503):
                return Instance(address)
            reasons = () if answer.status == 200 else tuple(values.mask(line) for line in said.splitlines())
            return Instance(address, answer.status == 200, reasons)
    except (aiohttp.ClientError, OSError, ValueError):
        return Instance(address)
