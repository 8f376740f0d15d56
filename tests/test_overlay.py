"""The overlay: what is drawn, where, in which colour, and what is forgotten."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tracked import sample_at, tracked, without_face

from tracker.config import FACE_COLOURS
from tracker.drawing.marks import MUTED, area, around, blur_face, dial_size, draw_trail, label_size, overlap
from tracker.drawing.overlay import BLUR_HOLD_S, TRAIL_GAP_S, TRAIL_S, Overlay, affect_words, face_colour
from tracker.types import Frame, TrackedFrame

SIZE = (360, 640)
BOX = (200, 100, 330, 250)


def textured(size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3) with detail everywhere."""
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def changed(frame: TrackedFrame, drawn: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the drawing differs from the frame."""
    return (drawn != frame.frame.image).any(2)


def has_colour(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether any pixel is very near to a colour."""
    return bool((np.abs(image.astype(int) - colour).max(2) <= 3).any())


def test_the_frame_is_copied():
    frame = tracked(0, size=SIZE, boxes=[BOX])
    before = frame.frame.image.copy()
    drawn = Overlay().draw(frame)
    assert drawn.shape == (*SIZE, 3) and drawn.dtype == np.uint8
    assert (frame.frame.image == before).all() and changed(frame, drawn).any()


def test_a_frame_without_a_face_stays_as_it_is():
    frame = without_face(0)
    assert not changed(frame, Overlay().draw(frame)).any()


def test_box_label_and_circumplex_are_drawn():
    frame = tracked(0, size=SIZE, boxes=[BOX])
    touched = changed(frame, Overlay().draw(frame))
    x0, y0, x1, y1 = BOX
    assert touched[y0, x0:x1].all() and touched[y0:y1, x0].all()
    assert not touched[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10].any()
    assert touched[y0 - 45 : y0 - 10, x0 : x0 + 150].mean() > 0.9
    assert touched[y0 : y0 + 100, x1 + 12 : x1 + 105].mean() > 0.9
    assert not touched[270:, :].any() and not touched[:, :150].any()


@pytest.mark.parametrize("size", [(144, 176), (360, 640), (640, 360), (1080, 1920), (2160, 3840)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.75, 0.0), (0.0, 0.7), (0.75, 0.7), (0.4, 0.35)])
def test_label_and_circumplex_lie_in_the_frame_beside_the_face(size, place):
    height, width = size
    side = min(size) // 4
    x, y = round(place[0] * width), round(place[1] * height)
    image, box = np.zeros((*size, 3), np.uint8), (x, y, x + side, y + side)
    unit = min(size) / 360
    for mark in (dial_size(unit), label_size(("0  V +0.42  A -0.10", "unpleasant, active"), unit)):
        places = around(image, box, mark, round(9 * unit))
        assert all(p[0] >= 0 and p[1] >= 0 and p[2] <= width and p[3] <= height for p in places)
        assert {(p[3] - p[1], p[2] - p[0]) for p in places} == {mark}
        assert min(overlap(p, box) / area(box) for p in places) == 0


def share_drawn(size: tuple[int, int]) -> float:
    """Share of the frame that the marks of a face of always the same relative size take."""
    scale = size[0] / SIZE[0]
    frame = tracked(0, size=size, boxes=[[value * scale for value in BOX]])
    return float(changed(frame, Overlay().draw(frame)).mean())


def test_marks_grow_with_the_frame():
    usual = share_drawn(SIZE)
    assert 0.06 < usual < 0.2
    assert share_drawn((2160, 3840)) == pytest.approx(usual, rel=0.15)
    assert usual < share_drawn((144, 256)) < 0.35


def test_small_faces_in_a_large_frame_have_smaller_marks():
    near, far = (tracked(0, size=(1080, 1920), boxes=[(800, 400, 800 + side, 400 + side)]) for side in (400, 60))
    touched = [changed(frame, Overlay().draw(frame)).sum() for frame in (near, far)]
    assert touched[1] < 0.5 * touched[0]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 20), (40, 2000)])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (-50, -50, 5000, 3), (10, 10, 10, 10), (500, 500, 600, 600)])
@pytest.mark.parametrize("blur", [False, True])
def test_any_frame_and_any_box_can_be_drawn(size, box, blur):
    overlay = Overlay(blur_faces=blur)
    for index in range(3):
        assert overlay.draw(tracked(index, size=size, boxes=[box])).shape == (*size, 3)


def test_each_id_has_its_colour():
    for track_id in (0, 1, 6, 7, 700):
        frame = tracked(0, samples=[sample_at(0, track_id)], size=SIZE, boxes=[BOX])
        assert has_colour(Overlay().draw(frame), FACE_COLOURS[track_id % len(FACE_COLOURS)])


def test_low_quality_is_muted():
    sample = sample_at(0, status="low_quality")
    drawn = Overlay().draw(tracked(0, samples=[sample], size=SIZE, boxes=[BOX]))
    assert face_colour(sample) == MUTED
    assert has_colour(drawn, MUTED) and not has_colour(drawn, FACE_COLOURS[0])


def test_two_faces_do_not_cover_each_other():
    boxes = [(120, 120, 240, 260), (380, 120, 500, 260)]
    frame = tracked(0, samples=[sample_at(0, 0), sample_at(0, 1)], size=SIZE, boxes=boxes)
    touched = changed(frame, Overlay().draw(frame))
    for x0, y0, x1, y1 in boxes:
        assert not touched[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10].any()


def test_marks_do_not_jump_while_a_face_trembles():
    overlay = Overlay()
    plates = []
    for index in range(20):
        shift = index % 2
        frame = tracked(index, size=SIZE, boxes=[(258 + shift, 105, 382 + shift, 245)])
        drawn = overlay.draw(frame)
        plates.append(changed(frame, drawn)[120:200, :250].any())
    assert len(set(plates)) == 1


