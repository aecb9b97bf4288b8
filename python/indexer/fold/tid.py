"""TIDs: the time in a rev, and in the record keys that are made like one."""

LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
LATEST_MS = 2**42
"""Later times (from 2109 on) are none that anybody means."""


def instant(text: str) -> int | None:
    """When it was made, milliseconds since the epoch (13 characters of a number: microseconds and a clock id)."""
    if len(text) != 13 or any(letter not in LETTERS for letter in text):
        return None
    number = 0
    for letter in text:
        number = number * 32 + LETTERS.index(letter)
    ms = (number >> 10) // 1000
    return ms if ms < LATEST_MS else None
