"""The package that people import: what they get, and what they are told when they ask for something else."""

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import affect
from tracker.types import TrackedFrame

ROOT = Path(__file__).parents[1]
SECONDS = 1.0


@pytest.fixture(scope="module")
def result(sample_clip: Path) -> affect.Result:
    return affect.track(sample_clip, end=SECONDS)


@pytest.fixture(scope="module")
def pictures(sample_clip: Path) -> list[np.ndarray]:
    """The first five, as OpenCV reads them."""
    capture = cv2.VideoCapture(str(sample_clip))
    return [capture.read()[1] for _ in range(5)]


def test_a_trace_is_what_the_command_writes(result: affect.Result, sample_clip: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tracker.cli",
        "track",
        str(sample_clip),
        "--end",
        str(SECONDS),
        "-o",
        str(tmp_path),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    told = pd.read_csv(tmp_path / "sample.csv")
    pd.testing.assert_frame_equal(result.to_pandas(), told, check_dtype=False)
    (table, sheet) = result.save(tmp_path / "saved")
    assert table.read_bytes() == (tmp_path / "sample.csv").read_bytes() and sheet.name == "sample.meta.json"
    with pytest.raises(affect.SinkError, match=r"sample\.csv exists; overwrite=True replaces it"):
        result.save(tmp_path / "saved")
    assert result.save(tmp_path / "saved", overwrite=True) == [table, sheet]


def test_it_shows_itself(result: affect.Result, tmp_path: Path) -> None:
    assert repr(result) == "<affect.Result of sample.mp4: 24 frames, 1 face, anclaf-face>"
    assert result.meta["model"]["name"] == "anclaf-face" and len(result) == 24
    picture = result.plot()
    drawn = cv2.imread(str(picture.save(tmp_path / "plot.png")))
    assert drawn.shape[1] > 1000 and drawn.std() > 10
    shown = result._repr_html_()
    assert shown.startswith("<div>") and "data:image/png;base64," in shown and "24 frames" in shown


def test_a_crop_is_the_face_at_that_time(result: affect.Result, sample_clip: Path) -> None:
    crop = result.crop(face_id=0, time=0.5)
    frame = next(each for each in affect.stream(sample_clip, start=0.5) if each.faces)
    x0, y0, x1, y1 = frame.faces[0].box.round().astype(int)
    inner = frame.frame.image[y0:y1, x0:x1]
    found = cv2.minMaxLoc(cv2.matchTemplate(crop, inner, cv2.TM_CCOEFF_NORMED))[1]
    assert crop.shape[0] > inner.shape[0] and found > 0.95
    with pytest.raises(affect.UsageError, match=r"there is no face 7; there are \[0\]"):
        result.crop(face_id=7)


def test_a_stream_keeps_nothing(sample_clip: Path) -> None:
    seen = 0
    for tracked in affect.stream(sample_clip, faces=2, smoothing="none"):
        assert isinstance(tracked, TrackedFrame) and tracked.frame.image.ndim == 3
        assert all(sample.valence == sample.valence_smooth for sample in tracked.samples)
        seen += 1
        if seen == 6:
            break
    assert seen == 6


def test_arrays_are_measured_by_the_order_of_their_colours(pictures: list[np.ndarray]) -> None:
    bgr = affect.track(pictures, color="bgr", fps=10)
    turned = (np.ascontiguousarray(picture[..., ::-1]) for picture in pictures)
    rgb = affect.track(turned, color="rgb", fps=10)
    pd.testing.assert_frame_equal(bgr.to_pandas(), rgb.to_pandas())
    assert bgr.to_pandas()["timestamp"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert bgr.crop(face_id=0, time=0.2).shape[2] == 3
    with pytest.raises(affect.SourceError, match="came by an iterator and are gone; give a list"):
        rgb.crop(face_id=0)


def test_a_loop_of_ones_own(pictures: list[np.ndarray]) -> None:
    with affect.Engine(faces=2) as engine:
        traces = [engine.step(each, time=k / 25, color="bgr").samples[0] for k, each in enumerate(pictures)]
        with pytest.raises(affect.UsageError, match="expected times that rise"):
            engine.step(pictures[0], time=0.0, color="bgr")
        again = affect.track(pictures, engine, color="bgr", fps=25)
        assert repr(engine) == "<affect.Engine anclaf-face by int8, faces=2>"
    assert [sample.valence for sample in again.samples()] == [sample.valence for sample in traces]


def test_pictures_are_measured_each_by_itself(pictures: list[np.ndarray], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "b.png"), pictures[0])
    cv2.imwrite(str(tmp_path / "a.png"), pictures[4])
    table = affect.image([tmp_path, tmp_path / "b.png"]).to_pandas()
    assert table["file"].tolist() == ["a.png", "b.png", "b.png"]
    assert table["valence"][1] == table["valence"][2] != table["valence"][0]
    alone = affect.image(pictures[0], color="bgr")
    assert alone.to_pandas()["valence"].tolist() == [table["valence"][1]]
    several = affect.image(pictures, color="bgr").to_pandas()
    assert (
        several["file"].tolist() == [f"arrays[{k}]" for k in range(5)] and several["valence"][0] == table["valence"][1]
    )


def test_several_sources_are_one_table(sample_clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(sample_clip.read_bytes())
    result = affect.track([sample_clip, other], end=0.2)
    table = result.to_pandas()
    assert table["source"].unique().tolist() == [str(sample_clip), str(other)] and len(table) == 10
    assert [path.name for path in result.save(tmp_path / "out")] == [
        "sample.csv", "sample.meta.json", "other.csv", "other.meta.json",
    ]  # fmt: skip
    with pytest.raises(affect.UsageError, match="source is None; expected one of"):
        result.plot()
    assert result.plot("other.mp4").png.startswith(b"\x89PNG")


def test_a_live_run_is_a_handle(sample_clip: Path) -> None:
    heard: list[TrackedFrame] = []
    with affect.live(str(sample_clip), heard.append, duration=60) as run:
        deadline = time.monotonic() + 30
        while len(heard) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run.running and run.newest is not None and "running" in repr(run)
        samples = run.samples()
        assert samples and samples[0].track_id == 0
        report = run.stop()
    assert report.frames >= 3 and not run.running and run.stop().frames == report.frames


WRONG = {
    "a near miss": (lambda clip, _: affect.track(clip, face=2), ValueError, r"no keyword 'face'; did you mean faces\?"),
    "no keyword": (
        lambda clip, _: affect.track(clip, zzz=2),
        ValueError,
        "has no keyword 'zzz'; it knows model",
    ),
    "not of pictures": (lambda clip, _: affect.image(clip, fps=2), ValueError, "image.. has no keyword 'fps'"),
    "nothing there": (lambda *_: affect.track("no.mp4"), FileNotFoundError, "no.mp4 does not exist"),
    "an empty text": (lambda *_: affect.track(""), ValueError, "a source is an empty text"),
    "an empty list": (lambda *_: affect.track([]), ValueError, "the source is empty"),
    "a number": (lambda *_: affect.track(5), ValueError, "a source is of type int; expected paths or arrays"),
    "one array": (lambda _, p: affect.track(p[0], color="bgr"), ValueError, "one array is one picture.*affect.image"),
    "no colour": (lambda _, p: affect.track(p), ValueError, 'has to be named: color="bgr" for what OpenCV reads'),
    "another colour": (lambda _, p: affect.track(p, color="hsv"), ValueError, "color is 'hsv'; the order"),
    "grey": (lambda _, p: affect.image(p[0][..., 0], color="bgr"), ValueError, "one array|is grey"),
    "grey in a list": (lambda _, p: affect.image([p[0][..., 0]], color="bgr"), ValueError, "a picture is grey"),
    "alpha": (lambda _, p: affect.image([np.dstack([p[0], p[0][..., :1]])], color="bgr"), ValueError, "four channels"),
    "shares": (lambda _, p: affect.image([p[0] / 255], color="bgr"), ValueError, r"of float64; .*\(255 \* it\)"),
    "a list of lists": (lambda _, p: affect.track([[1, 2]], color="bgr"), ValueError, "of type list; expected a numpy"),
    "a value": (lambda clip, _: affect.track(clip, faces=0), ValueError, "faces is 0; expected 1 to 64"),
    "a filter": (
        lambda clip, _: affect.track(clip, smoothing="no"),
        ValueError,
        "smoothing is 'no'; expected",
    ),
    "a model": (lambda clip, _: affect.track(clip, model="mine"), affect.CheckpointError, "no model 'mine'"),
    "an engine": (
        lambda clip, _: affect.track(clip, "engine"),
        ValueError,
        "engine is 'engine'; expected",
    ),
    "live": (lambda *_: affect.track("camera:0"), affect.SourceError, "is a live source"),
}


@pytest.mark.parametrize(("call", "kind", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(call, kind: type, told: str, sample_clip: Path, pictures: list[np.ndarray]) -> None:
    with pytest.raises(kind, match=told) as caught:
        call(sample_clip, pictures)
    assert isinstance(caught.value, affect.AffectError) and "\n" not in str(caught.value)


def test_the_engine_has_its_choices_already(sample_clip: Path) -> None:
    with affect.Engine() as engine, pytest.raises(affect.UsageError, match="got an engine, and faces too"):
        affect.track(sample_clip, engine, faces=2)


def test_it_loads_nothing_heavy() -> None:
    code = "import affect, sys; print(*sorted({'torch', 'cv2', 'numba', 'numpy', 'mediapipe'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_users_own_tracker_py_does_no_harm(tmp_path: Path, sample_clip: Path) -> None:
    script = f"import affect\nprint(len(affect.track({str(sample_clip)!r}, end=0.1)))\n"
    (tmp_path / "tracker.py").write_text(script)
    (tmp_path / "nets.py").write_text("raise SystemExit('the wrong nets')")
    (tmp_path / "other.py").write_text("import tracker, affect")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    run = [sys.executable, str(tmp_path / "tracker.py")]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr


def test_help_fits_two_screens() -> None:
    code = "import pydoc, affect; print(pydoc.plain(pydoc.render_doc(affect)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) <= 100 and any("affect.track(" in line for line in lines)


def test_the_public_names_are_there() -> None:
    for name in affect._HOMES:
        assert name in dir(affect) and getattr(affect, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tracks'; it has track, stream"):
        _ = affect.tracks
