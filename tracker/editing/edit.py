"""What comes of a face that was changed."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Edit:
    """Pictures made of faces, and what is to be said of them."""

    picture: bytes
    """PNG: the originals and what was made of them."""
    values: dict[str, Any]
    """For a JSON file."""
    rows: list[tuple[str, ...]]
    """A table for the terminal, its headings first."""
    notes: list[str]
    """Lines below the table."""
