"""What a live run has to tell its user, in plain lines."""

import sys
import time

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
        tqdm.write(line, file=sys.stderr)

    @property
    def current(self) -> str:
        """The newest line; empty once it is old."""
        told, line = self._newest
        return line if time.monotonic() - told < NOTICE_S else ""
