"""What every test file may ask for."""

from pathlib import Path

import pytest

MEDIA = Path(__file__).parents[2] / "shared" / "media"
SAMPLE = Path(__file__).parent / "assets" / "sample.mp4"


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of clips that are not part of the repository."""
    if not MEDIA.is_dir():
        pytest.skip(f"needs the clips in {MEDIA}")
    return MEDIA


@pytest.fixture(scope="session")
def several_faces(media: Path) -> Path:
    """A picture of several people."""
    path = media / "multi_face.jpg"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    return path


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    """Nine seconds, 216 frames of one lively face; see sample.md beside it."""
    return SAMPLE
