"""Every setting of `run`: variable, flag, unit, default, and how the text is read (interface.md, Configuration).

Only `from_environment` reads the environment; everything else receives `Settings` or the few fields it needs.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from indexer.configuration import values
from indexer.configuration.criteria import Criteria, criteria
from indexer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table: a field of `Settings` and where its text comes from."""

    field: str
    variables: tuple[str, ...]
    """In order of precedence: the TypeScript indexer's name before rsky's."""
    flag: str
    default: str | None
    """As text; None: required."""
    unit: str
    parse: Callable[[str], object]
    help: str
    secret: bool = False


_COUNT = values.whole_number(1, 100_000)

OPTIONS: tuple[Option, ...] = (
    Option("redis_url", ("REDIS_HOST", "REDIS_URL"), "--redis-url", None, "URL", values.redis_url,
           "Redis with the streams: host:port, redis://, rediss:// or unix://", secret=True),
    Option("postgres_url", ("DB_POSTGRES_URL", "DATABASE_URL"), "--postgres-url", None, "URL", values.postgres_url,
           "PostgreSQL with the AppView's tables; ?host=/dir for a unix socket", secret=True),
    Option("postgres_schema", ("DB_POSTGRES_SCHEMA",), "--postgres-schema", "public", "name", values.identifier,
           "schema of the AppView's tables"),
    Option("consumer", ("INDEXER_CONSUMER",), "--consumer", None, "name", values.name,
           "name in the consumer groups; unique per process, kept over restarts"),
    Option("streams", ("INDEXER_STREAMS",), "--streams", "firehose_live,firehose_backfill", "names", values.names,
           "streams of events, a lane each"),
    Option("group", ("INDEXER_GROUP",), "--group", "firehose_group", "name", values.name,
           "consumer group on the streams of events"),
    Option("label_stream", ("INDEXER_LABEL_STREAM",), "--label-stream", "label_live", "name", values.name,
           "stream of labels"),
    Option("label_group", ("INDEXER_LABEL_GROUP",), "--label-group", "label_group", "name", values.name,
           "consumer group on the stream of labels"),
    Option("mode", ("INDEXER_MODE",), "--mode", "all", "all|stream|label", values.choice("all", "stream", "label"),
           "which lanes run: events and labels, events only, labels only"),
    Option("batch_size", ("INDEXER_BATCH_SIZE",), "--batch-size", "500-3000", "messages", values.batch_size,
           "most messages in one batch and in one read; of two numbers the second is for a backlog"),
    Option("concurrency", ("INDEXER_CONCURRENCY",), "--concurrency", "100", "batches", _COUNT,
           "understood for compatibility, without effect: a lane writes one batch at a time"),
    Option("pool_max_size", ("DB_POOL_MAX_SIZE",), "--pool-max-size", "20", "connections", values.whole_number(1, 1000),
           "most PostgreSQL connections of the whole process"),
    Option("pool_min_idle", ("DB_POOL_MIN_IDLE",), "--pool-min-idle", "5", "connections", values.whole_number(0, 1000),
           "connections kept open; lowered to the maximum where it is greater"),
    Option("statement_cache", ("INDEXER_STATEMENT_CACHE",), "--statement-cache", "auto", "statements",
           values.cache_size, "prepared statements kept per connection; auto: none behind a pooler"),
    Option("notifications", ("INDEXER_NOTIFICATIONS",), "--notifications", "live", "live|all|updates|off",
           values.choice("live", "all", "updates", "off"), "which events write notifications"),
    Option("aggregates", ("INDEXER_AGGREGATES",), "--aggregates", "delta", "delta|recount|off",
           values.choice("delta", "recount", "off"), "how counters are kept"),
    Option("account_deletion", ("INDEXER_ACCOUNT_DELETION",), "--account-deletion", "purge", "purge|ignore",
           values.choice("purge", "ignore"), "what a deleted account's rows become"),
    Option("did_resolution", ("ENABLE_DID_RESOLUTION",), "--did-resolution", "true", "true|false", values.boolean,
           "look handles up; false: no look-ups and no removal of accounts"),
    Option("plc_url", ("PLC_URL",), "--plc-url", "https://plc.directory", "URL", values.http_url,
           "directory of did:plc documents"),
    Option("allow_private_addresses", ("INDEXER_ALLOW_PRIVATE_ADDRESSES",), "--allow-private-addresses", "false",
           "true|false", values.boolean, "development: look-ups may reach private addresses and other ports"),
    Option("max_attempts", ("INDEXER_MAX_ATTEMPTS",), "--max-attempts", "3", "tries", values.whole_number(1, 100),
           "tries of a message that PostgreSQL refuses as data, before it is a dead letter"),
    Option("dead_letter_limit", ("INDEXER_DEAD_LETTER_LIMIT",), "--dead-letter-limit", "5", "percent", values.percent,
           "a lane halts when PostgreSQL refused more of its last 10000 messages, or over half are dead; off: never"),
    Option("rate", ("INDEXER_RATE",), "--rate", "off", "messages/s", values.rate,
           "most messages a second that are read, all lanes together; off: no limit"),
    Option("canary", ("INDEXER_CANARY",), "--canary", "off", "messages", values.number_or_off(1, 10**9),
           "take so many messages at most, all lanes together, then stop with a summary; off: go on"),
    Option("stop_if", ("INDEXER_STOP_IF",), "--stop-if", "off", "criteria", criteria,
           "error budget such as dead>0.1%|db>5|p99>2s|late>10m: what was read is finished, then exit code 1; judged "
           "over the last 10000 messages of all lanes, shares and times from 1000 on"),
    Option("claim_idle_ms", ("INDEXER_CLAIM_IDLE_MS",), "--claim-idle-ms", "600000", "milliseconds",
           values.whole_number(0, 10**9), "idle time after which another consumer's entry is taken over; 0: never"),
    Option("grace_s", ("INDEXER_GRACE_SECONDS",), "--grace-seconds", "25", "seconds", values.whole_number(0, 86_400),
           "time to finish after SIGTERM"),
    Option("metrics_port", ("METRICS_PORT",), "--metrics-port", "4020", "port", values.whole_number(0, 65_535),
           "port of /metrics, /livez and /readyz; 0: any free one, logged"),
    Option("metrics_host", ("METRICS_HOST",), "--metrics-host", "127.0.0.1", "address", values.name,
           "address that the metrics port listens on"),
    Option("typescript_metrics", ("INDEXER_TYPESCRIPT_METRICS",), "--typescript-metrics", "false", "true|false",
           values.boolean, "also give the series of the TypeScript indexer, under its names"),
    Option("status_page", ("INDEXER_STATUS_PAGE",), "--status-page", "auto", "auto|on|off",
           values.choice("auto", "on", "off"),
           "status page at / of the metrics port; auto: where METRICS_HOST is a loopback address"),
    Option("log_level", ("LOG_LEVEL", "RUST_LOG"), "--log-level", "info", "level", values.log_level,
           "least level that is logged"),
)  # fmt: skip

