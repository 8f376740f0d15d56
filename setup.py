"""The distribution affect-tracker: packages tracker, nets, train and benchmarks, and the command affect."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "tracker" / "__init__.py").read_text(encoding="utf-8"), re.M)[1]

setup(
    name="affect-tracker",
    version=VERSION,
    description="A streaming tracker of apparent affect: video in, a timed valence-arousal trace per face out.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["tracker*", "nets*", "train*", "benchmarks*"]),
    package_data={
        "nets": ["weights/*.safetensors", "weights/*.json"],
        "train": ["configs/*.json", "configs/*/*.json"],
        "tracker": ["py.typed", "report/browser/*", "report/browser/vendor/*"],
    },
    install_requires=[
        "mediapipe==0.10.21",
        "numpy>=1.26,<2",
        "opencv-contrib-python==4.11.*",
        "torch>=2.4",
        "onnxruntime>=1.17,<1.29",  # from 1.29 on it tells its maker of every session
        "av>=17,<19",
        "pillow>=11.3",
        "numba>=0.60",
        "scipy>=1.11",
        "click>=8.1",
        "tqdm>=4.66",
        "safetensors>=0.4",
        "matplotlib>=3.8",
        "pyarrow>=15,<26",
        "websockets>=15",
        "python-osc>=1.9",
    ],
    extras_require={
        "train": ["tensorboard>=2.14,<2.19", "scikit-learn>=1.4", "joblib>=1.3"],
        "synthetic": ["anny>=0.6.2,<0.7", "pyvista>=0.46"],
        "heif": ["pillow-heif>=1.0"],
        "lsl": ["pylsl>=1.17.6"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "scikit-learn>=1.4",
            "joblib>=1.3",
            "psutil>=5.9",
            "playwright>=1.45",
            "axe-playwright-python>=0.1.4",
            "ruff==0.17.*",
            "mypy>=1.13",
            "pandas>=2.1,<3",
            "pylsl>=1.17.6",
        ],
    },
    entry_points={"console_scripts": ["affect=tracker.cli:main"]},
)
