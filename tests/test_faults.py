"""Any exception in one plain line."""

import pytest

from tracker.errors import SourceError
from tracker.faults import plain_line

CASES = [
    (SourceError("clip.mp4 does not exist;\n expected a video"), "clip.mp4 does not exist; expected a video"),
    (ValueError("odd\nshape"), "unexpected ValueError: odd shape; run again with --debug"),
    (
        ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
        "the system library libGL.so.1 is missing; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0",
    ),
    (
        OSError("libGLESv2.so.2: cannot open shared object file: No such file or directory"),
        "the system library libGLESv2.so.2 is missing; on Debian or Ubuntu: apt-get install libgles2",
    ),
    (
        ImportError("libodd-1.so.7: cannot open shared object file: No such file or directory"),
        "the system library libodd-1.so.7 is missing; on Debian or Ubuntu: find its package with: "
        "apt-file search libodd-1.so.7",
    ),
    (
        ModuleNotFoundError("No module named 'scipy'", name="scipy.stats"),
        "the Python package scipy is missing; install it with: pip install 'affect-tracker[train]'",
    ),
    (
        ModuleNotFoundError("No module named 'av'", name="av"),
        "the Python package av is missing; install it with: pip install 'affect-tracker'",
    ),
    (
        ModuleNotFoundError("No module named 'train'", name="train.command"),
        "this installation has no train.command; install affect-tracker from its repository with: pip install .",
    ),
]


@pytest.mark.parametrize(
    ("error", "line"), CASES, ids=[type(error).__name__ + str(i) for i, (error, _) in enumerate(CASES)]
)
def test_plain_line(error: Exception, line: str) -> None:
    assert plain_line(error) == line
