"""ONNX networks of one's own for the tests, whose answers can be worked out by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nets.onnx.graph import Graph

CARD: dict[str, Any] = {
    "name": "mine",
    "input": {"size": 32, "channels": 3, "color": "rgb", "layout": "NCHW", "dtype": "float32", "scale": 1 / 255},
    "crop": {"template": "anclaf"},
    "terms": "the test's own",
}
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")


def write_own(
    folder: Path,
    shape: Sequence[int | str] = ("B", 3, 32, 32),
    dtype: type = np.float32,
    classes: int = 8,
    batch: int | None = None,
    **changes: Any,
) -> Path:
    """FILE.onnx and its card; its affect is linear in the means of the upper and the lower half, as those of the sets.

    changes: parts of the card in place of CARD's and of those that fit; an output of None is left out.
    """
    graph, feed = Graph(), changes.get("input") or CARD["input"]
    picture = graph.node("Cast", "faces", to=1)
    if feed.get("layout") == "NHWC":
        picture = graph.node("Transpose", picture, perm=(0, 3, 1, 2))
    halves = graph.node(
        "ReduceMean", graph.node("Reshape", picture, [-1, feed.get("channels", 3), 2, 512]), axes=(1, 3)
    )
    means = graph.node("Flatten", halves)
    affect = graph.node("Sub", graph.node("Mul", means, [2.0]), [1.0])
    logits = graph.node("MatMul", means, np.linspace(-4, 4, 2 * classes, dtype=np.float32).reshape(2, classes))
    feature = graph.node("MatMul", means, np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32))
    rows = "B" if batch is None else batch
    outputs = {affect: (rows, 2), logits: (rows, classes), feature: (rows, 6)}
    told = {
        "valence": f"{affect}[0]",
        "arousal": f"{affect}[1]",
        "expressions": {"output": logits, "classes": list(CLASSES[:classes])},
        "feature": feature,
        **changes.pop("outputs", {}),
    }
    card = {**CARD, "outputs": {name: value for name, value in told.items() if value is not None}, **changes}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.onnx").write_bytes(graph.file({"faces": (dtype, shape)}, outputs))
    (folder / "mine.json").write_text(json.dumps(card), encoding="utf-8")
    return folder / "mine.onnx"
