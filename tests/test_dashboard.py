"""The picture of the live window: what is drawn, where, in which colour, what is remembered; no text covers another."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from math import nan
from pathlib import Path

import numpy as np
import pytest
from tracked import sample_at, tracked, without_face

from tracker.config import FACE_COLOURS
from tracker.drawing import captions, letters
from tracker.drawing.dashboard import Dashboard, seen_in
from tracker.drawing.gauges import PANEL, SPAN_S, Dial, Trace
from tracker.drawing.history import History
from tracker.drawing.layout import Layout, layout
from tracker.drawing.marks import Rect, area, blur_face, overlap
from tracker.errors import UsageError
from tracker.keys import KEYS
from tracker.types import LiveStatus, TrackedFrame

ROOT = Path(__file__).parents[1]
SIZES = [(960, 540), (1280, 720), (1000, 1000), (1920, 1080)]
STATUS = LiveStatus("camera:0", "anclaf-compact-S-8", 29.97, 31.2, 44.7, 0)
BUSY = replace(
    STATUS,
    source="rtsp://camera.laboratory.example.org:8554/room-4/participant-17?stream=high&transport=tcp",
    dropped=123456,
    recorded_s=3725.0,
    baseline=0.5,
    paused=True,
    notice="rtsp://camera.laboratory.example.org:8554/room-4: no frame for 5 s; opening it again in 2 s (attempt 2)",
    outlets=("ws 127.0.0.1:8765, 2 clients, 3 lost", "osc 192.168.17.23:9000, 17 lost", "lsl affect, 1 client", "json"),
)
BOX = (200.0, 100.0, 330.0, 250.0)


def place_of(at: Layout, name: str, image: np.ndarray) -> np.ndarray:
    """A part of the picture."""
    x0, y0, x1, y1 = getattr(at, name)
    return image[y0:y1, x0:x1]


def where(image: np.ndarray, colour: tuple[int, int, int], most: int = 3) -> np.ndarray:
    """(H, W) bool: the pixels very near to a colour."""
    return np.abs(image.astype(int) - colour).max(2) <= most


def frame_at(index: int, affect: tuple[float, float] = (0.4, -0.1), ids: tuple[int, ...] = (0,)) -> TrackedFrame:
    """A frame of 640x360 with faces side by side, all with the same affect."""
    boxes = [(20 + 150 * k, 100, 120 + 150 * k, 220) for k in range(len(ids))]
    samples = [sample_at(index / 25, track_id, affect) for track_id in ids]
    return tracked(index, samples=samples, size=(360, 640), boxes=boxes)


def after(frames: Iterator[TrackedFrame] | list[TrackedFrame], status: LiveStatus = STATUS) -> np.ndarray:
    """The picture after all frames."""
    dashboard = Dashboard()
    return [dashboard.draw(frame, status) for frame in frames][-1]


@pytest.mark.parametrize("size", SIZES)
def test_the_picture_has_the_size_that_was_asked_for(size):
    dashboard = Dashboard(size)
    for frame in (None, without_face(0), frame_at(1)):
        image = dashboard.draw(frame, STATUS)
        assert image.shape == (size[1], size[0], 3) and image.dtype == np.uint8


def test_a_window_too_small_to_be_read_is_refused():
    with pytest.raises(UsageError, match="the window is 640 x 360; expected at least 960 x 540 pixels"):
        Dashboard((640, 360))


@pytest.mark.parametrize("size", SIZES)
def test_the_parts_lie_in_the_window_and_apart(size):
    at = layout(*size)
    places = [at.head, at.view, at.dial, at.table, at.valence, at.arousal, at.foot]
    assert all(p[0] >= 0 and p[1] >= 0 and p[2] <= size[0] and p[3] <= size[1] and area(p) for p in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []


def test_neither_the_frame_nor_an_earlier_picture_is_changed():
    dashboard, frame = Dashboard(), frame_at(0)
    pixels, box = frame.frame.image.copy(), frame.faces[0].box.copy()
    first = dashboard.draw(frame, STATUS)
    kept = first.copy()
    dashboard.draw(frame_at(1, (-0.9, 0.9)), BUSY)
    assert (frame.frame.image == pixels).all() and (frame.faces[0].box == box).all() and (first == kept).all()


def test_the_same_frame_again_changes_nothing_but_what_the_status_says():
    dashboard, frame, at = Dashboard(), frame_at(0), layout(1280, 720)
    first = dashboard.draw(frame, STATUS)
    assert all((dashboard.draw(frame, STATUS) == first).all() for _ in range(3))
    changed = (dashboard.draw(frame, BUSY) != first).any(2)
    assert changed[: at.head[3]].any() and changed[at.foot[1] :].any() and not changed[at.head[3] : at.foot[1]].any()


@pytest.mark.parametrize("size", [(360, 640), (480, 640), (640, 360), (16, 20), (144, 176), (2160, 3840), (40, 2000)])
def test_a_picture_of_any_shape_fits_and_its_boxes_move_along(size):
    height, width = size
    frame = tracked(0, size=size, boxes=[(0, 0, width, height)])
    view = np.zeros((468, 832, 3), np.uint8)
    moved, margins = seen_in(view, frame)
    x0, y0, x1, y1 = moved.faces[0].box.round().astype(int)
    shown = view.any(2)
    assert (x0, y0) == margins and shown[y0:y1, x0:x1].all() and shown.sum() == (x1 - x0) * (y1 - y0)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(width / height, rel=0.05)
    assert x1 - x0 == 832 or y1 - y0 == 468
    assert abs(832 - x1 - x0) <= 1 and abs(468 - y1 - y0) <= 1


@pytest.mark.parametrize("affect", [(0.0, 0.0), (0.8, 0.1), (-0.6, 0.6), (0.2, -0.9), (1.0, 1.0)])
def test_dots_stand_where_the_values_are(affect):
    at, image = layout(1280, 720), after([frame_at(0, affect)])
    dial, (valence, arousal) = Dial(at.dial, at.unit), affect
    x, y = dial.centre[0] + valence * dial.radius, dial.centre[1] - arousal * dial.radius
    assert where(image, FACE_COLOURS[0])[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].all()
    for place, dimension in ((at.valence, 0), (at.arousal, 1)):
        _, y0, x1, y1 = Trace(place, at.unit, dimension).plot
        y = (y0 + y1) / 2 - affect[dimension] * (y1 - y0) / 2
        assert where(image, FACE_COLOURS[0])[round(y) - 1 : round(y) + 2, round(x1) - 1 : round(x1) + 2].all()


def test_a_trace_has_a_gap_where_the_face_was_away():
    at = layout(1280, 720)
    image = after([frame_at(k) if not 200 <= k < 300 else without_face(k) for k in range(0, 500, 5)])
    for place, dimension in ((at.valence, 0), (at.arousal, 1)):
        x0, _, x1, _ = Trace(place, at.unit, dimension).plot
        drawn = where(image[place[1] : place[3]], FACE_COLOURS[0]).any(0)
        column = x0 + (x1 - x0) * np.array([4.0, 7.5, 8.5, 11.5, 12.5, 16.0]) / SPAN_S
        assert drawn[column.astype(int)].tolist() == [True, True, False, False, True, True]


def test_a_trail_fades_and_is_forgotten():
    at, dashboard = layout(1280, 720), Dashboard()
    empty = place_of(at, "dial", dashboard.draw(without_face(0), STATUS))
    for k in range(1, 76, 2):
        image = dashboard.draw(frame_at(k, (-0.8 + k / 50, 0.5)), STATUS)
    dial = Dial(at.dial, at.unit)
    row, left = round(dial.centre[1] - 0.5 * dial.radius), dial.centre[0] - 0.8 * dial.radius
    strength = [
        float(image[row - 2 : row + 3, round(left + share * dial.radius), 2].max()) for share in (0.1, 0.6, 1.2)
    ]
    assert strength == sorted(strength) and strength[2] > 2 * strength[0]
    for k in range(76, 160, 4):
        image = dashboard.draw(without_face(k), STATUS)
    assert (place_of(at, "dial", image) == empty).all()


@pytest.mark.parametrize("name", ["view", "dial", "table", "valence", "arousal"])
def test_each_face_has_its_colour_everywhere(name):
    part = place_of(layout(1280, 720), name, after(_apart(k) for k in range(30)))
    assert [bool(where(part, colour).any()) for colour in FACE_COLOURS] == [True] * 4 + [False] * 3


def _apart(index: int) -> TrackedFrame:
    frame = frame_at(index, ids=(0, 1, 2, 3))
    spread = [-0.6, -0.2, 0.2, 0.6]
    moved = zip(frame.samples, spread, strict=True)
    return replace(frame, samples=tuple(replace(s, valence_smooth=v, arousal_smooth=v) for s, v in moved))


def test_a_face_that_is_not_measured_leaves_no_mark():
    frame = frame_at(0, (nan, nan))
    image = after([frame])
    for name in ("dial", "valence", "arousal"):
        assert not where(place_of(layout(1280, 720), name, image), FACE_COLOURS[0]).any()


def test_blurred_faces_cannot_be_recognised_and_margins_stay_clean():
    at, noise = layout(1280, 720), np.random.default_rng(0).integers(0, 256, (640, 360, 3), dtype=np.uint8)
    frame = tracked(0, samples=[sample_at(0)], size=(640, 360), boxes=[(120, 200, 350, 460)])
    frame = replace(frame, frame=replace(frame.frame, image=noise))
    plain, blurred = (
        place_of(at, "view", Dashboard(blur_faces=blur).draw(frame, STATUS)).astype(int) for blur in (False, True)
    )
    (x0, y0, x1, y1), (margin, _) = _moved_box(frame, plain.shape)
    face = np.s_[y0 + 20 : y1 - 20, x0 + 20 : x1 - 20]
    assert np.abs(np.diff(plain[face], axis=1)).mean() > 20 > 3 > np.abs(np.diff(blurred[face], axis=1)).mean()
    assert (blurred[:, : margin - 1] == plain[:, : margin - 1]).all()
    assert (blurred[y0:y1, -margin + 1 :][:, 60:] == PANEL).all()


def test_a_face_that_leaves_the_picture_is_hidden_to_its_edge():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    blurred = noise.copy()
    blur_face(blurred, (200, 50, 360, 150))
    assert (blurred[55:145, 205:] != noise[55:145, 205:]).any(2).mean() > 0.99


def _moved_box(frame: TrackedFrame, shape: tuple[int, ...]) -> tuple[list[int], tuple[int, int]]:
    moved, margins = seen_in(np.zeros(shape, np.uint8), frame)
    return moved.faces[0].box.round().astype(int).tolist(), margins


@pytest.fixture
def written(monkeypatch) -> list[tuple[str, Rect]]:
    """The texts of the captions and the places of their ink, as they are drawn."""
    texts: list[tuple[str, Rect]] = []

    def write(image, spot, text, px, colour, align=0.0):
        wide, middle = letters.width(text, px), letters.capital_middle(px)
        left, top = round(spot[0] - align * wide), round(spot[1] - middle)
        if text:
            texts.append((text, (left, top + px // 5, left + wide, top + letters.ink(text, px).shape[0])))

    monkeypatch.setattr(captions, "write", write)
    return texts


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("status", [STATUS, BUSY, replace(BUSY, baseline=None, paused=False), replace(BUSY, help=True)])
@pytest.mark.parametrize("faces", [0, 1, 4, 9])
def test_no_text_covers_another_or_leaves_the_window(size, status, faces, written):
    samples = tuple(
        replace(s, valence_rel=-1.25, arousal_rel=0.5) for s in frame_at(0, (-0.9, 0.9), range(faces)).samples
    )
    dashboard = Dashboard(size)
    dashboard.draw(replace(frame_at(0, ids=tuple(range(faces))), samples=samples), status)
    assert [(a, b) for (a, at), (b, on) in combinations(written, 2) if overlap(at, on)] == []
    assert [text for text, at in written if at[0] < 0 or at[1] < 0 or at[2] > size[0] or at[3] > size[1]] == []


def test_the_bars_say_how_the_run_goes(written):
    outlets = ("ws 127.0.0.1:8765, 2 clients", "osc 3 lost")
    status = replace(
        STATUS, dropped=12, recorded_s=372.4, paused=True, baseline=0.3, notice="marker 1", outlets=outlets
    )
    Dashboard().draw(frame_at(0), status)
    said = {text for text, _ in written}
    assert {"camera:0", "anclaf-compact-S-8", "30.0 fps", "latency 31 ms, p95 45 ms", "12 dropped"} <= said
    assert {"REC 06:12", "paused", "neutral baseline", "marker 1", "   ·   ".join(outlets)} <= said


def test_what_does_not_go_on_is_not_said(written):
    Dashboard().draw(frame_at(0), replace(STATUS, latency_p50_ms=nan, latency_p95_ms=nan))
    said = " ".join(text for text, _ in written)
    assert "latency – ms, p95 – ms" in said
    assert not any(word in said for word in ("REC", "paused", "baseline", "waiting", "rel.", "nan"))


def test_a_long_recording_shows_its_hours(written):
    Dashboard().draw(None, replace(STATUS, recorded_s=3725.0))
    assert "REC 1:02:05" in [text for text, _ in written]


def test_before_the_first_frame_it_says_what_it_waits_for(written):
    Dashboard().draw(None, STATUS)
    said = [text for text, _ in written]
    assert "loading: waiting for the first frame of" in said and said.count("camera:0") == 2
    written.clear()
    Dashboard().draw(None, replace(STATUS, loading="the model"))
    assert "loading the model for" in [text for text, _ in written]


def test_the_latency_of_a_stream_begins_at_decoding(written):
    Dashboard().draw(frame_at(0), replace(STATUS, latency_from="decoding"))
    assert "from decoding 31, p95 45 ms" in [text for text, _ in written]


def test_the_help_names_every_key(written):
    Dashboard().draw(frame_at(0), replace(STATUS, help=True))
    said = {text for text, _ in written}
    assert set(KEYS.values()) <= said and {"q, Esc", "space", "r", "n", "m", "s", "h"} <= said


def test_the_progress_of_the_baseline_is_seen():
    at, frame = layout(1280, 720), frame_at(0)
    none, little, much = (Dashboard().draw(frame, replace(STATUS, baseline=share)) for share in (0.0, 0.2, 0.8))
    changed = [(place_of(at, "head", image) != place_of(at, "head", none)).any(2).sum() for image in (little, much)]
    assert 0 < 3 * changed[0] < changed[1]


def test_values_above_the_baseline_are_shown_where_there_is_one(written):
    frame = frame_at(0, (0.42, -0.1), (0, 1))
    based = replace(frame.samples[0], valence_rel=0.5, arousal_rel=-0.25)
    Dashboard().draw(replace(frame, samples=(based, frame.samples[1])), STATUS)
    said = [text for text, _ in written]
    assert {"V rel.", "A rel.", "+0.50", "−0.25"} <= set(said) and said.count("+0.42") == 2 and "–" not in said


def test_the_baseline_itself_is_a_ring_on_the_circumplex():
    at, frame = layout(1280, 720), frame_at(0, (0.5, 0.5))
    based = replace(frame, samples=(replace(frame.samples[0], valence_rel=0.9, arousal_rel=0.9),))
    dial = Dial(at.dial, at.unit)
    changed = np.argwhere((after([based]) != after([frame])).any(2)[:, at.dial[0] :][: at.dial[3]])
    y, x = (changed.min(0) + changed.max(0)) / 2
    assert (x + at.dial[0] - dial.centre[0]) / dial.radius == pytest.approx(-0.4, abs=0.02)
    assert (dial.centre[1] - y) / dial.radius == pytest.approx(-0.4, abs=0.02)


def test_more_faces_than_rows_are_counted(written):
    Dashboard().draw(frame_at(0, ids=tuple(range(9))), STATUS)
    assert "6 more faces" in [text for text, _ in written]


def test_the_history_keeps_what_it_shows_and_no_more():
    history = History(SPAN_S)
    for k in range(12_000):
        history.add(frame_at(k, (0.1, 0.2), (k // 3000,)))
        if k == 3000:
            assert [track_id for track_id, _, _ in history.faces(SPAN_S)] == [0, 1]
    ((track_id, points, gaps),) = history.faces(SPAN_S)
    assert track_id == 3 and not len(gaps) and points[-1, 0] == history.now
    assert 0 <= history.now - SPAN_S - points[0, 0] + 0.1 <= 0.2 and 200 <= len(points) <= 401


def test_the_history_parts_a_face_at_its_gaps():
    history = History(SPAN_S)
    for k in range(100):
        history.add(frame_at(k) if k // 10 != 4 else without_face(k))
    ((_, points, gaps),) = history.faces(SPAN_S)
    (gap,) = gaps.tolist()
    assert points[gap - 1, 0] == pytest.approx(39 / 25, abs=0.05) and points[gap, 0] == pytest.approx(50 / 25, abs=0.05)
    ((_, late, gaps),) = history.faces(1.0)
    assert len(late) < len(points) and not len(gaps)


def test_a_time_that_goes_back_begins_anew():
    history = History(SPAN_S)
    for k in (*range(50), 3):
        history.add(frame_at(k))
    ((_, points, _),) = history.faces(SPAN_S)
    assert points[:, :3].tolist() == [[3 / 25, 0.4, -0.1]] and np.isnan(points[:, 3:]).all()


@pytest.mark.parametrize("px", [8, 11, 13, 17, 40])
def test_capitals_stand_about_their_middle(px):
    rows = np.flatnonzero((letters.ink("HE", px) > 0.5).any(1))
    assert (rows[0] + rows[-1] + 1) / 2 == pytest.approx(letters.capital_middle(px), abs=0.6)
    assert rows[-1] + 1 - rows[0] == pytest.approx(letters.CAPITAL * px, abs=1.2)


def test_figures_are_equally_wide():
    assert len({letters.width(f"{sign}0.{digit}{digit}", 13) for sign in "+−" for digit in range(10)}) == 1


def test_unknown_letters_become_question_marks(recwarn):
    assert (letters.ink("日a\n", 13) == letters.ink("?a?", 13)).all() and not recwarn.list


def test_text_is_cut_in_its_middle_to_what_fits():
    text = "rtsp://camera.example.org:8554/participant"
    cut = letters.fitted(text, 13, 150)
    assert letters.width(cut, 13) <= 150 < letters.width(text, 13)
    assert cut.startswith("rtsp://") and cut.endswith("cipant") and "…" in cut
    assert letters.fitted(text, 13, 1000) == text and letters.fitted(text, 13, 0) == letters.fitted("", 13, -5) == ""


LETTERS = """
import threading
from tracker.drawing.letters import ink
start = threading.Barrier(4)
def write():
    start.wait()
    for number in range(300):
        ink(f"{number} Vv +-0.{number} arousal Ag {chr(192 + number)}", 13)
threads = [threading.Thread(target=write) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_letters_may_be_written_by_several_threads() -> None:
    """The window and an overlay video write at once; the font's own code would corrupt memory."""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", LETTERS], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
