"""FER+ from its .npz: labels, splits, crops by the tracker's own code, and files that are not FER+."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.errors import DataError
from tracker.faces.align import Template
from train.datasets import ferplus
from train.datasets.ferplus import CENTRES, EMOTIONS, FerPlus

FERPLUS = Path(__file__).parents[2] / "shared" / "data" / "ferplus.npz"


def make(images: np.ndarray, votes: np.ndarray, split: np.ndarray | None = None) -> FerPlus:
    count = len(images)
    own = np.zeros(count, np.uint8)
    return FerPlus(images, votes.astype(np.uint8), own, np.zeros(count, np.uint8) if split is None else split)


def save(path: Path, data: FerPlus) -> Path:
    np.savez(path, images=data.images, votes=data.votes, label=data.label, split=data.split)
    return path


@pytest.fixture
def blank() -> FerPlus:
    votes = np.zeros((4, 10))
    votes[:, 1] = (10, 5, 4, 4)
    votes[2, 8] = 6
    return make(np.zeros((4, 48, 48), np.uint8), votes, np.array([0, 2, 2, 1], np.uint8))


def test_load_is_what_was_saved(tmp_path: Path, blank: FerPlus) -> None:
    loaded = ferplus.load(save(tmp_path / "f.npz", blank))
    assert np.array_equal(loaded.votes, blank.votes)


def test_part_keeps_faces_with_five_votes(blank: FerPlus) -> None:
    assert len(blank.part("test").images) == 1
    assert len(blank.part("validation").images) == 0


def test_affect_of_one_emotion_is_its_centre() -> None:
    votes = np.concatenate([np.eye(8) * 10, np.full((8, 2), 5)], axis=1)
    assert np.allclose(ferplus.affect_of_votes(votes), CENTRES)


def test_affect_of_a_tie_lies_half_way() -> None:
    votes = np.zeros((1, 10))
    votes[0, [EMOTIONS.index("happiness"), EMOTIONS.index("fear")]] = 4
    expected = (CENTRES[EMOTIONS.index("happiness")] + CENTRES[EMOTIONS.index("fear")]) / 2
    assert np.allclose(ferplus.affect_of_votes(votes), expected)


def test_no_vote_gives_zero_not_nan() -> None:
    assert np.array_equal(ferplus.affect_of_votes(np.zeros((1, 10))), [[0, 0]])


def test_own_labels_name_their_emotions() -> None:
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert tuple(EMOTIONS[i] for i in ferplus.LABEL_EMOTIONS) == names


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.npz: no such file; expected the FER\+ .npz"):
        ferplus.load(tmp_path / "gone.npz")


def test_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "f.npz").write_text("hello")
    with pytest.raises(DataError, match=r"f.npz is not the FER\+ .npz"):
        ferplus.load(tmp_path / "f.npz")


def test_an_array_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", images=np.zeros((1, 48, 48)))
    with pytest.raises(DataError, match=r"is not the FER\+ .npz with images, votes, label and split"):
        ferplus.load(tmp_path / "f.npz")


def test_arrays_of_another_shape(tmp_path: Path, blank: FerPlus) -> None:
    path = save(tmp_path / "f.npz", make(blank.images, blank.votes[:, :8]))
    with pytest.raises(DataError, match=r"got images \(4, 48, 48\) and votes \(4, 8\); expected"):
        ferplus.load(path)


def test_crops_of_a_real_face_and_of_none(sample_clip: Path) -> None:
    image = cv2.cvtColor(cv2.VideoCapture(str(sample_clip)).read()[1], cv2.COLOR_BGR2GRAY)
    crops, found = ferplus.crops_of([image, np.full((48, 48), 90, np.uint8)], Template(margin=8))
    assert crops.shape == (2, 80, 80, 1)
    assert found.tolist() == [True, False]
    assert crops[0].std() > 10
    assert crops[1].max() == 0


@pytest.mark.skipif(not FERPLUS.exists(), reason="needs ferplus.npz")
def test_most_faces_are_found() -> None:
    data = ferplus.load(FERPLUS)
    _, found = ferplus.crops_of(data.part("test").images[:100], Template())
    assert found.mean() > 0.85
