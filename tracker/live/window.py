"""The window of a live run: OpenCV's highgui. Opened, shown and read in the main thread alone."""

import os
import subprocess
import sys

import cv2
import numpy as np

from tracker.errors import SinkError
from tracker.keys import KEYS, QUIT

ESCAPE = "\x1b"
TRIAL = "import cv2; cv2.namedWindow('affect')"
"""Run in a process of its own: where the display does not answer, Qt aborts its process."""
TRIAL_S = 30.0
QUIET = "*.warning=false"
"""Keeps Qt's chatter about fonts and sessions off standard error."""


class Window:
    """A window with a title, of the size of its first picture; the user may resize it.

    Raises SinkError where there is no display, it does not answer, or OpenCV has no windows.
    """

    def __init__(self, title: str) -> None:
        _check_display()
        os.environ.setdefault("QT_LOGGING_RULES", QUIET)
        self._title = title
        self._sized = self._closed = False
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise SinkError(_no_window("this OpenCV has none (opencv-python-headless in place of ours?)")) from error

    def show(self, image: np.ndarray) -> None:
        """Show a picture (H, W, 3) uint8 RGB; it is on the screen after the next key(). Does nothing once closed."""
        if self.closed:
            return
        if not self._sized:
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._sized = True
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def key(self, wait_ms: int) -> str | None:
        """The key of tracker.keys.KEYS that is pressed within so many ms (at least 1), Esc as q; None without one."""
        code = cv2.waitKeyEx(max(1, wait_ms)) & 0xFFFF  # above are the modifiers
        key = chr(code).lower() if code < 128 else ""
        return QUIT if key == ESCAPE else key if key in KEYS else None

    @property
    def closed(self) -> bool:
        """Whether the user, or close(), has closed it."""
        self._closed = self._closed or not _visible(self._title)
        return self._closed

    def close(self) -> None:
        """Close it; harmless when repeated."""
        if not self.closed:
            self._closed = True
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)


def png(image: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as the bytes of a PNG file."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


def _visible(title: str) -> bool:
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error:
        return False


def _check_display() -> None:
    """Raise SinkError where a window cannot be opened; on Linux, where trying it here could end this process."""
    if not sys.platform.startswith("linux"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SinkError(_no_window("there is no display (DISPLAY is not set)"))
    try:
        tried = subprocess.run(
            [sys.executable, "-c", TRIAL],
            env={**os.environ, "QT_LOGGING_RULES": ""},
            capture_output=True,
            text=True,
            timeout=TRIAL_S,
        )
    except subprocess.TimeoutExpired as error:
        raise SinkError(_no_window(f"{_display()} has not answered for {TRIAL_S:g} s")) from error
    if tried.returncode:
        raise SinkError(_no_window(_why(tried.stderr)))


def _why(said: str) -> str:
    """What Qt or OpenCV said, in words."""
    if "could not connect to display" in said:
        return f"{_display()} does not answer, or does not let us in"
    last = [line for line in said.splitlines() if line.strip()] or ["it gives no reason"]
    return f"OpenCV's windows do not start here: {last[-1].strip()}"


def _display() -> str:
    return f"display {os.environ['DISPLAY']}" if os.environ.get("DISPLAY") else "X11 (DISPLAY is not set)"


def _no_window(why: str) -> str:
    return f"no window can be opened: {why}; run with --headless, or on a machine with a screen (by SSH: ssh -X)"
