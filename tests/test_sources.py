import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tracker.config import SourceOptions
from tracker.errors import SourceError, UsageError
from tracker.sources import expand_sources, find_pictures, natural_order, open_source, readahead
from tracker.sources.readahead import ReadAhead
from tracker.types import Frame, SourceInfo, SourceReport


class FakeReader:
    """Counts what is asked of it; raises `error` in place of frame number `fails_at`."""

    def __init__(self, count: int, fails_at: int = -1, size: tuple[int, int] = (4, 4)) -> None:
        self.info = SourceInfo("fake", "video", *size, rate_hz=25.0, frames=count, duration=None, time_base="1/25")
        self.count, self.fails_at = count, fails_at
        self.made, self.closed, self.thread = 0, 0, ""

    def frames(self) -> Iterator[Frame]:
        self.thread = threading.current_thread().name
        for index in range(self.count):
            if index == self.fails_at:
                raise SourceError("the disk is gone")
            self.made += 1
            yield Frame(np.zeros((4, 4, 3), np.uint8), index / 25, index)

    def report(self) -> SourceReport:
        return SourceReport(self.made, 0, (), self.made == self.count)

    def close(self) -> None:
        self.closed += 1


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 3
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_every_frame_comes_once_and_in_order_from_another_thread() -> None:
    reader = FakeReader(100)
    with ReadAhead(reader, 4) as source:
        assert [frame.index for frame in source] == list(range(100))
    assert source.report() == SourceReport(100, 0, (), True)
    assert reader.thread == "read-ahead"
    assert reader.closed and not reading_threads()


def test_reading_ahead_is_bounded() -> None:
    reader = FakeReader(1000)
    with ReadAhead(reader, 5) as source:
        next(iter(source))
        assert until(lambda: reader.made >= 6)
        time.sleep(0.25)
        assert reader.made == 6  # one in use, five waiting


def test_large_frames_are_read_ahead_one_by_one() -> None:
    reader = FakeReader(1000, size=(16000, 8000))
    with ReadAhead(reader, 5) as source:
        next(iter(source))
        assert until(lambda: reader.made >= 2)
        time.sleep(0.25)
        assert reader.made == 2


def test_an_error_is_raised_after_the_frames_before_it() -> None:
    reader, seen = FakeReader(100, fails_at=20), []
    with pytest.raises(SourceError, match="the disk is gone"), ReadAhead(reader, 4) as source:
        for frame in source:
            seen.append(frame.index)
    assert seen == list(range(20))
    assert reader.closed and not reading_threads()
    assert not source.report().complete


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_closing_early_never_hangs(taken: int) -> None:
    reader = FakeReader(10**9)
    begin = time.monotonic()
    with ReadAhead(reader, 4) as source:
        frames = iter(source)
        for _ in range(taken):
            next(frames)
    assert time.monotonic() - begin < 2
    assert reader.closed and not reading_threads()
    assert source.report().decoded == taken
    assert not source.report().complete


def test_leaving_the_loop_ends_the_thread_without_a_with_statement() -> None:
    reader = FakeReader(10**9)
    for frame in ReadAhead(reader, 4):
        if frame.index == 3:
            break
    assert until(lambda: not reading_threads()) and reader.closed


def test_an_error_of_the_user_ends_the_thread() -> None:
    reader = FakeReader(10**9)
    with pytest.raises(ZeroDivisionError), ReadAhead(reader, 4) as source:
        for frame in source:
            1 / (frame.index - 3)
    assert reader.closed and not reading_threads()


