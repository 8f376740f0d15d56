"""What the user of a live run sees and says: the window with its keys, or a line of progress."""

import math
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from tracker import keys
from tracker.drawing.dashboard import Dashboard
from tracker.errors import SinkError
from tracker.faults import plain_line
from tracker.live.notices import say
from tracker.live.run import Live
from tracker.live.window import Window, png
from tracker.sinks.files import PartFile
from tracker.types import LiveStatus

KEY_WAIT_MS = 15
"""How long the window waits for a key between two looks at the newest frame."""
DRAW_S, IDLE_S = 0.03, 0.25
"""The window is drawn anew after so long at the least where there is a new frame, and at the most without one."""
TERMINAL_INTERVAL_S, LOG_INTERVAL_S = 0.5, 10.0
"""Seconds between two lines of progress, on a terminal and elsewhere."""


def show_loading(window: Window, source: str, model: str, loading: str) -> None:
    """Say in the window what is being loaded: that may take many seconds, in which it would be empty."""
    status = LiveStatus(source, model, 0.0, math.nan, math.nan, 0, loading=loading)
    window.show(Dashboard().draw(None, status))
    window.key(KEY_WAIT_MS)


class Screen:
    """The window of a live run: step() draws what is new and obeys one key."""

    def __init__(self, live: Live, window: Window) -> None:
        self._live = live
        self._window = window
        self._dashboard = Dashboard(blur_faces=live.config.output.blur_faces)
        self._help = self._asked_to_end = False
        self._drawn, self._drawn_at = -1, -IDLE_S
        self._keys: dict[str, Callable[[], None]] = {
            keys.QUIT: self._end,
            keys.PAUSE: live.toggle_pause,
            keys.RECORD: live.toggle_recording,
            keys.NEUTRAL: live.take_baseline,
            keys.MARK: live.mark,
            keys.SCREENSHOT: self._keep_picture,
            keys.HELP: self._toggle_help,
        }

    @property
    def wants_end(self) -> bool:
        """Whether the user pressed q or closed the window."""
        return self._asked_to_end or self._window.closed

    def step(self) -> None:
        """Draw and show the newest frame if it is new, and do what a key asks for."""
        newest = self._live.tracking.newest
        index, now = newest.frame.index if newest else -1, time.monotonic()
        if now - self._drawn_at > (IDLE_S if index == self._drawn else DRAW_S):
            self._image = self._dashboard.draw(newest, self._live.status(self._help))
            self._window.show(self._image)
            self._drawn, self._drawn_at = index, now
        key = self._window.key(KEY_WAIT_MS)
        if key in self._keys:
            self._drawn_at = -IDLE_S
            self._keys[key]()

    def _end(self) -> None:
        self._asked_to_end = True

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _keep_picture(self) -> None:
        """Write the window's picture beside the recordings."""
        name = f"live-{datetime.now():%Y%m%d-%H%M%S-%f}.png"
        try:
            file = PartFile(Path(self._live.config.output.folder) / name, hidden=True)
            file.write(png(self._image))
            file.finish()
        except SinkError as error:
            self._live.notices.tell(plain_line(error))
        else:
            self._live.notices.tell(f"screenshot: {file.path}")


def progress_words(status: LiveStatus) -> str:
    """How the run goes, in one line."""
    if math.isnan(status.latency_p50_ms):
        return f"{status.source}: loading, no frame yet"
    latency = f"{status.latency_from} to sample p50 {status.latency_p50_ms:.0f} ms, p95 {status.latency_p95_ms:.0f} ms"
    recording = "" if status.recorded_s is None else f", recording {status.recorded_s:.0f} s"
    return f"{status.source}: {status.fps:.1f} frames/s, {latency}, {status.dropped} dropped{recording}"


class ProgressLine:
    """One line on standard error in place of the window; where that is no terminal, one every LOG_INTERVAL_S."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(bar_format="{desc}", dynamic_ncols=True, leave=False, disable=not self._terminal)
        self._told = time.monotonic()

    @property
    def wants_end(self) -> bool:
        """Whether nobody is left to hear of the run."""
        return not self._live.check_receivers()

    def step(self) -> None:
        """Wait a little, and tell how the run goes."""
        self._live.tracking.wait(0.1)
        if time.monotonic() - self._told >= (TERMINAL_INTERVAL_S if self._terminal else LOG_INTERVAL_S):
            self._told = time.monotonic()
            self._tell(progress_words(self._live.status()))

    def close(self) -> None:
        """Clear the line."""
        self._bar.close()

    def _tell(self, line: str) -> None:
        if self._terminal:
            self._bar.set_description_str(line)
        else:
            say(line)
