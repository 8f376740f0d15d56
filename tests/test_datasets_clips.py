"""The readers of data sets of clips, on tiny copies of their layouts: AFEW-VA, SEWA and Aff-Wild2."""

import json
from pathlib import Path

import numpy as np
import pytest
from layouts import PLACE, afew_clip, draw, write
from numpy.testing import assert_allclose, assert_array_equal

from tracker.errors import DataError
from train.datasets import afew_va, aff_wild2, sewa
from train.datasets.shots import PictureFiles, VideoFrames
from train.prepared import SPLITS, LabelScale

NAME = "SSL_C2_S055_P109_VC1_004803_005542"
FRAMES, RATE_HZ = 216, 24000 / 1001
"""Of the sample clip."""


def test_afew_va_matches_frames_and_labels(tmp_path: Path) -> None:
    afew_clip(tmp_path, "001", {"00000": (-10, 3), "00001": (2.0, 10)}, ["00000", "00001", "00002"])
    afew_clip(tmp_path / "AFEW-VA", "002", {"00000": (1, 1), "00003": (1, None)}, ["00000"], actor="Another")
    listing = afew_va.read(tmp_path)
    first, second = sorted(listing.parts, key=lambda part: part.clips)
    assert [(*part.clips, *part.subjects) for part in (first, second)] == [("001", "An Actor"), ("002", "Another")]
    assert_array_equal(first.labels, [(-10, 3), (2, 10), (np.nan, np.nan)])
    assert_array_equal(second.labels, [(1, 1), (np.nan, np.nan)])
    assert isinstance(second.pictures, PictureFiles) and second.pictures.times == (0.0, 3 / 25)
    x, y = PLACE[:2]
    assert_allclose(first.boxes[0], (x - 20, y - 20, x + 20, y + 20))
    assert np.isnan(first.boxes[2]).all()
    assert [shot.fault for shot in second.pictures] == ["", "missing"]
    assert not first.still


def test_afew_va_takes_labels_from_the_common_file(tmp_path: Path) -> None:
    for clip in ("007", "008"):
        draw(tmp_path / clip / "00000.png")
    write(tmp_path / "afew_va_labels.json", json.dumps({"007_00000": [4.0, -5.0]}))
    listing = afew_va.read(tmp_path)
    assert listing.counts == {"clips without labels": 1}
    (part,) = listing.parts
    assert part.subjects == ("clip 007",) and part.still
    assert_array_equal(part.labels, [(4, -5)])


AFEW_FAULTS = [
    ({"00000": (0, 0), "00007": (0, 11)}, r"001.json, frame 00007: arousal is 11; expected -10 to 10 \(--low"),
    ({"00000": ("calm", 0)}, "001.json, frame 00000: valence is calm; expected a number"),
    ({"first": (0, 0)}, "first is no frame number; expected 00000"),
]


@pytest.mark.parametrize(("labels", "message"), AFEW_FAULTS)
def test_afew_va_names_the_frame_of_a_wrong_label(
    tmp_path: Path, labels: dict[str, tuple[object, object]], message: str
) -> None:
    afew_clip(tmp_path, "001", labels, ["00000"])
    with pytest.raises(DataError, match=message):
        afew_va.read(tmp_path)


def test_afew_va_without_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no clip of AFEW-VA; expected clip folders 001, 002"):
        afew_va.read(tmp_path)
    afew_clip(tmp_path, "001", {"00000": (0, 0), "00001": (0, 0)}, [])
    with pytest.raises(DataError, match="none of the 2 annotated files is there"):
        afew_va.read(tmp_path)
    write(tmp_path / "001" / "001.json", "{")
    with pytest.raises(DataError, match=r"001.json cannot be read as JSON"):
        afew_va.read(tmp_path)
    write(tmp_path / "001" / "001.json", "{}")
    with pytest.raises(DataError, match=r"001.json has no frames"):
        afew_va.read(tmp_path)


def sewa_video(root: Path, clip: Path, valence: list[str], arousal: list[str], rating: str = "AV") -> Path:
    """SEWA's files of one video, which is the sample clip."""
    folder = root / NAME
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"{NAME}.avi").exists():
        (folder / f"{NAME}.avi").symlink_to(clip)
    write(folder / f"{NAME}_Valence_{rating}_Aligned.csv", *valence)
    write(folder / f"{NAME}_Arousal_{rating}_Aligned.csv", *arousal)
    return folder


def test_sewa_with_a_row_a_frame(tmp_path: Path, sample_clip: Path) -> None:
    values = [f"{i / FRAMES:.6f}" for i in range(FRAMES)]
    sewa_video(tmp_path, sample_clip, ["valence", *values], ["arousal", *values[::-1]])
    (part,) = sewa.read(tmp_path).parts
    assert part.subjects == ("P109",) and part.clips == (NAME,)
    assert_allclose(part.labels[:, 0], np.arange(FRAMES) / FRAMES, atol=1e-6)
    assert_allclose(part.labels[0, 1], (FRAMES - 1) / FRAMES, atol=1e-6)


