"""Texts of the environment and of flags, turned into values.

Each function refuses with a ValueError that says what is allowed and never repeats the text: it may be a password.
`settings.py` shows the text, masked where it is secret.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

TRUE = frozenset({"true", "t", "1", "yes", "y", "on"})
FALSE = frozenset({"false", "f", "0", "no", "n", "off"})
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
LEVEL_NAMES = {
    **{name: name for name in LOG_LEVELS},
    # The words of pino (TypeScript) and of the log crate (Rust). Faults are logged even where they said "nothing".
    "trace": "debug",
    "warn": "warning",
    "fatal": "critical",
    "silent": "critical",
    "off": "critical",
}

MAX_IDENTIFIER_BYTES = 63  # NAMEDATALEN - 1; PostgreSQL cuts longer ones silently


def mask(text: str) -> str:
    """The text with the passwords of the URLs in it as `***`, in `user:password@` and in `?password=`."""
    text = re.sub(r"(\w://[^\s:@/?]*):[^\s]*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&\s][\w%]*password=)[^\s&]*", r"\1***", text)


def masked_secret(text: str) -> str:
    """For a value that is secret as such: of a URL all but its passwords, blanks in them included; else nothing."""
    if "://" not in text:
        return "***"
    text = re.sub(r"(?s)(\w://[^\s:@/?]*):.*@", r"\1:***@", text)
    return re.sub(r"([?&][^=&]*)=[^&]*", lambda pair: f"{pair[1]}=***" if _is_secret(pair[1]) else pair[0], text)


def _is_secret(name: str) -> bool:
    """Whether a URL's parameter holds a password; drivers read names in whatever way they are encoded."""
    return "password" in unquote(name).lower()


def boolean(text: str) -> bool:
    """`true` or `false`, and their usual other spellings."""
    lowered = text.lower()
    if lowered in TRUE or lowered in FALSE:
        return lowered in TRUE
    raise ValueError("must be true or false")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A parser for decimal whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"must be a whole number from {least} to {most}")

    return parse


@dataclass(frozen=True, slots=True)
class BatchSize:
    """Messages of one batch: as a rule at most `usual`, and up to `most` where more wait."""

    usual: int
    most: int

    def __str__(self) -> str:
        return str(self.usual) if self.most == self.usual else f"{self.usual}-{self.most}"


def batch_size(text: str) -> BatchSize:
    """`500`, which is the most, or `500-3000`, which grows with the backlog."""
    first, dash, last = text.partition("-")
    try:
        number = whole_number(1, 100_000)
        found = BatchSize(number(first), number(last) if dash else number(first))
    except ValueError:
        found = None
    if found is None or found.most < found.usual:
        raise ValueError("must be a whole number from 1 to 100000, or two of them as in 500-3000")
    return found


def choice(*allowed: str) -> Callable[[str], str]:
    """A parser for one of a few words, in any case."""

    def parse(text: str) -> str:
        if text.lower() in allowed:
            return text.lower()
        raise ValueError(f"must be one of: {', '.join(allowed)}")

    return parse


def name(text: str) -> str:
    """A name for Redis or a lease: any text without control characters, at most 200 characters."""
    if len(text) <= 200 and text.isprintable():
        return text
    raise ValueError("must be a name of at most 200 printable characters")


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list of different names; blanks around them do not count."""
    parts = tuple(name(part.strip()) for part in text.split(",") if part.strip())
    if parts and len(set(parts)) == len(parts):
        return parts
    raise ValueError("must be a comma-separated list of different names, at least one")


def identifier(text: str) -> str:
    """The name of a PostgreSQL schema that can hold the AppView's tables."""
    if len(text.encode()) > MAX_IDENTIFIER_BYTES or not text.isprintable() or '"' in text:
        raise ValueError(f"must be a schema's name of at most {MAX_IDENTIFIER_BYTES} bytes, without quotes")
    if text == "indexer" or text.startswith("pg_") or text == "information_schema":
        raise ValueError("must be the schema of the AppView's tables, not the indexer's own or one of PostgreSQL's")
    return text


