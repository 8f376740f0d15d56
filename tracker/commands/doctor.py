"""`affect doctor`: what is installed, what is missing for what, and what this machine has."""

import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import click

import tracker
from tracker.commands.tables import table

NEEDED = {
    "numpy": "numpy",
    "cv2": "opencv-python",
    "av": "av",
    "onnxruntime": "onnxruntime",
    "numba": "numba",
    "PIL": "pillow",
    "matplotlib": "matplotlib",
    "safetensors": "safetensors",
    "click": "click",
    "tqdm": "tqdm",
    "websockets": "websockets",
    "pythonosc": "python-osc",
}
"""What tracking needs: distributions by the name that Python imports."""
EXTRAS = {
    "train": (
        ("torch", "scipy", "sklearn", "joblib", "tensorboard"),
        "train, prepare, annotate, eval, edit, export, GPU",
    ),
    "parquet": (("pyarrow",), "--parquet"),
    "heif": (("pillow_heif",), "HEIC and HEIF pictures"),
    "edf": (("edfio",), "export-trace to EDF+"),
    "lsl": (("pylsl",), "live --lsl"),
    "synthetic": (("anny", "pyvista"), "synth"),
    "mediapipe": (("mediapipe",), "--landmarker mediapipe, bench landmarks"),
}
"""What an extra brings, and for what."""


@click.command()
@click.pass_context
def doctor(context: click.Context, /) -> None:
    """Tell what is installed, what is missing for which command, cameras, backends and versions.

    The exit code is 1 where tracking itself lacks something, or a model's file is not what its card says.
    """
    missing = [distribution for package, distribution in NEEDED.items() if find_spec(package) is None]
    faults = list(model_faults())
    rows = [
        ("affect-tracker", f"{tracker.__version__} in {Path(tracker.__file__).parents[1]}"),
        ("Python", f"{platform.python_version()} in {sys.prefix}"),
        ("machine", f"{platform.platform()}, {os.cpu_count()} cores"),
        ("tracking", f"missing: {', '.join(missing)}; pip install affect-tracker" if missing else "has all it needs"),
        *((f"  {name}", version) for name, version in versions()),
        *extra_rows(),
        ("models", "; ".join(faults) or "every file is what its card says"),
        ("ONNX Runtime", providers()),
        ("cameras", ", ".join(cameras()) or "none found (affect live camera:0 tries the first)"),
        ("camera backends", backends()),
        ("window", window()),
    ]
    click.echo("\n".join(table(rows)))
    context.exit(1 if missing or faults else 0)


def versions() -> Iterator[tuple[str, str]]:
    """The version of each distribution that tracking needs and that is there."""
    for distribution in NEEDED.values():
        try:
            yield distribution, metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue


def extra_rows() -> Iterator[tuple[str, str]]:
    """Each extra: there, or what is missing, for what, and how to get it."""
    for extra, (packages, purpose) in EXTRAS.items():
        missing = [package for package in packages if find_spec(package) is None]
        lack = f"missing {', '.join(missing)}, for {purpose}: pip install 'affect-tracker[{extra}]'"
        yield f"extra {extra}", lack if missing else f"there, for {purpose}"


def model_faults() -> Iterator[str]:
    """What is wrong with the files of the models that ship."""
    from nets.card import WEIGHTS, CheckpointFault, checked_bytes, encoder_path, model_files, read_arrays

    if not model_files(WEIGHTS):
        yield f"none in {WEIGHTS}"
    for path in model_files(WEIGHTS):
        try:
            _, card = read_arrays(path)
            for kind, digest in card.artefact.get("sha256", {}).items():
                checked_bytes(encoder_path(path, kind), digest)
        except CheckpointFault as fault:
            yield str(fault)


def providers() -> str:
    """What ONNX Runtime can run on; the tracker takes the CPU."""
    from nets.onnx.session import onnxruntime

    if onnxruntime is None:
        return "missing"
    return f"the tracker takes the CPU of {', '.join(onnxruntime.get_available_providers())}"


def cameras() -> list[str]:
    """The cameras that Linux names, unopened; other systems name none without being opened."""
    names = sorted(Path("/sys/class/video4linux").glob("video*/name"))
    return [f"camera:{path.parent.name.removeprefix('video')} {path.read_text().strip()}" for path in names]


def backends() -> str:
    """OpenCV's ways to a camera."""
    try:
        from tracker.sources.camera import camera_backends
    except ImportError:
        return "unknown: OpenCV is missing"
    return ", ".join(camera_backends()) or "none"


def window() -> str:
    """Whether a window can be opened."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return "can be opened"
    return "none: there is no screen (DISPLAY is not set); affect live --headless does without"