def test_sewa_rows_on_another_grid_are_spread_over_the_video(tmp_path: Path, sample_clip: Path) -> None:
    sewa_video(tmp_path, sample_clip, ["0.25"] * 45 + ["0.75"] * 45, ["0.5"] * 90, "A")
    (part,) = sewa.read(tmp_path, rating="A").parts
    assert_array_equal(part.labels[:, 0], np.repeat([0.25, 0.75], FRAMES // 2))
    with pytest.raises(DataError, match=r"holds no video of SEWA with its labels; .*NAME_Valence_AV_Aligned.csv"):
        sewa.read(tmp_path)


def test_sewa_with_times(tmp_path: Path, sample_clip: Path) -> None:
    rows = ["name;timestamp;valence", "x;0.0;0.0", "x;4.0;0.8"]
    sewa_video(tmp_path, sample_clip, rows, [line.replace("valence", "arousal") for line in rows])
    (part,) = sewa.read(tmp_path).parts
    assert_allclose(part.labels[48], 0.2 * 48 / RATE_HZ)
    last = int(4 * RATE_HZ)
    assert np.isnan(part.labels[last + 1 :]).all() and np.isfinite(part.labels[: last + 1]).all()


def test_sewa_below_its_range_says_how_to_set_it(tmp_path: Path, sample_clip: Path) -> None:
    rows = ["0.1"] * (FRAMES - 1) + ["-0.4"]
    sewa_video(tmp_path, sample_clip, rows, rows)
    with pytest.raises(DataError, match=r"frame 215: valence is -0.4; expected 0 to 1 \(--low and --high"):
        sewa.read(tmp_path)
    (part,) = sewa.read(tmp_path, LabelScale(-1, 1)).parts
    assert part.labels[-1, 0] == -0.4


def test_sewa_counts_what_has_no_counterpart(tmp_path: Path, sample_clip: Path) -> None:
    sewa_video(tmp_path, sample_clip, ["0.5"] * FRAMES, ["0.5"] * FRAMES)
    (tmp_path / "other.avi").symlink_to(sample_clip)
    write(tmp_path / "gone_Valence_AV_Aligned.csv", "0.5")
    counts = sewa.read(tmp_path).counts
    assert counts == {"videos without annotation": 1, "annotations without video": 1}


def wild_labels(root: Path, name: str, lines: list[str], folder: str = "Train_Set") -> Path:
    """An annotation file of Aff-Wild2."""
    return write(root / "ABAW Annotations" / "VA_Estimation_Challenge" / folder / f"{name}.txt", *lines)


def test_aff_wild2_reads_videos_and_marks_what_has_no_label(tmp_path: Path, sample_clip: Path) -> None:
    wild_labels(tmp_path, "1-30-1280x720", ["valence,arousal", "0.5,-0.25", "-5,-5", "-5,0.1", "0,1"])
    wild_labels(tmp_path, "48", ["valence, arousal", "0,0"], "Validation_Set")
    (tmp_path / "batch1").mkdir()
    (tmp_path / "batch1" / "1-30-1280x720.mp4").symlink_to(sample_clip)
    first, second = aff_wild2.read(tmp_path).parts
    assert_array_equal(first.labels, [(0.5, -0.25), (np.nan, np.nan), (np.nan, np.nan), (0, 1)])
    assert isinstance(first.pictures, VideoFrames) and first.pictures.path.name == "1-30-1280x720.mp4"
    assert (first.split == SPLITS["train"]).all() and (second.split == SPLITS["validation"]).all()
    assert first.pictures.left_out() == FRAMES - 4
    assert [shot.fault for shot in second.pictures] == ["missing"]


def test_aff_wild2_keeps_two_people_of_one_video_apart(tmp_path: Path, sample_clip: Path) -> None:
    for side in ("left", "right"):
        wild_labels(tmp_path, f"10-60_{side}", ["valence,arousal", "0,0", "0,0", "0,0"])
    (tmp_path / "10-60.avi").symlink_to(sample_clip)
    draw(tmp_path / "cropped_aligned" / "10-60_right" / "00002.jpg")
    left, right = aff_wild2.read(tmp_path).parts
    assert (left.side, left.subjects, left.still) == ("left", ("10-60_left",), False)
    assert (right.side, right.subjects, right.still) == ("", ("10-60_right",), True)
    assert [shot.fault for shot in right.pictures] == ["missing", "", "missing"]
    assert isinstance(right.pictures, PictureFiles)
    assert_allclose(right.pictures.times, np.arange(3) / RATE_HZ)


WILD_FAULTS = [
    (["0.1,0.2"], r"v.txt begins with 0.1,0.2; expected valence,arousal"),
    (["valence,arousal"], r"v.txt has no line below its first"),
    (["valence,arousal", "0.1,0.1", "0.1"], r"v.txt, frame 1: 0.1; expected valence,arousal"),
    (["valence,arousal", "0.1,1.5"], r"v.txt, frame 0: arousal is 1.5; expected -1 to 1"),
    (["valence,arousal", "0,high"], r"v.txt, frame 0 is high; expected a number"),
    (["valence,arousal", "0,0"], "none of the 1 annotated files is there"),
]


@pytest.mark.parametrize(("lines", "message"), WILD_FAULTS)
def test_aff_wild2_names_the_wrong_line(tmp_path: Path, lines: list[str], message: str) -> None:
    wild_labels(tmp_path, "v", lines)
    with pytest.raises(DataError, match=message):
        aff_wild2.read(tmp_path)


def test_aff_wild2_of_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds no annotation of Aff-Wild2; expected VA_Estimation_Challenge/Train_Set"
    ):
        aff_wild2.read(tmp_path)


def test_frames_of_a_video_beyond_its_end_are_missing(sample_clip: Path) -> None:
    shots = list(VideoFrames(sample_clip, [0, 6, 230]))
    assert [(shot.row, shot.fault) for shot in shots] == [(0, ""), (1, ""), (2, "missing")]
    assert shots[1].time == pytest.approx(6 / RATE_HZ, abs=1e-3)
    assert shots[2].time == pytest.approx(230 / RATE_HZ, abs=1e-3)
    assert shots[1].image is not None and shots[1].image.dtype == np.uint8


def test_a_video_that_is_none_is_corrupt(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "no video")
    shots = list(VideoFrames(path, range(3)))
    assert [shot.fault for shot in shots] == ["corrupt"] * 3
    assert shots[2].name == f"{path}, frame 2" and np.diff([shot.time for shot in shots]).min() > 0