def test_closing_from_elsewhere_ends_the_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the thread is stuck in a read that never returns."""
    monkeypatch.setattr(readahead, "JOIN_S", 0.2)

    class Stuck(FakeReader):
        def frames(self) -> Iterator[Frame]:
            yield from super().frames()
            threading.Event().wait(3)

    source = ReadAhead(Stuck(3), 4)
    threading.Timer(0.2, source.close).start()
    begin = time.monotonic()
    assert len(list(source)) == 3
    assert time.monotonic() - begin < 2
    assert not source.report().complete


def test_a_source_is_read_once() -> None:
    source = ReadAhead(FakeReader(3), 4)
    assert len(list(source)) == 3
    with pytest.raises(SourceError, match="fake was read or closed already; open it again"):
        iter(source)


def test_a_closed_source_gives_nothing() -> None:
    source = ReadAhead(FakeReader(3), 4)
    source.close()
    with pytest.raises(SourceError, match="closed already"):
        iter(source)


@pytest.mark.parametrize("uri", ["camera:0", "rtsp://example.org/stream", "udp://239.0.0.1:1234"])
def test_live_sources_are_refused(uri: str) -> None:
    with pytest.raises(SourceError, match=f"^{uri} is a live source; follow it with: affect live {uri}$"):
        open_source(uri)


def test_what_cannot_be_a_source(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    cases = {
        "absent.mp4": r"absent.mp4 does not exist; expected a video, a folder",
        "*.png": r"\*.png matches no file",
        "*.txt": r"\*.txt matches no picture; name each video by itself",
        "": r"is a folder without pictures or videos",
        "ftp://example.org/a.mp4": r"not a kind of address that can be read",
    }
    for name, text in cases.items():
        with pytest.raises(SourceError, match=text):
            open_source(name if "://" in name else str(tmp_path / name))


def test_a_folder_of_videos_is_not_one_source(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(SourceError, match="holds videos but no pictures; name one of them"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"start": -1.0}, "start"),
        ({"start": float("nan")}, "start"),
        ({"end": 0.0}, r"end is 0 s; expected a time after start \(0 s\)"),
        ({"start": 2.0, "end": 1.5}, r"end is 1.5 s; expected a time after start \(2 s\)"),
        ({"fps": 0.0}, "fps is 0.0; expected 0.001 to 10000"),
        ({"read_ahead": 0}, "read-ahead is 0; expected 1 to 1000"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        SourceOptions(**options)


def test_natural_order() -> None:
    names = ["f10.png", "F2.png", "f1.png", "f02.png", "10.png", "9.png", "a.png"]
    assert sorted(names, key=natural_order) == ["9.png", "10.png", "a.png", "f1.png", "F2.png", "f02.png", "f10.png"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    names = "clips/b10.mp4 clips/b9.MOV clips/cover.jpg clips/notes.txt clips/.hidden.mp4 shots/s2.png shots/s10.png"
    for name in [*names.split(), "empty/readme.md", "one [take 1].mkv", "odd.dat"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "sources"),
    [
        (["clips/b10.mp4"], ["clips/b10.mp4"]),
        (["clips"], ["clips/b9.MOV", "clips/b10.mp4"]),
        (["shots"], ["shots"]),
        (["clips/*"], ["clips/b9.MOV", "clips/b10.mp4"]),
        (["clips/*.jpg"], ["clips/*.jpg"]),
        (["shots/s*.png"], ["shots/s*.png"]),
        (["s*"], ["shots"]),
        (["*.dat"], ["odd.dat"]),
        (["one [take 1].mkv"], ["one [take 1].mkv"]),
        (["clips/b10.mp4", "clips"], ["clips/b10.mp4", "clips/b9.MOV"]),
        (["-", "https://example.org/a.mp4", "camera:0"], ["-", "https://example.org/a.mp4", "camera:0"]),
    ],
)
def test_expand_sources(tree: Path, patterns: list[str], sources: list[str]) -> None:
    assert expand_sources(patterns) == sources


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("gone.mp4", "gone.mp4 does not exist"),
        ("*.avi", r"\*.avi matches no file"),
        ("empty", "empty is a folder without pictures or videos"),
    ],
)
def test_a_pattern_that_stands_for_nothing(tree: Path, pattern: str, text: str) -> None:
    with pytest.raises(SourceError, match=text):
        expand_sources(["clips", pattern])


def test_find_pictures(tree: Path) -> None:
    assert find_pictures("shots") == ["shots/s2.png", "shots/s10.png"]
    assert find_pictures("clips/cover.jpg") == ["clips/cover.jpg"]
    assert find_pictures("clips/b10.mp4") == []
    assert find_pictures("-") == []


def test_overlays_that_the_tracker_wrote_are_not_sources_again(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.overlay.mp4", "b.mp4"):
        (tmp_path / name).touch()
    assert expand_sources([str(tmp_path)]) == [str(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    assert expand_sources([str(tmp_path / "a.overlay.mp4")]) == [str(tmp_path / "a.overlay.mp4")]
