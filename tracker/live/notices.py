"""What a live run has to tell its user, in plain lines."""

import sys
import time
from contextlib import suppress

from tqdm import tqdm

NOTICE_S = 6.0
"""How long a notice stays in the window."""


class Notices:
    """Plain lines from any thread: each goes to standard error, the newest to the window for a while."""

    def __init__(self) -> None:
        self._newest = (-NOTICE_S, "")

    def tell(self, line: str) -> None:
        """Say a line."""
        self._newest = (time.monotonic(), line)
        say(line)

    @property
    def current(self) -> str:
        """The newest line; empty once it is old."""
        told, line = self._newest
        return line if time.monotonic() - told < NOTICE_S else ""


def say(line: str) -> None:
    """A line on standard error, above a bar of progress; it may be gone, with the terminal that was closed."""
    with suppress(OSError, ValueError):
        tqdm.write(line, file=sys.stderr)
