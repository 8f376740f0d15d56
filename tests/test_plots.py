"""The picture of a run: what is kept of each face, where lines break, and what is drawn."""

import cv2
import matplotlib
import numpy as np
import pytest
from tracked import context_of, fill, sample_at, tracked, without_face

from tracker.drawing.plots import draw_traces
from tracker.sinks import open_sink, part_path
from tracker.sinks.plot import FACES_DRAWN, FACES_KEPT, POINTS, PlotSink, Trace
from tracker.types import TrackedFrame


def curve(count: int = 200, rate_hz: float = 25.0) -> np.ndarray:
    """Points (T, 5) of a face that moves about."""
    time = np.arange(count) / rate_hz
    smooth = np.stack([0.6 * np.sin(time), 0.5 * np.cos(time * 1.7)], 1)
    return np.column_stack([time, smooth + 0.05, smooth])


def decoded(png: bytes) -> np.ndarray:
    """The picture (H, W, 3), BGR."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def seen(index: int, ids: tuple[int, ...] = (0,), rate_hz: float = 25.0) -> TrackedFrame:
    """A small frame with these faces."""
    time = index / rate_hz
    samples = [sample_at(time, k, (np.sin(time + k) / 2, np.cos(time) / 2)) for k in ids]
    return tracked(index, time, samples, size=(2, 2))


def gather(tmp_path, frames, **choices) -> tuple[PlotSink, list]:
    """A finished sink and the arguments of its one drawing."""
    drawn: list = []

    def draw(*arguments: object) -> bytes:
        drawn.append(arguments)
        return b"picture"

    with PlotSink(tmp_path / "x.png", context_of("/clips/a $b$.mp4", **choices), draw) as sink:
        fill(sink, frames)
    return sink, drawn


def test_a_short_trace_keeps_every_sample():
    trace, points = Trace(), curve(1000)
    for time, *values in points:
        trace.add(time, values)
    assert trace.points() == pytest.approx(points)


@pytest.mark.parametrize(("count", "rate_hz"), [(4001, 30.0), (20_000, 25.0), (12_000, 240.0)])
def test_a_long_trace_merges_neighbours(count, rate_hz):
    trace, points = Trace(), curve(count, rate_hz)
    for time, *values in points:
        trace.add(time, values)
    kept = trace.points()
    assert POINTS / 4 < len(kept) <= POINTS and trace.seen == count
    assert (np.diff(kept[:, 0]) > 0).all() and np.diff(kept[:, 0]).max() <= 2 * trace.bin_s
    for column in range(1, 5):
        assert kept[:, column] == pytest.approx(np.interp(kept[:, 0], points[:, 0], points[:, column]), abs=0.06)


def test_merging_keeps_the_mean():
    trace, rng = Trace(), np.random.default_rng(0)
    values = rng.normal(size=(9000, 4))
    for index, row in enumerate(values):
        trace.add(index / 30, row)
    assert trace._counts.sum() == 9000
    assert trace._sums[:, 1:].sum(0) == pytest.approx(values.sum(0))


def test_memory_does_not_grow_with_the_run():
    trace = Trace()
    arrays = [trace._sums, trace._counts, trace._bins]
    for index in range(3 * POINTS):
        trace.add(index / 25, (0, 0, 0, 0))
    assert all(now is then for now, then in zip([trace._sums, trace._counts, trace._bins], arrays, strict=True))


def test_a_face_that_was_away_leaves_a_gap(tmp_path):
    frames = [seen(i) if i < 50 or i >= 80 else without_face(i) for i in range(120)]
    (points,) = gather(tmp_path, frames)[0].curves().values()
    assert np.flatnonzero(np.isnan(points[:, 0])).tolist() == [50]
    assert len(points) == 120 - 30 + 1


@pytest.mark.parametrize(
    ("rate_hz", "away", "gaps"), [(25.0, 1, 0), (25.0, 5, 0), (25.0, 10, 1), (1.0, 1, 1), (5.0, 1, 1)]
)
def test_short_losses_are_bridged(tmp_path, rate_hz, away, gaps):
    frames = [seen(i, rate_hz=rate_hz) if not 20 <= i < 20 + away else without_face(i) for i in range(60)]
    (points,) = gather(tmp_path, frames)[0].curves().values()
    assert np.isnan(points[:, 0]).sum() == gaps


def test_the_longest_faces_are_kept_and_drawn(tmp_path):
    frames = [seen(i, ids=(0, 1 + i // 4)) for i in range(400)]
    sink, drawn = gather(tmp_path, frames)
    assert len(sink._traces) == FACES_KEPT
    curves, _, _, caption = drawn[0]
    assert len(curves) == FACES_DRAWN and len(curves[0]) == 400
    assert caption.endswith(f"101 faces, the {FACES_DRAWN} longest shown")


def test_title_caption_and_span(tmp_path):
    frames = [without_face(24), *(seen(i) for i in range(25, 50)), without_face(50)]
    ((curves, span, title, caption),) = gather(tmp_path, frames, model="anclaf-compact")[1]
    assert list(curves) == [0] and span == (24 / 25, 50 / 25)
    assert title == "a $b$.mp4"
    assert caption == "apparent affect, model anclaf-compact  \u00b7  1 face"


def test_values_that_are_not_numbers_are_left_out(tmp_path):
    frames = [seen(0), tracked(1, 0.04, [sample_at(0.04, 0, (np.nan, 0.0))], size=(2, 2)), seen(2)]
    (points,) = gather(tmp_path, frames)[0].curves().values()
    assert points[:, 0] == pytest.approx([0.0, 0.08])


def test_the_picture_shows_the_curves():
    image = decoded(draw_traces({0: curve(), 3: curve()[20:150]}, (0, 8), "clip.mp4", "apparent affect"))
    assert image.shape[1] == 1800 and image.shape[0] > 1200
    for colour in ((86, 180, 233), (204, 121, 167)):
        near = np.abs(image[..., ::-1].astype(int) - colour).max(2) <= 6
        assert near.sum() > 800


def test_one_face_stands_beside_its_circumplex():
    assert decoded(draw_traces({0: curve()}, (0, 8), "clip.mp4", "apparent affect")).shape == (780, 1800, 3)


def test_nothing_is_drawn_in_a_gap():
    points = curve(400)
    points[100:300] = np.nan
    whole, broken = (decoded(draw_traces({0: p}, (0, 16), "t", "c")) for p in (curve(400), points))
    blue = [(np.abs(image[..., ::-1].astype(int) - (86, 180, 233)).max(2) <= 6) for image in (whole, broken)]
    middle = np.s_[150:690, 450:800]
    assert blue[0][middle].sum() > 300 and blue[1][middle].sum() == 0


@pytest.mark.parametrize(
    ("curves", "span"),
    [
        ({}, (0.0, 0.0)),
        ({}, (0.0, 9.0)),
        ({0: curve(1)}, (0.0, 0.0)),
        ({0: curve(2)}, (0.0, 0.04)),
        ({k: curve(50) for k in range(6)}, (0.0, 2.0)),
        ({9: curve(200, 0.01)}, (0.0, 20_000.0)),
    ],
)
def test_any_run_can_be_drawn(curves, span):
    assert decoded(draw_traces(curves, span, "a $name_{ ü 日本 " * 20, "")).std() > 5


def test_many_samples_are_drawn_as_density():
    """Most of the time in one place, with a leap elsewhere: dark there alone, and without a line between."""
    points = np.zeros((3000, 5))
    points[:, 0] = np.arange(3000)
    points[:, 3:] = np.random.default_rng(0).normal((0.5, -0.5), 0.05, (3000, 2))
    points[::100, 3:] = (-0.6, 0.6)
    path, cloud = (decoded(draw_traces({0: p}, (0, 3000), "t", "c")) for p in (points[:1500], points))

    def shade(image: np.ndarray, valence: float, arousal: float) -> float:
        """Mean brightness about a point of the circumplex."""
        left, right, top, bottom = CIRCLE
        x, y = (left + (1 + valence) / 2 * (right - left), bottom - (1 + arousal) / 2 * (bottom - top))
        return image[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9].mean()

    assert shade(cloud, 0.5, -0.5) < 90 and shade(cloud, -0.6, 0.6) > 150
    assert shade(cloud, -0.2, 0.2) > 250 > 150 > shade(path, -0.2, 0.2)


CIRCLE = (1275, 1759, 171, 655)
"""Of a picture of one face, pixels: left, right, top and bottom of the circumplex."""


def test_matplotlib_is_left_as_it_was(recwarn):
    before = dict(matplotlib.rcParams)
    draw_traces({0: curve()}, (0, 8), "日本.mp4", "apparent affect")
    assert dict(matplotlib.rcParams) == before
    assert not recwarn.list


def test_an_aborted_run_leaves_its_picture(tmp_path):
    path = tmp_path / "x.png"
    with pytest.raises(RuntimeError), open_sink("plot", path, context_of()) as sink:
        fill(sink, [seen(i) for i in range(30)])
        raise RuntimeError
    assert decoded(part_path(path).read_bytes()).std() > 5 and not path.exists()
