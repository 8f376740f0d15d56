"""Graphs whose convolutions work on whole numbers of eight bits (Jacob et al., CVPR 2018, Eq. 1 to 7)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from nets.onnx.graph import ELEMENTS, Attribute, Graph, Shape, Stored, Weight

QUANTISED = ("Conv", "Add", "LeakyRelu", "Concat")
"""Operators whose inputs are rounded."""
LEVELS = 255
"""Steps between the least and the largest value of a node."""
LARGEST_WEIGHT = 63
"""Weights have seven bits: eight would overflow the sums of sixteen bits in processors without VNNI."""
PICTURE_CHANNELS = 4
"""A convolution of no more is on the picture itself, which is not rounded: it takes little time."""

Ranges = Mapping[str, Sequence[float]]
"""The least and the largest value of a node, by its name."""


class ObservedGraph(Graph):
    """Gives the values that QUANTISED operators read too, after its own outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.observed: dict[str, None] = {}
        """Names of the nodes, in order."""

    def node(self, operator: str, *inputs: str | ArrayLike, **attributes: Attribute) -> str:
        """As Graph.node."""
        if operator in QUANTISED and not _of_picture(operator, inputs):
            values = [value for value in inputs if isinstance(value, str) and not isinstance(value, Weight)]
            self.observed.update(dict.fromkeys(values))
        return super().node(operator, *inputs, **attributes)

    def file(self, inputs: Mapping[str, tuple[type, Shape]], outputs: Mapping[str, Shape]) -> bytes:
        """As Graph.file."""
        return super().file(inputs, {**outputs, **dict.fromkeys(self.observed, ("B", "C", "H", "W"))})


class QuantisedGraph(Graph):
    """Rounds what QUANTISED operators read, where its range is known, and the weights of the convolutions.

    A value stands as ONNX has it: made whole (QuantizeLinear) and a number again (DequantizeLinear); what runs the
    graph joins both with the operator between them.
    """

    def __init__(self, ranges: Ranges, stored: Mapping[int, Stored] | None = None) -> None:
        super().__init__(stored)
        self._ranges = ranges
        self._rounded: dict[str, str] = {}

    def node(self, operator: str, *inputs: str | ArrayLike, **attributes: Attribute) -> str:
        """As Graph.node."""
        if operator not in QUANTISED or inputs[0] not in self._ranges:
            return super().node(operator, *inputs, **attributes)
        values = [self._round(value) if isinstance(value, str) else value for value in inputs]
        if operator == "Conv":
            weight, *bias = (each if isinstance(each, Weight) else self.weight(np.asarray(each)) for each in inputs[1:])
            values[1:] = self._whole_weights(str(inputs[0]), weight, *bias)
        return super().node(operator, *values, **attributes)

    def _round(self, name: str) -> str:
        """The value of a node, rounded; by the same two nodes for all that read it."""
        if name in self._ranges and name not in self._rounded:
            step = step_of(*self._ranges[name])
            whole = self._add(f"{name}_whole", "QuantizeLinear", name, *step)
            self._rounded[name] = self._add(f"{name}_rounded", "DequantizeLinear", whole, *step)
        return self._rounded.get(name, name)

    def _whole_weights(self, x: str, weight: Weight, *bias: Weight) -> list[str]:
        """Weight (O, I, k, k) by a step for each output; bias (O,), if any, in 32 bits by the product of both steps."""
        largest = self.fixed("ReduceMax", self.fixed("Abs", weight), axes=(1, 2, 3), keepdims=0)
        steps = self.fixed("Max", self.fixed("Div", largest, float(LARGEST_WEIGHT)), 1e-12)
        column = self.fixed("Reshape", steps, [-1, 1, 1, 1])
        products = self.fixed("Mul", steps, step_of(*self._ranges[x])[0])
        biases = [self._whole(each, products, products, np.int32) for each in bias]
        return [self._whole(weight, column, steps, np.int8), *biases]

    def _whole(self, values: Weight, divisor: Weight, steps: Weight, kind: type) -> str:
        """Values (O, ...) as whole numbers of steps (O,)."""
        rounded = self.fixed("Round", self.fixed("Div", values, divisor))
        whole = self.fixed("Cast", rounded, to=ELEMENTS[np.dtype(kind)])
        return self.fixed("DequantizeLinear", whole, steps, np.zeros(values.shape[0], kind), axis=0)


def step_of(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """The step between whole numbers, and the whole number that stands for 0, of values in [low, high]."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / LEVELS, 1e-12)
    return np.float32(step), np.uint8(round(-low / step))


def _of_picture(operator: str, inputs: Sequence[str | ArrayLike]) -> bool:
    if operator != "Conv":
        return False
    weight = inputs[1]
    return (weight.shape if isinstance(weight, Weight) else np.shape(weight))[1] <= PICTURE_CHANNELS
