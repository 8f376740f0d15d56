"""What a figure was measured on: processor, cores, versions, commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "tests" / "assets" / "sample.mp4"
"""The clip that the figures of the README are measured on."""
PACKAGES = ("numpy", "torch", "onnxruntime", "mediapipe", "av", "opencv-python", "opencv-contrib-python", "numba")
"""Of those that are installed the version is told."""


def machine() -> dict[str, Any]:
    """The processor's name, the cores this process may use, the system, the versions and the commit."""
    versions = {"python": platform.python_version(), **{name: found for name in PACKAGES if (found := _version(name))}}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": _cpu(), "cores": cores, "system": platform.platform(), "versions": versions, "commit": _commit()}


def machine_lines(measured_on: dict[str, Any]) -> str:
    """The machine as lines of text to stand above a table."""
    versions = ", ".join(f"{name} {number}" for name, number in measured_on["versions"].items())
    place = f"{measured_on['cpu']}, {measured_on['cores']} cores, {measured_on['system']}"
    return f"machine   {place}\nversions  {versions}\ncommit    {measured_on['commit']}"


def load_of_others() -> float:
    """How many processes wanted a core over the last minute, on average; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
