"""A program for a network namespace: do look-ups, configured by the system alone, reach canaries on private addresses?

Run as root by `test_namespace.py` in fresh network and mount namespaces. Hosts, name server and directory have a public
address of the namespace's own; every private address has a listener on ports 443 and 80. Prints one line of JSON.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from indexer.identity import Found, Limits, Resolver
from tests.identity.certificates import Authority
from tests.identity.conftest import document, leads_to, says
from tests.identity.network import NameServer, WebHosts

PUBLIC = "45.0.0.1"
PRIVATE = (
    "127.0.0.1",
    "127.0.0.2",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "::1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "fd00::1",
)
ALIASES = ("0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1")


class Canaries:
    """Listeners that count who comes."""

    def __init__(self) -> None:
        self.visits = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Canaries"]:
        async with contextlib.AsyncExitStack() as stack:
            for address in PRIVATE:
                for port in (443, 80):
                    server = await asyncio.start_server(self._visit, address, port)
                    stack.callback(server.close)
            yield self

    async def _visit(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()


def configure(folder: Path) -> None:
    """Addresses of the namespace, and the system's name server."""
    for address in (PUBLIC, *PRIVATE[1:]):
        if address != "::1":
            family = ["-6"] if ":" in address else []
            subprocess.run(["ip", *family, "address", "add", address, "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "resolv.conf").write_text(f"nameserver {PUBLIC}\nsearch cluster.example\n")
    subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)


async def attack(resolver: Resolver, names: NameServer, hosts: WebHosts, documents: dict[str, object]) -> int:
    """Every way to name a canary; gives the number of look-ups."""
    count = 0
    for number, address in enumerate((*PRIVATE, *ALIASES)):
        name, did = f"c{number}.example", f"did:plc:{number:024}"
        names.addresses[name] = [address]
        literal = f"[{address}]" if ":" in address else address
        hosts.handlers["redirects.example"] = leads_to(f"https://{name}/", 307)
        hosts.handlers["literal.example"] = leads_to(f"https://{literal}/", 301)
        for handle in (name, literal, "redirects.example", "literal.example"):
            documents[did] = document(did, handle)
            await resolver.look_up(did)
        for endpoint in (f"https://{name}", f"http://{name}", f"https://{literal}", "https://redirects.example"):
            documents[did] = document(did, pds=endpoint)
            await resolver.hosting(did)
        await resolver.look_up(f"did:web:{name}")
        count += 9
    return count


async def main(folder: Path) -> None:
    configure(folder)
    authority = Authority(folder)
    os.environ["SSL_CERT_FILE"] = str(authority.certificate)
    os.environ["HTTPS_PROXY"] = os.environ["https_proxy"] = "http://127.0.0.2:80"
    names, hosts, directory, canaries = NameServer(), WebHosts(), WebHosts(), Canaries()
    documents: dict[str, object] = {"did:plc:good": document("did:plc:good", "good.example")}

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(documents[request.path.removeprefix("/")])

    directory.fallback = answer
    names.addresses |= {name: [PUBLIC] for name in ("good.example", "redirects.example", "literal.example")}
    hosts.handlers["good.example"] = says("did:plc:good")
    limits = Limits(backoff_s=(), host_trips=10**6, address_trips=10**6)
    async with (
        names.running(PUBLIC, 53),
        hosts.running(authority.server(), PUBLIC, 443),
        directory.running(None, PUBLIC, 2582),
        canaries.listening(),
    ):
        plc_url = f"http://{PUBLIC}:2582"
        async with Resolver(plc_url=plc_url, limits=limits) as resolver:
            good = await resolver.look_up("did:plc:good")
            look_ups = await attack(resolver, names, hosts, documents)
            visits = canaries.visits
        async with Resolver(plc_url=plc_url, limits=limits, allow_private_addresses=True) as resolver:
            await attack(resolver, names, hosts, documents)
    handle = good.handle if isinstance(good, Found) else repr(good)
    sys.stdout.write(
        json.dumps({"handle": handle, "look_ups": look_ups, "visits": visits, "when_allowed": canaries.visits}) + "\n"
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
