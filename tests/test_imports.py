"""Who may import whom: a walk over the syntax trees, by the table of the design."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tracker

ROOT = Path(__file__).parents[1]
OURS = ("affect", "tracker", "nets", "train", "benchmarks")
HEAVY = {"torch", "onnxruntime", "mediapipe", "cv2", "av", "numba", "scipy", "sklearn", "matplotlib", "pyarrow"}
FOUNDATION = r"tracker\.(types|errors|config|addresses|words)"
SOURCES, SINKS = r"tracker\.sources(\..+)?", r"tracker\.sinks(\..+)?"
OUTLETS = r"tracker\.outlets(\..+)?"
STAGES = rf"{SOURCES}|{SINKS}|tracker\.faces\..+|tracker\.(cuts|ring|recurrence|smoothing|kernels|landmark_codes)"
SHARED_WITH_TRAINING = (
    rf"{FOUNDATION}|{SOURCES}|tracker\.faces\..+|tracker\.(ring|kernels|smoothing|drawing\.(plots|strips)|engine)"
)
WITHOUT_TORCH = (
    r"nets|nets\.(answer|bounds|card|expressions|files|landmark_layers|recurrent|runtime|templates)"
    r"|nets\.onnx(\.(own|own_card|session))?"
)
"""What the tracker needs of nets, and what that needs."""
DRAWING = r"tracker\.drawing(\..+)?"
DESK = r"tracker\.(faults|interrupt|manifest|outputs|sheets|neutral|recording|batch|workers)"
"""What stands between the command line and the engine: one call of `affect track`, its files and its progress."""


@dataclass(frozen=True)
class Rule:
    """What a group of modules may import at its top, beside the standard library and numpy."""

    modules: str
    ours: str
    libraries: tuple[str, ...] = ()
    late: str = "-"
    """Our modules that it may import inside a function: commands' bodies, open_source, open_sink, __getattr__."""


