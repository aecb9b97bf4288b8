"""What is kept of an HTTP answer, and what an error of the client means."""

import errno
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from indexer.identity.outcomes import Cause, Failure

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "appview-indexer"}

RETRY_MOST_S: Final = 3600.0  # more than an hour is not believed

# Time limits are set around whole requests; the client's own would only be others.
NO_LIMIT: Final[dict[str, Any]] = {
    "timeout": aiohttp.ClientTimeout(),
    "auto_decompress": False,
    "trust_env": False,
    "max_line_size": 4096,
    "max_field_size": 8192,
    "max_headers": 128,
    "read_bufsize": 16 * 1024,
}

_ERRNOS: dict[int | None, Cause] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.EPIPE: "refused",
    errno.ENETUNREACH: "local",
    errno.ENETDOWN: "local",
    errno.EADDRNOTAVAIL: "local",
    errno.EMFILE: "local",
    errno.ENFILE: "local",
    errno.ENOBUFS: "local",
    errno.ENOMEM: "local",
    errno.EACCES: "local",
    errno.EPERM: "local",
}


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with any status. `body` is at most as long as was asked for; `is_whole`: nothing was cut off."""

    status: int
    body: bytes
    is_whole: bool
    location: str | None = None
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


async def read(answer: aiohttp.ClientResponse, max_bytes: int) -> Response | Failure:
    """The answer with its body, no more than `max_bytes` of it; raises the client's errors."""
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        return Failure("encoded")
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            break
    return Response(
        answer.status,
        bytes(body[:max_bytes]),
        len(body) <= max_bytes,
        answer.headers.get("Location"),
        retry_after(answer.headers.get("Retry-After"), answer.headers.get("Date")),
    )


def fault(error: Exception, *, has_v4: bool) -> Cause:
    """The cause that an error of the client, or below it, stands for."""
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | ssl.CertificateError):
        return "tls"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "refused"
    if isinstance(error, OSError):
        # Several addresses with several errors have no number. Without a route to its IPv6 addresses a host that
        # has no others cannot be reached from here, which is not a fault of the network.
        cause = _ERRNOS.get(error.errno, "unreachable")
        return "unreachable" if error.errno == errno.ENETUNREACH and not has_v4 else cause
    return "protocol"


def retry_after(text: str | None, date: str | None) -> float | None:
    """The seconds that a Retry-After header names (RFC 9110 10.2.3), at most `RETRY_MOST_S`; None where it names none.

    A point in time is reckoned from the answer's own Date: the host's clock may differ from ours.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), RETRY_MOST_S))
    try:
        seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, or one of them without a zone
        return None
    return min(max(seconds, 0.0), RETRY_MOST_S)
