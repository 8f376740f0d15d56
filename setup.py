"""The distribution affect-tracker: packages affect, tracker, nets, train and benchmarks, and the command affect."""

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
    python_requires=">=3.10,<3.15",
    packages=find_packages(include=["affect*", "tracker*", "nets*", "train*", "benchmarks*"]),
    package_data={
        "nets": ["weights/*.safetensors", "weights/*.json", "weights/*.onnx"],
        "train": ["configs/*.json", "configs/*/*.json"],
        "affect": ["py.typed"],
        "tracker": ["py.typed", "faces/models/*", "report/browser/*", "report/browser/vendor/*"],
    },
    install_requires=[
        "numpy>=1.26,<3",
        "opencv-python>=4.10,<6",
        "onnxruntime>=1.17,<1.29",  # from 1.29 on it tells its maker of every session
        "av>=17,<19",
        "pillow>=11.3",
        "numba>=0.60",
        "click>=8.1",
        "tqdm>=4.66",
        "safetensors>=0.4",
        "matplotlib>=3.8",
        "websockets>=15",
        "python-osc>=1.9",
    ],
    extras_require={
        "train": ["torch>=2.4", "scipy>=1.11", "scikit-learn>=1.4", "joblib>=1.3", "tensorboard>=2.14,<2.19"],
        "parquet": ["pyarrow>=15,<26"],
        "synthetic": ["anny>=0.6.2,<0.7", "pyvista>=0.46"],
        "heif": ["pillow-heif>=1.0"],
        "edf": ["edfio>=0.4"],
        "lsl": ["pylsl>=1.17.6"],
        # the last release that brings its models and reports nothing; Python 3.10 to 3.12, numpy 1
        "mediapipe": ["mediapipe==0.10.21"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "psutil>=5.9",
            "playwright>=1.45",
            "axe-playwright-python>=0.1.4",
            "ruff==0.17.*",
            "mypy>=1.13",
            "pandas>=2.1,<3",
            "pylsl>=1.17.6",
            "edfio>=0.4",
            "pyedflib>=0.1.38",
            "pympi-ling>=1.70",
            "praatio>=6",
            "bids-validator>=1.14",
        ],
    },
    entry_points={"console_scripts": ["affect=tracker.cli:main"]},
)
