"""Makes the golden traces anew: python tests/golden.py. Do so only where a change of the numbers is meant, and say why.

Each is what `affect track` writes of the sample clip by a model that ships, every column, gzipped.
"""

import gzip
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

TESTS = Path(__file__).parent
CLIP, GOLDEN = TESTS / "assets" / "sample.mp4", TESTS / "assets" / "golden"
MODELS = ("anclaf-face", "anclaf-compact-SA-8")
"""The default, and one with a window: between them all parts of the tracker have their say."""


def trace(model: str) -> bytes:
    """The CSV of the sample clip."""
    from tracker.cli import main

    with TemporaryDirectory() as folder:
        done = CliRunner().invoke(main, ["track", str(CLIP), "--model", model, "-o", folder])
        assert done.exit_code == 0, done.output
        return (Path(folder) / f"{CLIP.stem}.csv").read_bytes()


def versions() -> dict[str, str]:
    """Of the libraries on which the last digits depend, and the kind of machine."""
    names = {"opencv": ("opencv-python", "opencv-contrib-python"), "onnxruntime": ("onnxruntime",)}
    installed = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
    found = {name: next((installed[d] for d in known if d in installed), "none") for name, known in names.items()}
    return {**found, "machine": f"{platform.system()} {platform.machine()}"}


def same_versions() -> bool:
    """Whether the golden traces were made with the libraries that are installed."""
    return json.loads((GOLDEN / "versions.json").read_text(encoding="utf-8")) == versions()


def golden(model: str) -> bytes:
    """The CSV as it was when it was made."""
    return gzip.decompress((GOLDEN / f"{model}.csv.gz").read_bytes())


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS.parent))
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "versions.json").write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")
    for model in MODELS:
        (GOLDEN / f"{model}.csv.gz").write_bytes(gzip.compress(trace(model), mtime=0))
        print(f"wrote {GOLDEN / model}.csv.gz")
