"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """A number and its noun, as in "1 row" and "12000 rows"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
