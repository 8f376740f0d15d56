"""`affect prepare`: which face, which rows, what is told of the rest, and how a stopped run goes on."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from layouts import PLACE, afew_clip, draw, read_written_faces, write
from numpy.testing import assert_allclose, assert_array_equal
from scenes import WrittenFaces, face_at

from tracker.errors import DataError, SinkError, UsageError
from tracker.faces.align import Template, align
from train import prepare
from train.datasets.parts import Part
from train.datasets.shots import VideoFrames
from train.prepared import LabelScale, open_prepared
from train.preparing import aligning, blocks
from train.preparing.aligning import Finder, align_part, choose, landmarks_in_crop
from train.preparing.blocks import Rows
from train.preparing.preparation import prepare_set, scale_with
from train.preparing.report import table_of

TEMPLATE = Template(size=32, channels=1, margin=4)
AFEW = LabelScale(-10.0, 10.0)


def test_the_face_nearest_to_the_annotated_box_is_taken() -> None:
    large, small = face_at(60, 60, 80), face_at(180, 90, 40)
    assert choose([large, small], np.array([160.0, 70, 200, 110]), "", 240) is small
    assert choose([large, small], np.array([150.0, 0, 170, 20]), "", 240) is None
    assert choose([large, small], np.full(4, np.nan), "", 240) is large
    assert choose([large, small], None, "right", 240) is small
    assert choose([large], None, "right", 240) is None
    assert choose([], None, "", 240) is None


def test_landmarks_lie_where_the_crop_shows_them() -> None:
    face = face_at(*PLACE)
    points = landmarks_in_crop(face.landmarks, TEMPLATE)
    assert points.shape == (468, 2) and points.dtype == np.float16
    for landmark in (33, 1, 291):
        picture = np.zeros((160, 240, 3), np.uint8)
        x, y = face.landmarks[landmark, :2].round().astype(int)
        picture[y - 2 : y + 3, x - 2 : x + 3] = 255
        crop = align(picture, face.landmarks, TEMPLATE)[..., 0].astype(float)
        shown = [(crop * grid).sum() / crop.sum() for grid in np.mgrid[:40, :40][::-1]]
        assert_allclose(shown, points[landmark], atol=0.5)


def small_set(root: Path) -> Path:
    """Three clips in AFEW-VA's layout: faces, a face beside the annotated place, none, a corrupt and missing frames."""
    names = [f"{i:05d}" for i in range(4)]
    afew_clip(root, "001", {name: (i, -i) for i, name in enumerate(names)}, names)
    afew_clip(root, "002", dict.fromkeys(names, (5, 5)), names[:3], actor="Another")
    draw(root / "002" / "00000.png", [(40.0, 100.0, 80.0), PLACE])
    draw(root / "002" / "00001.png", [(40.0, 100.0, 80.0)])
    (root / "002" / "00002.png").write_text("no picture")
    afew_clip(root, "003", {}, ["00000"])
    return root


