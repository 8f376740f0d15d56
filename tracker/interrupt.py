"""Ctrl-C and SIGTERM: a flag that is looked at between frames, so that no output is torn in the middle of a write."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

ENDING = (signal.SIGINT, signal.SIGTERM)
"""What a terminal, and what Slurm, docker and init send to a process that shall end."""


class Flag(Protocol):
    """An event of threads or of processes."""

    def set(self) -> None:
        """Raise the flag."""

    def is_set(self) -> bool:
        """Whether it was raised."""


def end_at_once() -> None:
    """End this process by Ctrl-C's own signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


class Interrupt:
    """While entered, a signal sets the flag and breaks off what the main thread does, unless that is `held`.

    A library may swallow that while it waits for data; a second Ctrl-C calls `insist`. Only a main thread hears it.
    """

    def __init__(
        self,
        flag: Flag,
        insist: Callable[[], None] = end_at_once,
        signals: tuple[signal.Signals, ...] = ENDING,
    ) -> None:
        self.flag = flag
        self._insist = insist
        self._signals = signals
        self._held = False
        self._seen = False

    def __enter__(self) -> "Interrupt":
        heard = self._signals if threading.current_thread() is threading.main_thread() else ()
        self._previous = {number: signal.getsignal(number) for number in heard}
        for number, previous in self._previous.items():
            if previous is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, Ctrl-C only sets the flag; check() tells of it afterwards."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if the flag is set."""
        if self.flag.is_set():
            raise KeyboardInterrupt

    def _handle(self, _: int, __: FrameType | None) -> None:
        if self._seen:
            return self._insist()
        self._seen = True
        self.flag.set()
        if not self._held:
            raise KeyboardInterrupt


@contextmanager
def ignored() -> Iterator[None]:
    """Signals to end are ignored, by processes that are started meanwhile for all their life."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
