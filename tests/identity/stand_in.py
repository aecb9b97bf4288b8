"""The stand-ins of the oracle's reference run, as servers: a directory, a name server, HTTPS hosts and a PDS.

Every account has the handle `user-` + the last part of its DID in lower case, everything outside `[a-z0-9-]` as `-`,
+ `.test`, and that handle resolves back to the DID: for one half of the accounts by DNS, for the others by HTTPS. A DID
whose last part contains `missing` does not resolve. The PDS hosts every account but those in `deleted`.

    async with StandIn().running(folder) as stand_in, Resolver(**stand_in.arguments()) as resolver:
        ...

A handle is known once the document of its DID has been asked for, or `know` was called: the DID cannot be read from it.
With `dns_port=53, https_port=443` on an address of a network namespace, and SSL_CERT_FILE set to
`authority.certificate`, an unmodified process finds its way without `arguments`.
"""

import asyncio
import contextlib
import re
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.identity.certificates import Authority
from tests.identity.network import NameServer, Switchboard, WebHosts

KEY = "zQ3shPkJyX6ZanqXmNb2q7rqc2enkEGLdDUpvomMCQo91uhEk"
PDS = "pds.test"


def handle_of(did: str) -> str:
    """The handle of the reference run."""
    return f"user-{re.sub('[^a-z0-9-]', '-', did.rpartition(':')[2].lower())}.test"


def document_of(did: str) -> dict[str, Any]:
    """A document with this handle, a key and the PDS."""
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
        "alsoKnownAs": [f"at://{handle_of(did)}"],
        "verificationMethod": [
            {"id": f"{did}#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": KEY}
        ],
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": f"https://{PDS}"}],
    }


class StandIn:
    """All servers together.

    `hanging`: while it is set, nobody answers; `directory_answer`: a status and headers; `only_dns`: every handle is
    proven by DNS and has no web host, as the domains of many people.
    """

    def __init__(self, address: str = "127.0.0.1", dns_port: int = 0, https_port: int = 0) -> None:
        self.address = address
        self.names = NameServer()
        self.names.fallback = self._records
        self.https = WebHosts()
        self.https.fallback = self._https
        self.directory = WebHosts()
        self.directory.fallback = self._directory
        self.switchboard = Switchboard()
        self.deleted: set[str] = set()
        self.directory_answer: tuple[int, dict[str, str]] | None = None
        self.only_dns = False
        self._ports = (dns_port, https_port)
        self._dids: dict[str, str] = {}
        self._answering = asyncio.Event()
        self._answering.set()

    @contextlib.asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator["StandIn"]:
        """Serve for the time of the block; certificates are written to the folder."""
        self.authority = Authority(folder)
        dns_port, https_port = self._ports
        async with (
            self.names.running(self.address, dns_port),
            self.https.running(self.authority.server(), self.address, https_port),
            self.directory.running(None, self.address),
        ):
            self.switchboard.fallback = self.https.port
            try:
                yield self
            finally:
                self.hang(False)

    @property
    def plc_url(self) -> str:
        return f"http://{self.address}:{self.directory.port}"

    def arguments(self) -> dict[str, Any]:
        """The arguments of a Resolver that finds these servers; every host leads to the HTTPS port."""
        return {
            "plc_url": self.plc_url,
            "allow_private_addresses": True,
            "nameservers": [self.names.place],
            "ssl_context": self.authority.trusting(),
            "open_socket": self.switchboard.open_socket,
        }

    def hang(self, hanging: bool = True) -> None:
        """Let all servers fall silent, or answer again (what was asked over HTTP meanwhile is answered then)."""
        self.names.is_down = hanging
        if hanging:
            self._answering.clear()
        else:
            self._answering.set()

    def know(self, did: str) -> None:
        """Let the handle of a DID resolve."""
        self._dids[handle_of(did)] = did

    def _document(self, did: str) -> web.StreamResponse:
        if "missing" in did.rpartition(":")[2]:
            return web.json_response({"message": f"DID not registered: {did}"}, status=404)
        self.know(did)
        return web.json_response(document_of(did))

    def _records(self, name: str, kind: str) -> list[str] | None:
        """A and TXT of everything; AAAA of nothing."""
        if kind == "TXT":
            did = self._dids.get(name.removeprefix("_atproto."))
            by_dns = did is not None and name.startswith("_atproto.") and (self.only_dns or _by_dns(did))
            return [f'"did={did}"'] if by_dns else None
        has_host = not name.startswith("_") and (not self.only_dns or name == PDS)
        return [self.address] if kind == "A" and has_host else []

    async def _directory(self, request: web.Request) -> web.StreamResponse:
        await self._answering.wait()
        if self.directory_answer is not None:
            status, headers = self.directory_answer
            return web.json_response({}, status=status, headers=headers)
        return self._document(request.path.removeprefix("/"))

    async def _https(self, request: web.Request) -> web.StreamResponse:
        await self._answering.wait()
        host = request.host
        if request.path == "/.well-known/did.json":
            return self._document(f"did:web:{host}")
        if request.path == "/.well-known/atproto-did" and (did := self._dids.get(host)) and not _by_dns(did):
            return web.Response(text=did)
        if host == PDS and request.path == "/xrpc/com.atproto.sync.getLatestCommit":
            did = request.query.get("did", "")
            if did in self.deleted:
                return web.json_response({"error": "RepoNotFound", "message": f"no repo of {did}"}, status=400)
            return web.json_response(
                {"cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq", "rev": "3k"}
            )
        return web.Response(status=404, text="not found")


def _by_dns(did: str) -> bool:
    return zlib.crc32(did.encode()) % 2 == 0
