"""The newest frame of a feed: order, drops, pauses, ends; and files at their own pace."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources import live
from tracker.sources.live import LiveSource, open_live
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceInfo, SourceReport

IMAGE = np.zeros((4, 4, 3), np.uint8)


class FakeFeed:
    """Gives a frame for each time that is put into it; hangs or fails as told."""

    info = SourceInfo("fake", "camera", 4, 4, 25.0, None, None, "1/90000")

    def __init__(self, times: Iterator[float], hangs: bool = False, fault: Exception | None = None) -> None:
        self.switch = Switch()
        self.given, self.closed = 0, 0
        self._times, self._hangs, self._fault = times, hangs, fault

    def frames(self) -> Iterator[Frame]:
        self.switch.wait_until(0.0)
        for at in self._times:
            if self.switch.closed:
                return
            self.given += 1
            yield Frame(IMAGE, at, 0, time.monotonic())
        if self._hangs:
            threading.Event().wait(5)
        if self._fault:
            raise self._fault

    def report(self) -> SourceReport:
        return SourceReport(0, 3, ("worn",), True)

    def close(self) -> None:
        self.closed += 1

    def source(self) -> LiveSource:
        return LiveSource(self, self.switch)


def until(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def every(period_s: float, count: int) -> Iterator[float]:
    for number in range(count):
        yield number * period_s
        time.sleep(period_s)


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    go_on = threading.Event()

    def times() -> Iterator[float]:
        yield 0.0
        go_on.wait(10)
        yield from (np.arange(1, 50) / 10).tolist()

    feed = FakeFeed(times())
    with feed.source() as source:
        frames = iter(source)
        first = next(frames)
        go_on.set()
        assert until(lambda: feed.closed)
        last = next(frames)
        assert next(frames, None) is None
    assert (first.index, last.index, last.time) == (0, 1, 4.9)
    assert source.report() == SourceReport(2, 3, ("worn",), True, dropped=48)


def test_the_last_frame_is_given_and_then_the_error() -> None:
    feed, seen = FakeFeed(iter([0.0, 0.1]), fault=SourceError("the cable is out")), []
    with pytest.raises(SourceError, match=r"^the cable is out$"), feed.source() as source:
        for frame in source:
            seen.append(frame.time)
            assert until(lambda: feed.closed)
    assert seen[-1] == 0.1 and not source.report().complete


def test_times_are_whole_milliseconds_and_rise() -> None:
    given = [0.0, 0.0, 0.0334, 0.0336, 0.0339, 0.02, 1e-9 + 1 / 3, 0.334]
    feed = FakeFeed(iter(given))
    taken = []
    source = feed.source()
    source._put = taken.append  # type: ignore[method-assign]
    source._switch.start()
    assert until(lambda: feed.closed)
    assert [frame.time for frame in taken] == [0.0, 0.001, 0.033, 0.034, 0.035, 0.036, 0.333, 0.334]


def test_nothing_is_captured_before_the_iteration() -> None:
    feed = FakeFeed(every(0.001, 10**6))
    with feed.source() as source:
        time.sleep(0.1)
        assert feed.given == 0 and not source.paused
        assert next(iter(source)).time < 0.1


@pytest.mark.parametrize("hangs", [True, False])
def test_closing_from_elsewhere_ends_the_iteration(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "JOIN_S", 0.2)
    feed = FakeFeed(iter([0.0]) if hangs else every(0.001, 300), hangs)
    source = feed.source()
    threading.Timer(0.2, source.close).start()
    begin = time.monotonic()
    assert list(source)
    assert time.monotonic() - begin < 3
    assert not source.report().complete


def test_a_source_is_read_once_and_not_after_its_end() -> None:
    with FakeFeed(iter([0.0])).source() as source:
        assert len(list(source)) == 1
        with pytest.raises(SourceError, match="fake was read or closed already; open it again"):
            iter(source)
    closed = FakeFeed(iter([0.0])).source()
    closed.close()
    closed.close()
    with pytest.raises(SourceError, match="closed already"):
        iter(closed)


def test_a_switch_is_a_clock_that_stands_still() -> None:
    switch = Switch()
    switch.pause()
    switch.start()
    assert not switch.on
    begin = time.monotonic()
    threading.Timer(0.3, switch.resume).start()
    due = switch.wait_until(0.2)
    assert due is not None and 0.5 <= due - begin < 5 and due <= time.monotonic()
    assert begin + 0.5 <= (switch.wait_until(0.1) or 0) <= time.monotonic()
    threading.Timer(0.1, switch.close).start()
    assert not switch.sleep(60) and switch.wait_until(60) is None


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """Five pictures, 0.04 s each."""
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), 50 * number, np.uint8))
    return str(tmp_path)


@pytest.mark.parametrize("pace", [1.0, 4.0])
def test_a_file_is_played_at_its_pace(sample_clip: Path, pace: float) -> None:
    with open_live(str(sample_clip), CaptureOptions(pace=pace)) as source:
        taken = list(itertools.islice(((frame, time.monotonic()) for frame in source), 40))
    (first, _), (last, taken_at) = taken[0], taken[-1]
    length = (last.time - first.time) / pace
    assert length >= 39 / 24 / pace - 0.001
    assert length - 0.01 <= last.captured - first.captured < length + 2
    assert last.captured <= taken_at < last.captured + 2
    assert source.info.kind == "video" and source.info.time_base == "1/1000"


def test_a_slow_user_of_a_file_loses_frames_but_not_the_last(sample_clip: Path) -> None:
    frames = []
    with open_live(str(sample_clip), CaptureOptions(pace=6)) as source:
        for frame in source:
            frames.append(frame)
            time.sleep(0.2)
    report = source.report()
    assert report.complete and report.decoded + report.dropped == 216
    assert report.decoded == len(frames) < 30
    assert frames[-1].time == pytest.approx(215 / 24000 * 1001, abs=0.001)


def test_a_quick_user_of_a_file_loses_none(pictures: str) -> None:
    with open_live(pictures, CaptureOptions(pace=0.2)) as source:
        frames = list(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 50, 100, 150, 200]
    assert [frame.time for frame in frames] == [0.0, 0.04, 0.08, 0.12, 0.16]
    assert source.report() == SourceReport(5, 0, (), True)


def test_a_paused_file_stands_still(pictures: str) -> None:
    with open_live(pictures, CaptureOptions(pace=0.2)) as source:
        frames = iter(source)
        first = next(frames)
        source.pause()
        threading.Timer(1.0, source.resume).start()
        rest = list(frames)
    assert [frame.time for frame in rest] == [0.04, 0.08, 0.12, 0.16]
    assert 1.0 <= rest[0].captured - first.captured < 5
    assert source.report().dropped == 0


def test_a_loop_goes_on_in_time(pictures: str) -> None:
    with open_live(pictures, CaptureOptions(pace=0.5, loop=True)) as source:
        assert source.info.duration is None and source.info.frames is None
        frames = list(itertools.islice(source, 12))
    assert frames[0].time == 0.0 and frames[-1].time >= 0.44
    for frame in frames:
        assert int(frame.image[0, 0, 0]) == 50 * (round(frame.time / 0.04) % 5)


def test_a_still_picture_can_be_a_loop(several_faces: Path) -> None:
    with open_live(str(several_faces), CaptureOptions(pace=2, loop=True)) as source:
        assert [frame.time > 0.1 for frame in itertools.islice(source, 6)][-1]


def test_a_wrong_file_is_one_plain_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"absent.mp4 does not exist; expected a video"):
        open_live(str(tmp_path / "absent.mp4"))
