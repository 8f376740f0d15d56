"""Says any exception in one plain line: what is wrong and what to do."""

import re

from tracker.addresses import shown_in
from tracker.errors import AffectError

SYSTEM_PACKAGES = {
    "libGL.so": "libgl1 libglib2.0-0",
    "libgthread-2.0.so": "libgl1 libglib2.0-0",
    "libglib-2.0.so": "libglib2.0-0",
    "libEGL.so": "libegl1",
    "libGLESv2.so": "libgles2",
    "libX11.so": "libx11-6",
    "libxcb.so": "libxcb1",
    "libgomp.so": "libgomp1",
    "libstdc++.so": "libstdc++6",
}
"""Debian's packages with the system libraries that OpenCV, MediaPipe, PyTorch and numba link to."""

EXTRAS = {
    **dict.fromkeys(("torch", "scipy", "sklearn", "joblib", "tensorboard"), "train"),
    "pyarrow": "parquet",
    "pandas": "test",
    "psutil": "test",
    "pytest": "test",
    "pylsl": "lsl",
    "mediapipe": "mediapipe",
    "edfio": "edf",
    **dict.fromkeys(("anny", "pyvista", "vtkmodules"), "synthetic"),
}
"""The extra of affect-tracker that brings an optional Python package."""

OWN_PACKAGES = ("affect", "tracker", "nets", "train", "benchmarks")
MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+?\.so)([\d.]*): cannot open shared object file")


def plain_line(error: BaseException) -> str:
    """One line for any exception: an AffectError's own text, the package that is missing, or the kind and text."""
    if isinstance(error, AffectError):
        return shown_in(one_line(error))
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error.name)
    library = MISSING_LIBRARY.search(str(error)) if isinstance(error, ImportError | OSError) else None
    if library:
        return _missing_library(library[1], library[1] + library[2])
    return f"unexpected {type(error).__name__}: {shown_in(one_line(error))}; run again with --debug"


def one_line(value: object) -> str:
    """The text of a value with every run of white space, line breaks too, made one space."""
    return " ".join(str(value).split())


def _missing_module(name: str) -> str:
    package = name.partition(".")[0]
    if package in OWN_PACKAGES:
        return f"this installation has no {name}; install affect-tracker from its repository with: pip install ."
    extra = EXTRAS.get(package)
    wanted = f"affect-tracker[{extra}]" if extra else "affect-tracker"
    return f"the Python package {package} is missing; install it with: pip install '{wanted}'"


def _missing_library(name: str, file: str) -> str:
    packages = SYSTEM_PACKAGES.get(name)
    remedy = f"apt-get install {packages}" if packages else f"find its package with: apt-file search {file}"
    return f"the system library {file} is missing; on Debian or Ubuntu: {remedy}"
