"""The last look at what is shown: no password of the settings, in whatever spelling a driver or server quotes it.

`values.mask` finds passwords by their place in URLs; this finds those that are known, wherever they are.
"""

import json
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from indexer.configuration import values

SHORTEST = 4
"""Shorter ones cannot be told from other text."""


def passwords(urls: Iterable[str]) -> set[str]:
    """The passwords in URLs, in the spellings that texts and JSON have of them.

    One that is also the name of the user, host or database is none that could be kept.
    """
    found: set[str] = set()
    for url in urls:
        try:
            parts = urlsplit(url)
            given = [parts.password or "", *(text for name, text in parse_qsl(parts.query) if "password" in name)]
            public = {parts.username or "", parts.hostname or "", parts.path.strip("/"), parts.scheme}
        except ValueError:
            continue
        for text in given:
            plain = unquote(text)
            if len(plain) >= SHORTEST and not any(plain in name for name in public):
                spellings = {text, plain, quote(plain, safe=""), quote(plain)}
                found |= spellings | {json.dumps(spelt)[1:-1] for spelt in spellings} | {repr(plain)[1:-1]}
    return found


def quoted(fault: BaseException, url: str) -> str:
    """What an error says, without the passwords of the URL that it came from."""
    return scrubbed(values.mask(str(fault)), passwords([url])) or type(fault).__name__


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` in their place, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
