"""JSON lines on standard output, for a reader that may be slow, hang, or go away."""

import os
import select

from tracker.errors import SinkError
from tracker.outlets.messages import event_row, text_of
from tracker.outlets.outlet import Outlet, OutletContext, in_words
from tracker.sinks.records import Row, extra_columns, rows
from tracker.types import Event, Tell, TrackedFrame

STDOUT = 1
ROOMY = getattr(select, "PIPE_BUF", 512)
"""Bytes that a pipe which is ready takes without blocking, all or none: more than a line has."""
POLL_MS = 100


class StdoutOutlet(Outlet):
    """One JSON object a line: a row for each frame and face as `affect track --jsonl -` writes it, and events.

    Whole lines, whenever it ends. A reader that closes its end ends the outlet, not the run.
    """

    ROOM = 256

    def __init__(self, context: OutletContext, tell: Tell | None = None, descriptor: int = STDOUT) -> None:
        self._choices = context.columns, extra_columns(context.extras, context.readings)
        self._descriptor = descriptor
        self._poller = select.poll() if hasattr(select, "poll") else None
        if self._poller:
            self._poller.register(descriptor, select.POLLOUT)
        super().__init__("stdout", tell)

    def _hand_frame(self, tracked: TrackedFrame) -> None:
        for row in rows(tracked, *self._choices):
            self._write_line(row)

    def _hand_event(self, event: Event) -> None:
        self._write_line(event_row(event, self._choices[0]))

    def _write_line(self, row: Row) -> None:
        rest = f"{text_of(row)}\n".encode()
        try:
            while rest:
                self._wait()
                rest = rest[os.write(self._descriptor, rest[:ROOMY]) :]
        except BrokenPipeError as error:
            raise SinkError("its reader has closed it; nothing more is written there") from error
        except OSError as error:
            raise SinkError(f"{in_words(error)}; nothing more is written there") from error

    def _wait(self) -> None:
        """Until the reader has room, so that no write blocks and the interpreter can always end."""
        while self._poller and not self._poller.poll(POLL_MS):
            if self._giving_up.is_set():
                raise SinkError("its reader did not read; the rest is lost")
