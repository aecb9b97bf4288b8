"""URLs that a stranger chose: one spelling is understood, every other one is refused.

Whoever judges a URL and whoever connects must read it alike. So a host is a plain DNS name in ASCII or an address in
its usual spelling; decimal, octal, hexadecimal and short forms, zone ids, percent-encoding, user names, trailing dots
and letters beyond ASCII (which some software folds to ASCII) are not read at all.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote, urljoin

from indexer.identity.outcomes import Failure

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>[/?][^#]*)?(?:#.*)?",
    re.DOTALL,
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `host` is a name in lower case, or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query; starts with a slash."""

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def url(self) -> str:
        return self.origin + self.path

    @property
    def is_address(self) -> bool:
        return ":" in self.host or _NUMBER.fullmatch(self.host.rpartition(".")[2]) is not None


def target(url: str, *, allow_private: bool) -> Target | Failure:
    """The parts of an absolute URL; `bad_url` or `forbidden_port` where it may not be asked for.

    Only https on port 443, and names of at least two labels; `allow_private` (development) also takes http, other
    ports and single labels such as `localhost`. Addresses are not judged here.
    """
    match = _URL.fullmatch(url)
    if match is None:
        return Failure("bad_url")
    scheme, path = match["scheme"], match["path"] or "/"
    host = _host(match["host"], least_labels=1 if allow_private else 2)
    port = int(match["port"] or _PORTS[scheme])
    try:
        path = quote(path if path.startswith("/") else f"/{path}", safe=_PRINTABLE)
    except UnicodeEncodeError:  # a lone surrogate: bytes of a header that are not UTF-8
        return Failure("bad_url")
    if host is None or not 0 < port < 65536:
        return Failure("bad_url")
    if not allow_private and (scheme, port) != ("https", 443):
        return Failure("forbidden_port")
    return Target(scheme, host, port, path)


def redirected(current: Target, location: str, *, allow_private: bool) -> Target | Failure:
    """Where a Location header leads, judged like any other URL."""
    try:
        return target(urljoin(current.url, location), allow_private=allow_private)
    except ValueError:
        return Failure("bad_url")


def is_host_name(text: str) -> bool:
    """Whether a text is a DNS name of at least two labels as it may stand in a URL."""
    return _is_name(text.lower(), least_labels=2)


def is_url(text: str) -> bool:
    """Whether a browser would read an http or https URL with a host in this text (WHATWG URL).

    For documents that must name a URL (actors.md 2.2). Whether it may be asked for is `target`'s question.
    """
    match = re.match(
        r"https?://[/\\]*(?:[^/\\?#]*@)?(?P<host>\[[^/\\?#\]]*\]|[^/\\?#:]*)(?::(?P<port>[0-9]*))?(?=[/\\?#]|$)", text
    )
    if match is None:
        return False
    host = unquote(match["host"])
    if host.startswith("["):
        return _is_v6(host[1:-1])
    if re.search(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]", host) or not host:
        return False
    port = (match["port"] or "").lstrip("0")
    return len(port) <= 5 and int(port or 0) < 65536 and (not _ends_in_number(host) or _is_legacy_v4(host))


def _host(text: str, least_labels: int) -> str | None:
    """The name in lower case, or the address in its usual spelling; None for anything else."""
    if text.startswith("["):
        return str(IPv6Address(text[1:-1])) if _is_v6(text[1:-1]) else None
    if _ends_in_number(text):
        try:
            return str(IPv4Address(text))
        except ValueError:
            return None
    lowered = text.lower()
    return lowered if _is_name(lowered, least_labels) else None


def _is_name(text: str, least_labels: int) -> bool:
    labels = text.split(".")
    return (
        len(text) <= 253
        and len(labels) >= least_labels
        and all(_LABEL.fullmatch(label) for label in labels)
        and not _ends_in_number(text)
    )


def _ends_in_number(host: str) -> bool:
    """Whether software may read an IPv4 address in the host (WHATWG URL, "ends in a number")."""
    return _NUMBER.fullmatch(host.lower().removesuffix(".").rpartition(".")[2]) is not None


def _is_v6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _is_legacy_v4(host: str) -> bool:
    """Whether a browser reads an IPv4 address: one to four numbers, decimal, octal or hexadecimal."""
    parts = host.lower().removesuffix(".").split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return False
    try:
        numbers = [
            int(part[2:] or "0", 16) if part.startswith("0x") else int(part, 8 if part[0] == "0" else 10)
            for part in parts
        ]
    except ValueError:
        return False
    return all(number < 256 for number in numbers[:-1]) and numbers[-1] < 256 ** (5 - len(numbers))
