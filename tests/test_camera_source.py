"""Cameras: what is asked of OpenCV, times and pauses, and what a user reads of a fault. The camera is a fake."""

import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources import camera
from tracker.sources.camera import CameraFeed
from tracker.sources.live import LiveSource, open_live
from tracker.sources.switch import Switch


class FakeCamera:
    """cv2.VideoCapture's own interface: a camera of 64x48 at 100 Hz whose pictures count up in their red.

    `frames` is how many it gives before it is unplugged, `stamp` what CAP_PROP_POS_MSEC says at a moment.
    """

    def __init__(
        self, frames: float = 1e9, opens: bool = True, stamp: Callable[[float], float] = lambda now: 0.0
    ) -> None:
        self.frames, self.opens, self.stamp = frames, opens, stamp
        self.grabbed = 0
        self.opened_with: list[tuple[int | str, int]] = []
        self.asked: list[tuple[int, float]] = []
        self.released = False

    def __call__(self, device: int | str, backend: int) -> "FakeCamera":
        self.opened_with.append((device, backend))
        return self

    def isOpened(self) -> bool:
        return self.opens

    def set(self, name: int, value: float) -> bool:
        self.asked.append((name, value))
        return False

    def get(self, name: int) -> float:
        if name == cv2.CAP_PROP_POS_MSEC:
            return 1000 * self.stamp(time.monotonic())
        return {cv2.CAP_PROP_FPS: 100.0, cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV"))}[name]

    def grab(self) -> bool:
        time.sleep(0.01)
        self.grabbed += self.grabbed < self.frames
        return self.grabbed < self.frames

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if self.grabbed % 7 == 3:
            return False, None
        image = np.zeros((48, 64, 3), np.uint8)
        image[:, :, 2] = self.grabbed % 256
        return True, image

    def release(self) -> None:
        self.released = True


def open_fake(fake: FakeCamera, told: list[str] | None = None, uri: str = "camera:0", **options: object) -> LiveSource:
    switch = Switch()
    tell = (lambda line: None) if told is None else told.append
    return LiveSource(CameraFeed(uri, CaptureOptions(**options), switch, tell, fake), switch)


def test_frames_are_rgb_and_what_cannot_be_decoded_is_left_out() -> None:
    fake = FakeCamera()
    with open_fake(fake) as source:
        frames = list(itertools.islice(source, 20))
        assert (source.info.kind, source.info.width, source.info.height) == ("camera", 64, 48)
        assert (source.info.rate_hz, source.info.codec, source.info.time_base) == (100.0, "YUYV", "1/1000")
    numbers = [int(frame.image[0, 0, 0]) for frame in frames]
    assert numbers == sorted(set(numbers)) and all(number % 7 != 3 for number in numbers)
    assert not any(frame.image[:, :, 1:].any() for frame in frames)
    assert fake.released


@pytest.mark.parametrize(
    ("stamp", "ago"), [(lambda now: now - 0.125, 0.125), (lambda now: 5.0, 0.0), (lambda now: now + 1.0, 0.0)]
)
def test_the_drivers_timestamp_is_taken_where_it_can_be_one(stamp: Callable[[float], float], ago: float) -> None:
    with open_fake(FakeCamera(stamp=stamp)) as source:
        arrived = [(frame, time.monotonic()) for frame in itertools.islice(source, 5)]
    assert min(now - frame.captured for frame, now in arrived) == pytest.approx(ago, abs=0.1)
    first = arrived[0][0]
    for frame, _ in arrived:
        assert frame.time == pytest.approx(frame.captured - first.captured, abs=0.002)
    assert all(frame.time == round(frame.time, 3) for frame, _ in arrived)


def test_what_is_asked_and_what_is_told_when_the_camera_gives_something_else() -> None:
    fake, told = FakeCamera(), []
    open_fake(fake, told, width=1280, height=720, rate_hz=60.0, format="MJPG").close()
    assert fake.asked == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 60.0),
        (cv2.CAP_PROP_BUFFERSIZE, 1),
    ]
    assert told == [
        "camera:0 gives 64x48 pixels in place of 1280x720",
        "camera:0 gives 100 Hz in place of 60",
        "camera:0 gives YUYV in place of MJPG",
    ]


