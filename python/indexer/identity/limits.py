"""Every bound of the look-ups, with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, bytes and counts. The defaults are for production; tests shorten the times."""

    timeout_s: float = 3.0
    """Wall clock of one request: name look-up, TLS, redirects and body together (actors.md 2.3, 2.4)."""
    dns_try_s: float = 1.4
    """One question to one name server; two fit into `timeout_s`."""
    wait_s: float = 3.0
    """Waiting for a place at a host that others are asking; not part of `timeout_s`."""

    document_bytes: int = 256 * 1024
    """A directory refuses operations of more than some kilobytes; did:web documents are as small."""
    proof_bytes: int = 2048
    """`/.well-known/atproto-did` (actors.md 2.4); a DID has at most 2,048 characters."""
    answer_bytes: int = 64 * 1024
    """A PDS's answer is one line."""
    redirects: int = 5
    """Of handle hosts and PDSs. Real ones need one or two (`www.`, a hosting service); browsers stop at 20."""
    addresses: int = 8
    """Addresses of one host that are tried."""

    concurrency: int = 64
    """Requests to strangers at once, all in all."""
    per_host: int = 4
    per_address: int = 32
    """Higher than `per_host`: a hosting service has millions of handles behind a few addresses."""
    host_trips: int = 5
    """Failures in a row after which a host is left alone."""
    address_trips: int = 20
    """The same for an address, so that endless names for one tarpit do not help it."""
    open_s: float = 15.0
    open_most_s: float = 60.0
    """How long it is left alone; doubles with each failed trial."""

    directory_concurrency: int = 16
    directory_trips: int = 5
    directory_open_s: float = 5.0
    directory_open_most_s: float = 60.0

    retry_s: float = 30.0
    """When to ask again where nothing better is known."""
    backoff_s: tuple[float, ...] = (0.1, 0.2, 0.4)
    """Between the tries of a PDS (actors.md 4)."""

    witness_s: float = 60.0
    """How far back other hosts are looked at before one host's failure is believed (`witness.py`)."""
    pending_s: float = 1.0
    """A request that has been waiting this long counts as silent there."""
    silent_least: int = 5
    unreached_least: int = 20
    overload_s: float = 1.0
    """Lag of the event loop within one look-up, from which on a time-out is nobody's fault but ours."""
