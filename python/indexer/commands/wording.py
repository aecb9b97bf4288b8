"""Numbers in sentences."""


def quantity(number: int, one: str, more: str = "") -> str:
    """`1 letter`, `1,234 letters`; `more` where the plural has no -s."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"