RULES = [
    Rule(r"tracker\.types", rf"{FOUNDATION}|nets\.expressions"),
    Rule(FOUNDATION, FOUNDATION),
    Rule(r"tracker\.kernels", "-", ("numba",)),
    Rule(r"tracker\.sources", FOUNDATION, late=SOURCES),
    Rule(r"tracker\.sources\.live", rf"{FOUNDATION}|{SOURCES}", late=SOURCES),
    Rule(SOURCES, rf"{FOUNDATION}|{SOURCES}|tracker\.ahead", ("av", "cv2", "PIL", "pillow_heif")),
    Rule(r"tracker\.sinks", rf"{FOUNDATION}|tracker\.sinks\.files", late=rf"{SINKS}|{DRAWING}"),
    Rule(SINKS, rf"{FOUNDATION}|{SINKS}", ("av", "pyarrow", "PIL")),
    Rule(r"tracker\.outlets", rf"{FOUNDATION}|tracker\.outlets\.outlet", late=OUTLETS),
    Rule(OUTLETS, rf"{FOUNDATION}|{OUTLETS}|tracker\.sinks(\.records)?", ("websockets", "pythonosc", "pylsl")),
    Rule(
        r"tracker\.faces\.landmarks",
        rf"{FOUNDATION}|tracker\.faces\.(onnx_finder|regions)",
        ("cv2",),
        late=r"tracker\.faces\.mediapipe_finder",
    ),
    Rule(r"tracker\.faces\.mediapipe_finder", rf"{FOUNDATION}|tracker\.faces\.regions", ("mediapipe", "cv2")),
    Rule(r"tracker\.faces\.graphs", rf"{FOUNDATION}|nets\.onnx\.session"),
    Rule(
        r"tracker\.faces\.(onnx_finder|detection)",
        rf"{FOUNDATION}|tracker\.faces\.(detection|graphs|regions)",
        ("cv2",),
    ),
    Rule(r"tracker\.faces\.quality", rf"{FOUNDATION}|tracker\.faces\.hidden", ("cv2",)),
    Rule(r"tracker\.faces\.identity", rf"{FOUNDATION}|tracker\.faces\.align", ("onnxruntime",)),
    Rule(r"tracker\.faces\..+", rf"{FOUNDATION}|tracker\.kernels|tracker\.faces\.shape|nets\.templates", ("cv2",)),
    Rule(r"tracker\.cuts", "-", ("cv2",)),
    Rule(r"tracker\.(ring|recurrence)", rf"{FOUNDATION}|tracker\.kernels"),
    Rule(r"tracker\.landmark_codes", rf"{FOUNDATION}|tracker\.(kernels|faces\..+)|{WITHOUT_TORCH}"),
    Rule(r"tracker\.(smoothing|live\.baseline)", FOUNDATION),
    Rule(r"tracker\.(keys|memory)", "-"),
    Rule(r"tracker\.leases", FOUNDATION),
    Rule(r"tracker\.drawing\.letters", "-", ("matplotlib",)),
    Rule(r"tracker\.drawing\.(plots|heatmaps|strips)", rf"{FOUNDATION}|tracker\.drawing\.plots", ("matplotlib",)),
    Rule(DRAWING, rf"{FOUNDATION}|{DRAWING}|tracker\.keys", ("cv2",)),
    Rule(r"tracker\.ahead", "-"),
    Rule(
        r"tracker\.editing(\..+)?",
        rf"{FOUNDATION}|tracker\.editing\..+|{SOURCES}|tracker\.faces\..+|{DRAWING}|nets\..+",
    ),
    Rule(
        r"tracker\.traces(\..+)?",
        rf"tracker|{FOUNDATION}|{SINKS}|tracker\.(outputs|traces\..+)",
        ("edfio",),
        late=rf"{SINKS}|tracker\.traces\..+",
    ),
    Rule(
        r"tracker\.report(\..+)?",
        rf"tracker|{FOUNDATION}|tracker\.outputs|tracker\.report\..+|{SOURCES}|tracker\.sinks\.files"
        r"|tracker\.traces\.(reading|events)",
        ("PIL",),
    ),
    Rule(r"tracker\.status", rf"{FOUNDATION}|tracker\.(leases|manifest|outputs)"),
    Rule(r"tracker\.merging", rf"{FOUNDATION}|{SINKS}|{SOURCES}|tracker\.(manifest|outputs)", ("pyarrow",)),
    Rule(r"tracker\.engine", rf"{FOUNDATION}|{STAGES}|tracker\.ahead|{WITHOUT_TORCH}"),
    Rule(
        r"tracker\.live(\..+)?",
        rf"tracker|{FOUNDATION}|{DESK}|{SINKS}|{OUTLETS}|tracker\.(engine|keys|memory|sources|sources\.live|live\..+)"
        rf"|{DRAWING}",
        ("tqdm", "cv2"),
    ),
    Rule(
        DESK,
        rf"tracker|{FOUNDATION}|{DESK}|{SOURCES}|{SINKS}|tracker\.(engine|leases|landmark_codes|faces\.neutral|report)"
        r"|tracker\.traces\..+",
        ("tqdm",),
    ),
    Rule(r"tracker", "-"),
    Rule(
        r"tracker\.(cli|commands(\..+)?)",
        rf"tracker|{FOUNDATION}|tracker\.faults|tracker\.commands\..+",
        ("click",),
        late=r"tracker(\..+)?|nets\..+",
    ),
    Rule(r"tracker\.faces", "-"),
    Rule(r"affect", "-"),
    Rule(r"affect\..+", rf"affect\..+|tracker|{FOUNDATION}|{SOURCES}|{SINKS}|tracker\.(engine|live|outputs)"),
    Rule(r"nets\.runtime", WITHOUT_TORCH, late=r"nets\.torch_runtime"),
    Rule(WITHOUT_TORCH, WITHOUT_TORCH, ("safetensors", "onnxruntime")),
    Rule(r"nets(\..+)?", r"nets\..+", ("torch", "safetensors")),
    Rule(
        r"train\.annotate",
        rf"train\.(annotation_transfer|annotating\.choices)|{FOUNDATION}|tracker\.commands\.options",
        ("click",),
        late=r"train\.annotating\..+",
    ),
    Rule(
        r"train\.synthesis\..+",
        rf"train(\..+)?|nets\..+|{SHARED_WITH_TRAINING}",
        ("torch", "cv2", "tqdm", "scipy", "av", "anny", "pyvista", "vtkmodules"),
        late=r"train\..+",
    ),
    Rule(
        r"train(\..+)?",
        rf"train(\..+)?|nets\..+|{SHARED_WITH_TRAINING}",
        ("torch", "cv2", "tqdm", "click", "scipy", "sklearn", "joblib", "safetensors", "matplotlib"),
        late=rf"train\..+|nets\..+|{SHARED_WITH_TRAINING}",
    ),
    Rule(
        r"benchmarks\.command",
        rf"benchmarks\.config|{FOUNDATION}|tracker\.commands\.(options|live)",
        ("click",),
        late=r"benchmarks(\..+)?",
    ),
    Rule(r"benchmarks\.throughput", r"benchmarks\..+|tracker(\..+)?", late=r"benchmarks\.networks"),
    Rule(r"benchmarks\.training", rf"benchmarks\.report|{FOUNDATION}|train\..+|nets\..+", ("torch",)),
    Rule(
        r"benchmarks(\..+)?",
        r"benchmarks\..+|tracker(\..+)?|nets\..+|train\.metrics",
        ("torch", "cv2", "av", "tqdm", "psutil"),
        late=r"tracker(\..+)?|nets\..+|train\.metrics",
    ),
]
"""The first rule that names a module holds for it."""