def percent(text: str) -> float | None:
    """A share above 0 and up to 100 with or without `%`; None for `off`."""
    if text.lower() == "off":
        return None
    number = text.removesuffix("%").strip()
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", number) and 0 < float(number) <= 100:
        return float(number)
    raise ValueError("must be a percentage above 0 and up to 100, or off")


def number_or_off(least: int, most: int) -> Callable[[str], int | None]:
    """A parser for decimal whole numbers from `least` to `most`; None for `off`."""
    number = whole_number(least, most)

    def parse(text: str) -> int | None:
        if text.lower() == "off":
            return None
        try:
            return number(text)
        except ValueError:
            raise ValueError(f"must be a whole number from {least} to {most}, or off") from None

    return parse


rate = number_or_off(1, 1_000_000)
"""Messages a second; None for `off`."""


def cache_size(text: str) -> int | None:
    """How many prepared statements a connection keeps; None for `auto`."""
    if text.lower() == "auto":
        return None
    try:
        return whole_number(0, 10_000)(text)
    except ValueError:
        raise ValueError("must be auto or a whole number from 0 to 10000") from None


def log_level(text: str) -> str:
    """One of `LOG_LEVELS`, from a word or from the directives of RUST_LOG (`indexer=info,other=warn`).

    Of directives the one for `indexer` or `rsky_indexer` counts, else the bare level; the others speak of parts that
    do not exist here.
    """
    directives = dict(part.strip().lower().rpartition("=")[::2] for part in text.split(","))
    ours = [directives[target] for target in ("indexer", "rsky_indexer", "") if target in directives]
    level = ours[0] if ours else "info"
    if level in LEVEL_NAMES:
        return LEVEL_NAMES[level]
    raise ValueError(f"must be one of: {', '.join(LEVEL_NAMES)}")


def http_url(text: str) -> str:
    """An http or https URL with a host, without query; a slash at its end is dropped."""
    parts = _split(text)
    if parts and parts.scheme in {"http", "https"} and _is_address(parts) and not parts.query and not parts.fragment:
        return text.rstrip("/")
    raise ValueError("must be a URL such as https://plc.directory")


def redis_url(text: str) -> str:
    """A URL for redis-py: `redis://`, `rediss://` or `unix://` as given, `host:port` and `host` completed."""
    url = text if "://" in text else f"redis://{text}"
    parts = _split(url)
    if parts and parts.netloc == text and re.search(r":[0-9]+$", text) is None:
        url += ":6379"
    if parts and parts.scheme == "unix" and parts.path.startswith("/") and len(parts.path) > 1:
        return url
    if parts and parts.scheme in {"redis", "rediss"} and _is_address(parts) and re.fullmatch(r"/?|/[0-9]+", parts.path):
        return url
    raise ValueError(
        "must be host:port, redis://host:port/0, rediss://host:port/0 or unix:///path; "
        "characters such as / and @ in a password are written %2F and %40"
    )


def postgres_url(text: str) -> str:
    """A URL for asyncpg: `postgresql://user@host/database`, or `?host=/directory` for a unix socket."""
    parts = _split(text)
    if parts and parts.scheme in {"postgres", "postgresql"}:
        hosts = parts.netloc.rpartition("@")[2].split(",")  # several, as libpq has it
        if (hosts != [""] or "host" in parse_qs(parts.query)) and all(_has_port_or_none(host) for host in hosts):
            return text
    raise ValueError(
        "must be a URL such as postgresql://user:password@host:5432/database or postgresql://user@/database?host=/dir; "
        "characters such as / and @ in a password are written %2F and %40"
    )


def quoted(identifier: str) -> str:
    """An identifier as SQL spells it."""
    return '"' + identifier.replace('"', '""') + '"'


def _split(url: str) -> SplitResult | None:
    """`urlsplit`, with None for what is no URL: its own errors repeat parts of the text."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_address(parts: SplitResult) -> bool:
    host = parts.netloc.rpartition("@")[2]
    return bool(host) and not host.startswith(":") and _has_port_or_none(host)


def _has_port_or_none(host: str) -> bool:
    match = re.fullmatch(r"(?:\[[^\]\s]+\]|[^:\[\]\s]*)(?::([0-9]{1,5}))?", host)
    return match is not None and (match[1] is None or 0 < int(match[1]) < 65536)