def test_nothing_is_told_where_the_camera_gives_what_was_asked() -> None:
    fake, told = FakeCamera(), []
    open_fake(fake, told, width=64, rate_hz=100.0, format="yuyv").close()
    assert told == [] and len(fake.asked) == 4


@pytest.mark.parametrize(
    ("platform", "backend"),
    [("linux", cv2.CAP_V4L2), ("darwin", cv2.CAP_AVFOUNDATION), ("win32", cv2.CAP_MSMF)],
)
def test_the_platforms_own_backend_comes_first_then_any(
    platform: str, backend: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    fake = FakeCamera(opens=False)
    with pytest.raises(SourceError, match="camera:3 cannot be opened"):
        open_fake(fake, uri="camera:3")
    assert fake.opened_with == [(3, backend), (3, cv2.CAP_ANY)]


def test_a_chosen_backend_is_the_only_one() -> None:
    fake = FakeCamera(opens=False)
    with pytest.raises(SourceError, match="camera:/dev/video2 cannot be opened"):
        open_fake(fake, uri="camera:/dev/video2", backend="dshow")
    assert fake.opened_with == [("/dev/video2", cv2.CAP_DSHOW)]


def test_a_bare_camera_is_the_first() -> None:
    fake = FakeCamera()
    open_fake(fake, uri="camera").close()
    assert fake.opened_with[0][0] == 0
    with pytest.raises(SourceError, match=r"camera:front is no camera; expected its number \(camera:0\) or its path"):
        open_fake(fake, uri="camera:front")


def test_a_pause_throws_frames_away_uncounted() -> None:
    fake = FakeCamera()
    with open_fake(fake) as source:
        frames = iter(source)
        before = next(frames)
        source.pause()
        time.sleep(0.1)
        grabbed, dropped = fake.grabbed, source.report().dropped
        time.sleep(0.3)
        assert fake.grabbed > grabbed + 3 and source.report().dropped == dropped
        source.resume()
        next(frames)
        after = next(frames)
    assert after.time - before.time > 0.35 and after.index == 2


def test_a_camera_that_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "LOST_S", 0.3)
    fake, seen = FakeCamera(frames=20), []
    with (
        pytest.raises(SourceError, match=r"^camera:0 gives no more pictures; was it unplugged\? Plug it in"),
        open_fake(fake) as source,
    ):
        for frame in source:
            seen.append(int(frame.image[0, 0, 0]))
    assert seen[-1] == 19 and fake.released


def test_a_camera_that_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "FIRST_FRAME_S", 0.2)
    fake = FakeCamera(frames=0)
    with pytest.raises(SourceError, match=r"^camera:0 gives no picture; another program may be using it: close that"):
        open_fake(fake)
    assert fake.released


def test_closing_while_the_camera_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "LOST_S", 60)
    fake = FakeCamera(frames=5)
    source = open_fake(fake)
    threading.Timer(0.5, source.close).start()
    begin = time.monotonic()
    assert list(source)
    assert time.monotonic() - begin < 20 and fake.released


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices are found in /dev")
def test_why_a_camera_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "DEVICES", tmp_path)
    closed = FakeCamera(opens=False)
    with pytest.raises(SourceError, match=rf"there is no {tmp_path}/video1; cameras found: none\. Plug one in"):
        open_fake(closed, uri="camera:1")
    for number in (0, 10, 2):
        (tmp_path / f"video{number}").touch()
    with pytest.raises(
        SourceError, match=rf"cameras found: {tmp_path}/video0, {tmp_path}/video2, {tmp_path}/video10\."
    ):
        open_fake(closed, uri="camera:1")
    with pytest.raises(SourceError, match=rf"{tmp_path}/video2 gives no video; another program may be using it"):
        open_fake(closed, uri="camera:2")
    monkeypatch.setattr(camera.os, "access", lambda *_: False)
    with pytest.raises(
        SourceError, match=rf"you may not use {tmp_path}/video2; join its group \(sudo usermod -aG video"
    ):
        open_fake(closed, uri="camera:2")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the system speaks, too")
def test_opencv_keeps_quiet_where_there_is_no_camera(capfd: pytest.CaptureFixture[str]) -> None:
    """The real OpenCV, on a number that no machine has."""
    with pytest.raises(SourceError, match=r"^camera:99 cannot be opened: "):
        open_live("camera:99")
    assert capfd.readouterr() == ("", "")