@pytest.mark.parametrize(
    ("valence", "arousal", "words"),
    [
        (0.5, 0.5, "pleasant, active"),
        (-0.5, 0.5, "unpleasant, active"),
        (-0.5, -0.5, "unpleasant, calm"),
        (0.5, -0.5, "pleasant, calm"),
        (0.05, -0.05, "near neutral"),
    ],
)
def test_words(valence, arousal, words):
    assert affect_words(valence, arousal) == words


def dot_of(drawn: np.ndarray, frame: TrackedFrame) -> np.ndarray:
    """Middle (x, y) of what is bright and was not so before, right of the face: the rim of the dot."""
    bright = (drawn.min(2) > 228) & changed(frame, drawn)
    bright[: BOX[1], :] = bright[:, : BOX[2] + 20] = False
    return np.argwhere(bright).mean(0)[::-1]


@pytest.mark.parametrize("affect", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.9), (-0.6, -0.6), (0.7, 0.7)])
def test_the_dot_stands_where_the_values_are(affect):
    frames = [tracked(0, samples=[sample_at(0, 0, a)], size=SIZE, boxes=[BOX]) for a in ((0.0, 0.0), affect)]
    centre, dot = (dot_of(Overlay().draw(frame), frame) for frame in frames)
    assert dot - centre == pytest.approx(np.array([affect[0], -affect[1]]) * 40, abs=1.5)


def test_the_trail_fades_and_ends():
    overlay = Overlay()
    for index in range(120):
        affect = (math.cos(index / 20), math.sin(index / 20))
        time = index / 25
        overlay.draw(tracked(index, samples=[sample_at(time, 0, affect)], size=SIZE, boxes=[BOX]))
        trail = overlay._memory[0].trail
        assert trail[-1][0] - trail[0][0] <= TRAIL_S
    assert len(trail) == TRAIL_S * 25 + 1


def drawn_trail(runs: list) -> np.ndarray:
    image = np.zeros((107, 107, 3), np.uint8)
    draw_trail(image, (0, 0, 107, 107), runs, (255, 255, 255), 1.0)
    return image


def test_old_parts_of_the_trail_are_darker():
    image = drawn_trail([[(index / 25, -0.9 + index * 0.024, 0.5) for index in range(75)]])
    row = image[33, 18:85].max(1).astype(int)
    assert row[5] < 90 < 180 < row[60] and (np.diff(row[5:60]) >= 0).all()


def test_a_gap_breaks_the_trail():
    left, right = [(0.0, -0.9, 0.0), (0.04, -0.5, 0.0)], [(1.0, 0.5, 0.0), (1.04, 0.9, 0.0)]
    middle = np.s_[45:62, 45:62]
    assert drawn_trail([left + right])[middle].any() and not drawn_trail([left, right])[middle].any()
    overlay = Overlay()
    for time in (0.0, 0.04, 0.04 + 1.1 * TRAIL_GAP_S):
        frame = tracked(0, time, size=SIZE, boxes=[BOX])
        overlay.draw(frame)
    assert len(overlay._memory[0].trail) == 3


def test_a_face_that_is_gone_is_forgotten():
    overlay = Overlay()
    for index in range(200):
        overlay.draw(tracked(index, samples=[sample_at(index / 25, index)], size=(64, 64), boxes=[(5, 5, 40, 40)]))
        assert len(overlay._memory) <= TRAIL_S * 25 + 1
    overlay.draw(without_face(0, 1000.0))
    assert not overlay._memory


@pytest.mark.parametrize("forget", [Overlay.reset, lambda overlay: overlay.draw(without_face(0, 0.0))])
def test_reset_and_a_time_that_jumps_back(forget):
    overlay = Overlay()
    for index in range(100, 150):
        overlay.draw(tracked(index, samples=[sample_at(index / 25, 0, (index / 200, 0))], size=SIZE, boxes=[BOX]))
    forget(overlay)
    frame = tracked(1, size=SIZE, boxes=[BOX])
    assert (overlay.draw(frame) == Overlay().draw(frame)).all()


def test_values_that_are_not_numbers_leave_no_dot():
    overlay = Overlay()
    sample = replace(sample_at(0.0), valence_smooth=math.nan, quadrant=np.full(4, np.nan, np.float32))
    frame = tracked(0, samples=[sample], size=SIZE, boxes=[BOX])
    assert not has_colour(overlay.draw(frame)[:200, BOX[2] + 12 : BOX[2] + 115], FACE_COLOURS[0])
    assert not overlay._memory[0].trail


def detail(image: np.ndarray) -> float:
    """How much neighbouring pixels differ."""
    return float(np.abs(np.diff(image.astype(float), axis=1)).mean())


def test_a_blurred_face_has_no_detail():
    image = textured(SIZE)
    before = image.copy()
    blur_face(image, BOX)
    x0, y0, x1, y1 = BOX
    inside, far = np.s_[y0:y1, x0:x1], np.s_[:, x1 + 40 :]
    assert detail(image[inside]) < 0.05 * detail(before[inside])
    assert (image[far] == before[far]).all()


@pytest.mark.parametrize(("away", "blurred"), [(0.5 * BLUR_HOLD_S, True), (1.5 * BLUR_HOLD_S, False)])
def test_a_lost_face_stays_blurred_for_a_while(away, blurred):
    overlay, image = Overlay(blur_faces=True), textured(SIZE)
    seen = tracked(0, size=SIZE, boxes=[BOX])
    overlay.draw(replace(seen, frame=Frame(image, 0.0, 0)))
    drawn = overlay.draw(TrackedFrame(Frame(image, away, 1), (), ()))
    assert bool((drawn != image).any()) == blurred