def run(root: Path, out: Path, **options: Any) -> dict[str, Any]:
    return prepare_set("afew-va", root, out, TEMPLATE, AFEW, **options)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a prepared set."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_data_set_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_written_faces(monkeypatch)
    report = run(small_set(tmp_path / "root"), tmp_path / "out")
    data = open_prepared(tmp_path / "out")
    assert (data.name, data.scale, data.template) == ("afew-va", AFEW, TEMPLATE)
    assert data.clips == ("001", "002", "003") and data.subjects == ("An Actor", "Another")
    assert data.clip.tolist() == [0] * 4 + [1] * 4 + [2] and data.subject.tolist() == [0] * 4 + [1] * 4 + [0]
    assert data.found.tolist() == [True] * 5 + [False] * 3 + [True]
    assert_allclose(data.affect[:4, 0], np.arange(4) / 10, atol=1e-6)
    assert np.isnan(data.affect[8]).all()
    assert_allclose(data.time, [*(np.arange(4) / 25), *(np.arange(4) / 25), 0])
    assert data.crops.shape == (9, 40, 40, 1)
    assert data.crops[data.found].std(axis=(1, 2, 3)).min() > 10 and not data.crops[~data.found].any()
    landmarks = data.extra["landmarks"]
    assert np.isfinite(landmarks[data.found]).all() and np.isnan(landmarks[~data.found]).all()
    numbers = ("frames", "annotated", "found", "usable", "no_face", "corrupt", "missing", "left_out")
    assert [report[name] for name in numbers] == [9, 8, 6, 5, 1, 1, 1, 0]
    assert report["rows_without_face"] == {"002": 3}
    assert [Path(name).name for name in report["corrupt_files"] + report["missing_files"]] == ["00002.png", "00003.png"]
    lines = table_of(report).splitlines()
    assert lines[2].split() == ["face", "found", "6", "66.7%"] and lines[5].endswith("00002.png")


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, seen = small_set(tmp_path / "root"), []

    class Counted(WrittenFaces):
        stop_at = 6

        def detect(self, image: np.ndarray) -> list:
            seen.append(1)
            if len(seen) == Counted.stop_at:
                raise KeyboardInterrupt
            return super().detect(image)

    monkeypatch.setattr(aligning, "FaceLandmarker", lambda config, still: Counted())
    with pytest.raises(KeyboardInterrupt):
        run(root, tmp_path / "out")
    with pytest.raises(DataError, match="is not a prepared data set"):
        open_prepared(tmp_path / "out")
    Counted.stop_at = 0
    seen.clear()
    run(root, tmp_path / "out")
    assert len(seen) == 3, "the first clip is not looked at again"
    seen.clear()
    run(root, tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    seen.clear()
    assert run(root, tmp_path / "out")["found"] == 6
    assert not seen, "what is complete is only reported"
    assert not (tmp_path / "out" / blocks.NOTES).exists()


def test_a_damaged_note_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_written_faces(monkeypatch)
    root = small_set(tmp_path / "root")
    run(root, tmp_path / "whole")
    monkeypatch.setattr("train.preparing.preparation._finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(root, tmp_path / "out")
    (tmp_path / "out" / blocks.NOTES / "000001.npz").write_bytes(b"PK")
    monkeypatch.undo()
    read_written_faces(monkeypatch)
    run(root, tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_another_preparation_is_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_written_faces(monkeypatch)
    root = small_set(tmp_path / "root")
    run(root, tmp_path / "out")
    with pytest.raises(UsageError, match="holds another preparation: its crops differ"):
        prepare_set("afew-va", root, tmp_path / "out", Template(), AFEW)
    with pytest.raises(UsageError, match="its label range differ"):
        prepare_set("afew-va", root, tmp_path / "out", TEMPLATE, LabelScale(-20, 20))
    afew_clip(root, "004", {"00000": (0, 0)}, ["00000"])
    with pytest.raises(UsageError, match="its files or labels differ"):
        run(root, tmp_path / "out")
    write(tmp_path / "mine" / "letter.txt", "dear")
    with pytest.raises(UsageError, match="mine holds other files; choose a new or empty folder"):
        run(root, tmp_path / "mine")


def test_a_full_disk_is_one_plain_line_and_the_run_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_written_faces(monkeypatch)
    root, write_note = small_set(tmp_path / "root"), blocks.Note.write

    def fail_at_second(note: blocks.Note, path: Path) -> None:
        if path.stem == "000001":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_note(note, path)

    with monkeypatch.context() as patch:
        patch.setattr(blocks.Note, "write", fail_at_second)
        with pytest.raises(SinkError, match="out cannot be written: No space left on device; free space and run"):
            run(root, tmp_path / "out")
    assert run(root, tmp_path / "out")["found"] == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_rows_on_a_full_disk_raise(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((4, 8, 8), np.uint8))
    rows = Rows(tmp_path / "rows.npy")
    rows._path = Path("/dev/full")
    with pytest.raises(OSError, match="No space left on device"), rows:
        rows.put(1, np.ones((8, 8), np.uint8))


def test_rows_are_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((5, 3, 2), np.float16))
    with Rows(path) as rows:
        rows.put(3, np.ones((3, 2), np.float16))
        rows.put(0, np.full((3, 2), np.nan, np.float16))
        with pytest.raises(ValueError, match="expected"):
            rows.put(1, np.ones((3, 2), np.float32))
    assert_array_equal(np.load(path)[:, 0, 0], [np.nan, 0, 0, 1, 0])


def test_scales_are_settings() -> None:
    assert scale_with("sewa", None, None, None) == LabelScale(0, 1, 0.5)
    assert scale_with("sewa", -1, None, None) == LabelScale(-1, 1, 0)
    assert scale_with("afew-va", None, None, 2) == LabelScale(-10, 10, 2)
    with pytest.raises(UsageError, match="range of labels is 3 to 1; expected --low below --high"):
        scale_with("sewa", 3, None, None)
    with pytest.raises(UsageError, match="threshold is 4; expected 0 to 1"):
        scale_with("sewa", None, None, 4)


def test_a_video_is_followed_from_frame_to_frame(sample_clip: Path) -> None:
    finder = Finder(faces=1)
    part = Part(VideoFrames(sample_clip, range(5)), np.zeros((5, 2)), ("clip",), ("her",))
    first, again = (list(align_part(part, TEMPLATE, finder)) for _ in range(2))
    finder.close()
    assert [row.found for row in first] == [True] * 5
    assert_allclose([row.time for row in first], np.arange(5) * 1001 / 24000, atol=1e-3)
    assert all(np.array_equal(a.crop, b.crop) for a, b in zip(first, again, strict=True)), "no clip knows another"


def real_set(clip: Path, root: Path, clips: int = 1) -> Path:
    """Real faces in AFEW-VA's layout: some frames of the sample clip, annotated by nothing but their labels."""
    video = cv2.VideoCapture(str(clip))
    for name in (f"{i + 1:03d}" for i in range(clips)):
        folder = root / name
        folder.mkdir(parents=True)
        for i in range(3):
            small = cv2.resize(video.read()[1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            (folder / f"{i:05d}.png").write_bytes(cv2.imencode(".png", small)[1].tobytes())
        labels = {f"{i:05d}": {"valence": i, "arousal": -i} for i in range(3)}
        write(folder / f"{name}.json", json.dumps({"actor": name, "frames": labels}))
    video.release()
    return root


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(prepare.prepare, [str(argument) for argument in arguments], standalone_mode=False)


def test_the_command_prepares_real_faces(tmp_path: Path, sample_clip: Path) -> None:
    root = real_set(sample_clip, tmp_path / "root")
    result = invoke("afew-va", "--root", root, "--out", tmp_path / "out", "--workers", 1, "--low", -20, "--high", 20)
    assert result.exception is None and "face found" in result.output and "100.0%" in result.output
    data = open_prepared(tmp_path / "out")
    assert data.crops.shape == (3, 80, 80, 1) and data.found.all()
    assert_allclose(data.affect[:, 0], np.arange(3) / 20, atol=1e-6)
    eyes = data.extra["landmarks"][:, [33, 263]].astype(float)
    assert_allclose(eyes[:, 0, 1], eyes[:, 1, 1], atol=6)
    assert (eyes[:, 1, 0] - eyes[:, 0, 0] > 25).all()


def test_the_help_lists_the_data_sets_without_reading_them() -> None:
    result = invoke("--help")
    assert all(name in result.output for name in ("afew-va", "aff-wild2", "table", "sequences"))
    assert "--rating" in invoke("sewa", "--help").output and "--rating" not in invoke("table", "--help").output
    with pytest.raises(Exception, match="there is no data set imagenet; there are afew-va"):
        raise invoke("imagenet").exception


def test_wrong_roots_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such file or folder; expected clip folders 001"):
        run(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no clip of AFEW-VA; expected clip folders"):
        run(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


SCRIPT = """
import sys
from pathlib import Path
from tracker.faces.align import Template
from train.preparing.preparation import prepare_set, scale_with
if __name__ == "__main__":
    prepare_set("afew-va", Path(sys.argv[1]), Path(sys.argv[2]), Template(), scale_with("afew-va", None, None, None), 2)
"""


@pytest.mark.slow
def test_processes_stop_at_ctrl_c_and_come_to_the_same_bytes_as_one(tmp_path: Path, sample_clip: Path) -> None:
    root, out = real_set(sample_clip, tmp_path / "root", clips=24), tmp_path / "out"
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    call = [sys.executable, str(script), str(root), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(call, env=environment, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((out / blocks.NOTES).glob("*.npz")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and errors.count("Traceback") == 1, errors
    assert not (out / "set.json").exists()
    subprocess.run(call, env=environment, check=True, capture_output=True)
    prepare_set("afew-va", root, tmp_path / "one", Template(), scale_with("afew-va", None, None, None))
    assert content(out) == content(tmp_path / "one")