# Read elsewhere: by the tests and the demo (interface.md), by the launcher of embedded servers, by single commands.
OTHER_VARIABLES = (
    "INDEXER_TEST_REDIS_URL",
    "INDEXER_TEST_POSTGRES_URL",
    "INDEXER_TEST_REQUIRE_PACKAGES",
    "INDEXER_PG_BIN",
    "INDEXER_REDIS_SERVER",
)

OF_COMMANDS: set[str] = set()
"""Variables of flags that belong to one command, noted when its parser is made (`commands/twins.py`)."""

# What Kubernetes sets in every pod beside a Service that is called `indexer`.
_SERVICE_LINK = re.compile(r"INDEXER_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `run` needs to know; one field per row of `OPTIONS`, and the switches without a variable.

    `repr` shows no URL that can hold a password.
    """

    redis_url: str = field(repr=False)
    postgres_url: str = field(repr=False)
    postgres_schema: str
    consumer: str
    streams: tuple[str, ...]
    group: str
    label_stream: str
    label_group: str
    mode: Literal["all", "stream", "label"]
    batch_size: values.BatchSize
    concurrency: int
    pool_max_size: int
    pool_min_idle: int
    statement_cache: int | None
    """None: found out by trying."""
    notifications: Literal["live", "all", "updates", "off"]
    aggregates: Literal["delta", "recount", "off"]
    account_deletion: Literal["purge", "ignore"]
    did_resolution: bool
    plc_url: str
    allow_private_addresses: bool
    max_attempts: int
    dead_letter_limit: float | None
    """Percent; None: no limit."""
    rate: int | None
    """None: no limit."""
    canary: int | None
    """None: it does not stop."""
    stop_if: Criteria | None
    claim_idle_ms: int
    grace_s: int
    metrics_port: int
    metrics_host: str
    typescript_metrics: bool
    status_page: Literal["auto", "on", "off"]
    log_level: str
    drain: bool = False
    takeover: bool = False
    """Process what `consumer` holds and nothing new; together with `drain`."""
    wait: bool = False

    @property
    def streams_read(self) -> tuple[str, ...]:
        """The streams that have a lane in this mode; that of labels is the last."""
        events = () if self.mode == "label" else self.streams
        return events if self.mode == "stream" else (*events, self.label_stream)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], flags: Mapping[str, str | None]) -> tuple[Self, list[str]]:
        """Settings and the warnings about what was given.

        `flags` holds texts by field; None counts as not given. The first that is set wins: flag, variable, the file
        that `<variable>_FILE` names, default. ConfigError for what is missing, unreadable or not allowed.
        """
        found, warnings = resolve(OPTIONS, environ, flags)
        adjust(found)
        return cls(**found), warnings + unknown_variables(environ)

    def described(self) -> dict[str, object]:
        """The fields for a log line, passwords masked."""
        shown = {option.field: getattr(self, option.field) for option in OPTIONS}
        return {
            name: values.mask(str(value)) if isinstance(value, str | Criteria | values.BatchSize) else value
            for name, value in shown.items()
        }


def resolve(
    options: Iterable[Option], environ: Mapping[str, str], flags: Mapping[str, str | None]
) -> tuple[dict[str, Any], list[str]]:
    """Values by field for some rows of the table, and warnings; as `Settings.from_environment`."""
    found: dict[str, Any] = {}
    warnings: list[str] = []
    for option in options:
        found_in = sources(option, environ, flags)
        if not found_in:
            raise _missing(option)
        source, text = found_in[0]
        found[option.field] = _parsed(option, source, text)
        warnings += [
            f"{source} and {other} differ; {source} counts"
            for other, rival in found_in[1:]
            if _differs(option, found[option.field], rival)
        ]
    return found, warnings


def adjust(found: dict[str, Any]) -> None:
    """Make values fit each other. ConfigError where they cannot; fields that are not there do not count."""
    if found.keys() >= {"pool_min_idle", "pool_max_size"}:
        found["pool_min_idle"] = min(found["pool_min_idle"], found["pool_max_size"])
    if found.get("mode") == "all" and found.get("label_stream") in found.get("streams", ()):
        raise ConfigError(
            f"INDEXER_LABEL_STREAM={found['label_stream']} is one of INDEXER_STREAMS",
            "events and labels are read from different streams",
            "take the stream of labels out of INDEXER_STREAMS",
        )


def option(field: str) -> Option:
    """The row of a field."""
    return next(row for row in OPTIONS if row.field == field)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A warning for each INDEXER_* variable that nothing reads, with the name that was probably meant."""
    known = {name for row in OPTIONS for variable in row.variables for name in (variable, f"{variable}_FILE")}
    known.update(OTHER_VARIABLES, OF_COMMANDS)
    warnings = []
    for variable in sorted(environ):
        if not variable.startswith("INDEXER_") or variable in known or _SERVICE_LINK.fullmatch(variable):
            continue
        meant = difflib.get_close_matches(variable, known, n=1, cutoff=0.75)
        warnings.append(f"{variable} is not a setting" + (f"; did you mean {meant[0]}?" if meant else ""))
    return warnings


def sources(option: Option, environ: Mapping[str, str], flags: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Where the option is set, best first: pairs of source and text. Only the names of one rank can be rivals.

    A source is the flag, a variable, `<variable>_FILE` or `default`.
    """
    if flag := flags.get(option.field):
        return [(option.flag, flag)]
    given = [(variable, text) for variable in option.variables if (text := environ.get(variable, "").strip())]
    if not given:
        files = [(f"{variable}_FILE", environ.get(f"{variable}_FILE", "").strip()) for variable in option.variables]
        given = [(variable, text) for variable, path in files if path and (text := _content(variable, path))]
    if not given and option.default is not None:
        given = [("default", option.default)]
    return given


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"{variable}={values.mask(path)} cannot be read",
            reason or type(fault).__name__,
            "name a file with the value in it",
        ) from None


def _parsed(option: Option, source: str, text: str) -> object:
    try:
        return option.parse(text)
    except ValueError as fault:
        shown = values.masked_secret(text) if option.secret else values.mask(text)
        raise ConfigError(f"{source}={shown} is not allowed", str(fault), f"correct {source}") from None


def _differs(option: Option, value: object, rival: str) -> bool:
    try:
        return option.parse(rival) != value
    except ValueError:
        return True


def _missing(option: Option) -> ConfigError:
    names = " or ".join(option.variables)
    return ConfigError(
        f"{option.variables[0]} is not set",
        f"{option.help}: this has no default",
        f"set {names}, or give {option.flag}; `indexer run --help` lists all settings",
    )
