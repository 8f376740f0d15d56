"""Cameras of this machine through OpenCV."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources import natural_order
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceInfo, SourceReport, Tell

BACKENDS = {
    "v4l2": cv2.CAP_V4L2,
    "avfoundation": cv2.CAP_AVFOUNDATION,
    "msmf": cv2.CAP_MSMF,
    "dshow": cv2.CAP_DSHOW,
    "any": cv2.CAP_ANY,
}
OWN_BACKENDS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "msmf"}
DEVICES = Path("/dev")
FIRST_FRAME_S = 8.0
"""A camera that was opened has this long to give its first frame: some set their exposure before."""
LOST_S = 2.0
"""A camera that gives no frame for this long is lost."""
RETRY_S = 0.02
SILENT = 0
"""A log level of OpenCV."""
OLDEST_STAMP_S = 1.0
"""A driver's timestamp further back (or ahead of the clock) counts from something else than the monotonic clock."""

Device = int | str
Opener = Callable[..., cv2.VideoCapture]


class CameraFeed:
    """Frames of one camera; `captured` is the driver's timestamp where it gives one, else the moment after the grab.

    A camera has no presentation timestamps: a frame's time is its `captured` less the first one's. `opener` is called
    as cv2.VideoCapture is. Raises SourceError where the camera gives no frame.
    """

    def __init__(
        self,
        uri: str,
        options: CaptureOptions,
        switch: Switch,
        tell: Tell,
        opener: Opener = cv2.VideoCapture,
    ) -> None:
        self._uri = uri
        self._switch = switch
        self._capture = _open(uri, options, opener)
        _ask(self._capture, options)
        picture = self._read(FIRST_FRAME_S)
        if picture is None:
            self.close()
            raise SourceError(f"{uri} gives no picture; another program may be using it: close that, and start again")
        self.info = self._describe(picture[0])
        for difference in _differences(self.info, options):
            tell(f"{uri} gives {difference}")

    def frames(self) -> Iterator[Frame]:
        """Frames as the camera gives them; SourceError once it gives none."""
        start = None
        while picture := self._read(LOST_S):
            image, captured = picture
            if self._switch.on:
                start = captured if start is None else start
                yield Frame(image, captured - start, 0, captured)
        if not self._switch.closed:
            raise SourceError(f"{self._uri} gives no more pictures; was it unplugged? Plug it in, and start again")

    def report(self) -> SourceReport:
        """A camera has no end to reach, and nothing to repair."""
        return SourceReport(0, 0, (), False)

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()

    def _read(self, patience_s: float) -> tuple[np.ndarray, float] | None:
        """The next picture in RGB and when it was captured; None where none comes in time, or once closed."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and not self._switch.closed:
            if self._capture.grab():
                captured = _moment(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, time.monotonic())
                good, image = self._capture.retrieve()
                if good:
                    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), captured
            self._switch.sleep(RETRY_S)
        return None

    def _describe(self, image: np.ndarray) -> SourceInfo:
        return SourceInfo(
            uri=self._uri,
            kind="camera",
            width=image.shape[1],
            height=image.shape[0],
            rate_hz=max(0.0, self._capture.get(cv2.CAP_PROP_FPS)) or None,
            frames=None,
            duration=None,
            time_base="1/1000",
            codec=_fourcc_text(int(self._capture.get(cv2.CAP_PROP_FOURCC))),
        )


def camera_backends() -> list[str]:
    """The names of OpenCV's ways to a camera here."""
    return [cv2.videoio_registry.getBackendName(backend) for backend in cv2.videoio_registry.getCameraBackends()]


def _moment(stamp: float, now: float) -> float:
    """The driver's timestamp (V4L2 gives one on the monotonic clock), or now where it cannot be one."""
    return stamp if 0 <= now - stamp <= OLDEST_STAMP_S else now


def _open(uri: str, options: CaptureOptions, opener: Opener) -> cv2.VideoCapture:
    device = _device_of(uri)
    for backend in _backends(options.backend):
        with _silent():
            capture = opener(device, BACKENDS[backend])
        if capture.isOpened():
            return capture
    raise SourceError(f"{uri} cannot be opened: {_why_not(device)}")


def _device_of(uri: str) -> Device:
    """The number or path after the colon; 0 where there is none."""
    name = uri.partition(":")[2] or "0"
    if name.isascii() and name.isdecimal():
        return int(name)
    if name.startswith("/"):
        return name
    raise SourceError(f"{uri} is no camera; expected its number (camera:0) or its path (camera:/dev/video0)")


def _backends(choice: str) -> tuple[str, ...]:
    """Names in BACKENDS, in the order to try them."""
    return (OWN_BACKENDS.get(sys.platform, "any"), "any") if choice == "auto" else (choice,)


@contextmanager
def _silent() -> Iterator[None]:
    """OpenCV keeps its own lines on a camera that does not open to itself: ours says what to do."""
    logging: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging  # of OpenCV 4 and of 5
    level = logging.getLogLevel()
    logging.setLogLevel(SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _ask(capture: cv2.VideoCapture, options: CaptureOptions) -> None:
    """Ask for what was chosen: the format first, since sizes and rates depend on it, and the smallest buffer."""
    asked = {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*options.format) if options.format else None,
        cv2.CAP_PROP_FRAME_WIDTH: options.width,
        cv2.CAP_PROP_FRAME_HEIGHT: options.height,
        cv2.CAP_PROP_FPS: options.rate_hz,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }
    for name, value in asked.items():
        if value is not None:
            capture.set(name, value)


def _differences(info: SourceInfo, options: CaptureOptions) -> list[str]:
    """What the camera gives in place of what was asked, in words; nothing where it does not say."""
    wanted = (options.width or info.width, options.height or info.height)
    size = f"{info.width}x{info.height} pixels in place of {wanted[0]}x{wanted[1]}"
    rate, asked_hz = info.rate_hz or 0.0, options.rate_hz or 0.0
    codec, asked_format = info.codec, options.format or ""
    different = {
        size: wanted != (info.width, info.height),
        f"{rate:g} Hz in place of {asked_hz:g}": bool(rate and asked_hz) and abs(rate - asked_hz) > 0.5,
        f"{codec} in place of {asked_format}": bool(codec and asked_format) and codec != asked_format.upper(),
    }
    return [words for words, holds in different.items() if holds]


def _fourcc_text(code: int) -> str:
    """The four characters of a pixel format; empty where the backend tells none."""
    text = code.to_bytes(4, "little", signed=code < 0).decode("ascii", "replace").strip()
    return text if text.isprintable() and code > 0 else ""


def _why_not(device: Device) -> str:
    path = Path(device) if isinstance(device, str) else DEVICES / f"video{device}"
    if not sys.platform.startswith("linux"):
        return "no such camera, or another program has it, or this one may not use it (see the privacy settings)"
    if not path.exists():
        found = sorted(map(str, DEVICES.glob("video*")), key=natural_order)
        return (
            f"there is no {path}; cameras found: {', '.join(found) or 'none'}. Plug one in, or name a file or a stream"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return f"you may not use {path}; join its group (sudo usermod -aG video $USER), log in again, and start again"
    return f"{path} gives no video; another program may be using it, or it is no camera: try the next number"
