"""What people read: numbers in sentences, and texts that strangers wrote."""


def quantity(number: int, one: str, more: str = "") -> str:
    """`1 letter`, `1,234 letters`; `more` where the plural has no -s."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def printable(text: str) -> str:
    r"""The text with whatever a terminal might obey, or hide, as escapes: controls, directions, lone surrogates."""
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode() if ord(character) > 127 else f"\\x{ord(character):02x}"
    )
