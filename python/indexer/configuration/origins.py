"""`config show`: what each setting is and where that comes from, also where `run` would refuse to start."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from indexer.configuration import values
from indexer.configuration.settings import OPTIONS, Option, adjust, resolve, sources, unknown_variables
from indexer.errors import ConfigError

Origin = Literal["default", "environment", "file", "option", "unset", "wrong"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as it can be shown."""

    option: Option
    value: str
    """As text, secrets masked; empty where there is none."""
    origin: Origin
    name: str
    """The variable, the `_FILE` variable or the flag that it comes from; empty for a default."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings, as far as they can be had."""

    found: dict[str, Any]
    """Values by field, without those that are missing or wrong."""
    shown: tuple[Shown, ...]
    warnings: tuple[str, ...]
    faults: tuple[ConfigError, ...]
    """For which `run` would end with 78."""


def read(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Configuration:
    """As `Settings.from_environment`, but whatever is wrong is a value."""
    found: dict[str, Any] = {}
    warnings: list[str] = []
    faults: list[ConfigError] = []
    places: dict[str, tuple[Origin, str]] = {}
    for option in OPTIONS:
        try:
            value, told = resolve([option], environ, flags)
            places[option.field] = _place(option, sources(option, environ, flags)[0][0])
        except ConfigError as fault:
            faults.append(fault)
            is_set = any(environ.get(f"{name}{end}", "").strip() for name in option.variables for end in ("", "_FILE"))
            places[option.field] = ("wrong" if is_set or flags.get(option.field) else "unset", "")
            continue
        found |= value
        warnings += told
    asked_for = found.get("pool_min_idle")
    try:
        adjust(found)
    except ConfigError as fault:
        faults.append(fault)
    if found.get("pool_min_idle") != asked_for and places["pool_min_idle"][0] != "default":
        warnings.append(f"pool_min_idle {asked_for} is lowered to {found['pool_min_idle']}, the maximum of the pool")
    shown = tuple(Shown(option, _text(option, found), *places[option.field]) for option in OPTIONS)
    return Configuration(found, shown, (*warnings, *unknown_variables(environ)), tuple(faults))


def _place(option: Option, source: str) -> tuple[Origin, str]:
    if source == "default":
        return "default", ""
    if source == option.flag:
        return "option", source
    return ("environment" if source in option.variables else "file"), source


def _text(option: Option, found: Mapping[str, Any]) -> str:
    if option.field not in found:
        return ""
    match found[option.field]:
        case None:  # the one word beside numbers: `auto`, `off`
            return "auto" if option.field == "statement_cache" else "off"
        case bool() as switch:
            return str(switch).lower()
        case tuple() as names:
            return ",".join(names)
        case float() as number:
            return f"{number:g}"
        case value:
            return values.masked_secret(str(value)) if option.secret else values.mask(str(value))


def lines(configuration: Configuration) -> Iterator[str]:
    """A setting a line, then warnings and faults."""
    rows = [("setting", "value", "origin")]
    for one in configuration.shown:
        value = {"unset": "(not set)", "wrong": "(not usable)"}.get(one.origin, one.value)
        known = " ".join(one.option.variables)
        rows.append((one.option.field, value, f"{one.origin} {one.name}" if one.name else f"{one.origin} ({known})"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for row in rows:
        yield f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip()
    for warning in configuration.warnings:
        yield f"warning: {warning}"
    for fault in configuration.faults:
        yield f"wrong: {fault}"


def document(configuration: Configuration) -> str:
    """The same as one JSON document."""
    return json.dumps(
        {
            "settings": {
                one.option.field: {
                    "value": one.value if one.origin not in ("unset", "wrong") else None,
                    "unit": one.option.unit,
                    "origin": one.origin,
                    "name": one.name or None,
                    "variables": one.option.variables,
                    "flag": one.option.flag,
                    "default": one.option.default,
                }
                for one in configuration.shown
            },
            "warnings": configuration.warnings,
            "faults": [
                {"what": fault.what, "cause": fault.cause, "remedy": fault.remedy} for fault in configuration.faults
            ],
        },
        indent=2,
    )