@dataclass(frozen=True)
class Import:
    """One imported module."""

    name: str
    line: int
    late: bool


def imports(path: Path) -> list[Import]:
    """What a file imports; what only a type checker sees is left out."""
    return list(_walk(ast.parse(path.read_text(encoding="utf-8")), False))


def _walk(node: ast.AST, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (Import(name, child.lineno, late) for name in _named(child))
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _walk(child, late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def _named(node: ast.ImportFrom) -> list[str]:
    """`from train import metrics` names train.metrics; `from train.metrics import ccc` names train.metrics."""
    module = node.module or ""
    inner = [f"{module}.{alias.name}" for alias in node.names]
    return sorted({name if _is_module(name) else module for name in inner})


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for top in OURS for path in sorted((ROOT / top).rglob("*.py"))}


def rule_of(module: str) -> Rule:
    return next(rule for rule in RULES if re.fullmatch(rule.modules, module))


def offences(module: str, found: list[Import]) -> list[str]:
    """The imports of a module that its rule does not allow."""
    rule = rule_of(module)
    bad = []
    for each in found:
        top = each.name.split(".")[0]
        if top in OURS:
            allowed = rf"({rule.ours})" if not each.late else rf"({rule.late})"
            fine = bool(re.fullmatch(allowed, each.name))
        else:
            fine = top in sys.stdlib_module_names or top == "numpy" or (top in rule.libraries and not each.late)
        if not fine:
            bad.append(f"{module} line {each.line} imports {each.name}{' inside a function' if each.late else ''}")
    return bad


def test_every_module_has_a_rule() -> None:
    assert {"tracker.engine", "tracker.faces.align", "nets.runtime", "train.metrics"} <= MODULES.keys()
    assert [module for module in MODULES if not any(re.fullmatch(r.modules, module) for r in RULES)] == []


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_what_they_may(module: str) -> None:
    assert offences(module, imports(MODULES[module])) == []


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("tracker.")])
def test_a_stage_has_one_heavy_library(module: str) -> None:
    heavy = {each.name.split(".")[0] for each in imports(MODULES[module])} & HEAVY
    assert len(heavy - {"cv2"} if "mediapipe" in heavy else heavy) <= 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("tracker.types", "import cv2"),
        ("tracker.config", "from tracker.ring import RingBuffer"),
        ("tracker.ring", "from tracker.faces.align import align"),
        ("tracker.faces.pose", "from tracker.faces.align import align"),
        ("tracker.faces.quality", "import torch"),
        ("tracker.smoothing", "from tracker import ring"),
        ("tracker.drawing.overlay", "def draw():\n    import cv2"),
        ("tracker.engine", "from train import metrics"),
        ("tracker.cli", "def main():\n    import train.evaluate"),
        ("tracker.cli", "import tracker.engine"),
        ("nets.runtime", "from tracker.errors import CheckpointError"),
        ("train.evaluate", "from tracker.sinks import open_sink"),
        ("train.anclaf", "import tracker.cli"),
        ("benchmarks.accuracy", "from train.anclaf import train"),
    ],
)
def test_the_walk_sees_what_is_forbidden(module: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(line, encoding="utf-8")
    assert len(offences(module, imports(path))) == 1


def loaded_after(code: str) -> set[str]:
    """Heavy libraries in memory after the code has run in a new interpreter."""
    script = f"import sys\n{code}\nprint(*sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tracker; tracker.__version__; dir(tracker)",
        "from tracker import TrackerConfig, SmoothingConfig; TrackerConfig()",
        "from tracker import open_source",
        "import tracker.types, tracker.errors, tracker.config, tracker.sinks, tracker.outlets",
    ],
)
def test_light_imports_load_no_heavy_library(code: str) -> None:
    assert loaded_after(code) == set()


def test_the_engine_loads_what_it_needs_and_no_more() -> None:
    loaded = loaded_after("from tracker import Engine, track; Engine")
    assert {"onnxruntime", "numba", "cv2"} <= loaded
    assert not {"torch", "mediapipe", "matplotlib", "pyarrow"} & loaded


def test_the_public_names_are_there() -> None:
    for name in tracker.__all__:
        assert name in dir(tracker)
        assert getattr(tracker, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tracked'; it has Engine, track"):
        _ = tracker.tracked


def test_the_version_stands_in_one_place() -> None:
    pytest.importorskip("setuptools")
    assert re.fullmatch(r"\d+\.\d+\.\d+", tracker.__version__)
    assert f'version="{tracker.__version__}"' not in (ROOT / "setup.py").read_text(encoding="utf-8")
    command = [sys.executable, "setup.py", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == tracker.__version__
