"""What a DID document says, read as the reference reads it (actors.md 2.2). Pure functions."""

import json
from dataclasses import dataclass
from typing import Any

from indexer.identity import keys
from indexer.identity.outcomes import Cause, Unusable
from indexer.identity.urls import is_url

PREFIX = "at://"


@dataclass(frozen=True, slots=True)
class Claims:
    """What an account's document claims: its handle as written, and its PDS."""

    handle: str
    pds: str


def parsed(body: bytes) -> object:
    """The JSON value of an answer, with JavaScript's numbers; ValueError where it is not JSON.

    Invalid UTF-8 is replaced and a byte order mark dropped, as `Response.json()` does.
    """
    try:
        return json.loads(
            body.decode("utf-8-sig", "replace"), parse_float=_number, parse_int=_number, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("nested too deep") from None


def is_valid(did: str, value: object) -> bool:
    """Whether a JSON value is a document of this DID, in the shape that is asked for; other members may be there."""
    return (
        isinstance(value, dict)
        and value.get("id") == did
        and _is_list(value, "alsoKnownAs", lambda entry: isinstance(entry, str))
        and _is_list(value, "verificationMethod", _is_method)
        and _is_list(value, "service", _is_service)
    )


def claims(did: str, document: dict[str, Any]) -> Claims | Unusable:
    """Handle and PDS of a valid document; Unusable where one of them or the signing key is missing or malformed."""
    fault = _key_fault(did, document)
    if fault is not None:
        return Unusable(fault)
    handle = next((name for name in document.get("alsoKnownAs", ()) if name.startswith(PREFIX)), PREFIX)
    if handle == PREFIX:
        return Unusable("no_handle")
    endpoint = pds(did, document)
    return Unusable("no_pds") if endpoint is None else Claims(handle.removeprefix(PREFIX), endpoint)


def pds(did: str, document: dict[str, Any]) -> str | None:
    """The endpoint of the account's PDS: of the first service with the right id, if its type and URL are right, too."""
    service = _first(document.get("service", ()), ("#atproto_pds", f"{did}#atproto_pds"))
    if service is None or service["type"] != "AtprotoPersonalDataServer":
        return None
    endpoint = service["serviceEndpoint"]
    return endpoint if isinstance(endpoint, str) and is_url(endpoint) else None


def _key_fault(did: str, document: dict[str, Any]) -> Cause | None:
    method = _first(document.get("verificationMethod", ()), ("#atproto", f"{did}#atproto"))
    if method is None or not method.get("publicKeyMultibase"):
        return "no_key"
    if not keys.is_key(method["type"], method["publicKeyMultibase"]):
        return "bad_key"
    return None if keys.is_known(method["type"]) else "no_key"


def _first(entries: list[dict[str, Any]], ids: tuple[str, str]) -> dict[str, Any] | None:
    return next((entry for entry in entries if entry["id"] in ids), None)


def _is_list(document: dict[str, Any], name: str, is_entry: Any) -> bool:
    entries = document.get(name, [])
    return isinstance(entries, list) and all(is_entry(entry) for entry in entries)


def _has_texts(entry: object, *names: str) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in names)


def _is_method(entry: Any) -> bool:
    return _has_texts(entry, "id", "type", "controller") and isinstance(entry.get("publicKeyMultibase", ""), str)


def _is_service(entry: Any) -> bool:
    return _has_texts(entry, "id", "type") and isinstance(entry.get("serviceEndpoint"), str | dict)


def _number(text: str) -> int | float | None:
    """A number as JavaScript writes it again: whole ones without a fraction, None for what it cannot hold."""
    number = float(text)
    if abs(number) == float("inf"):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is not JSON")
