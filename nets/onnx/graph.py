"""Writes ONNX files: a graph of nodes, and the few messages of onnx.proto that it needs, as protobuf's bytes.

A weight may stand in the file, or where it stands already: in a checkpoint beside the file. torch's exporters know no
such thing, and would write every weight a second time.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

IR_VERSION = 8
OPSET = 17
ELEMENTS = {np.dtype(name): number for name, number in (("f4", 1), ("u1", 2), ("i1", 3), ("i4", 6), ("i8", 7))}
"""TensorProto.DataType."""
FLOAT, INT, INTS = 1, 2, 7
"""AttributeProto.AttributeType."""

EXTERNAL = 1
"""TensorProto.DataLocation: the values stand in another file."""
HALF = 10
"""TensorProto.DataType of float16."""

Attribute = int | float | Sequence[int]
Shape = Sequence[int | str]
"""Sides; a name stands for one that is free."""


class Stored(NamedTuple):
    """Where a weight stands in a file beside the ONNX file, as raw numbers, little end first."""

    file: str
    """Its name, without a folder."""
    offset: int
    """Bytes."""
    length: int
    """Bytes."""
    half: bool
    """float16; else float32."""


class Weight(str):
    """The name of a weight in a graph: float32, and the same for every input."""

    shape: tuple[int, ...]

    def __new__(cls, name: str, shape: Sequence[int]) -> "Weight":
        weight = super().__new__(cls, name)
        weight.shape = tuple(shape)
        return weight


class Graph:
    """Nodes and constants in the order in which they are added."""

    def __init__(self, stored: Mapping[int, Stored] | None = None) -> None:
        """stored: where weights stand, by the address of their values in memory; the others are written."""
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._stored = stored or {}
        self._weights: dict[int, tuple[Weight, np.ndarray]] = {}
        self._named = self._fixed = 0

    def node(self, operator: str, *inputs: str | ArrayLike, **attributes: Attribute) -> str:
        """Add a node of an ONNX operator and return the name of its answer; an input is such a name, or a constant."""
        self._named += 1
        return self._add(f"{operator}_{self._named - 1}", operator, *inputs, **attributes)

    def weight(self, values: np.ndarray) -> Weight:
        """A weight float32, by reference where it is stored beside the file; the same array is added once."""
        place = values.__array_interface__["data"][0]
        if place not in self._weights:
            where = self._stored.get(place)
            name = self._constant(values) if where is None else self._reference(values.shape, where)
            self._weights[place] = Weight(name, values.shape), values  # kept, so that no other takes its place
        return self._weights[place][0]

    def named(self, name: str, node: str) -> str:
        """A node's answer by another name, for an output."""
        return self._add(name, "Identity", node)

    def fixed(
        self, operator: str, *inputs: str | ArrayLike, shape: Sequence[int] = (), **attributes: Attribute
    ) -> Weight:
        """A weight (of a shape) made of others, once, when the file is opened; it takes no number from the nodes."""
        self._fixed += 1
        return Weight(self._add(f"fixed_{self._fixed - 1}", operator, *inputs, **attributes), shape)

    def _reference(self, shape: Sequence[int], where: Stored) -> str:
        name = f"stored_{len(self._constants)}"
        entries = {"location": where.file, "offset": str(where.offset), "length": str(where.length)}
        external: tuple[int | bytes, ...] = (13, *(message((1, key), (2, value)) for key, value in entries.items()))
        kind = HALF if where.half else ELEMENTS[np.dtype("f4")]
        self._constants.append(message((1, *shape), (2, kind), (8, name), external, (14, EXTERNAL)))
        return self.fixed("Cast", name, to=ELEMENTS[np.dtype("f4")]) if where.half else name

    def _add(self, name: str, operator: str, *inputs: str | ArrayLike, **attributes: Attribute) -> str:
        names = [value if isinstance(value, str) else self._constant(np.asarray(value)) for value in inputs]
        described = [(5, _attribute(*each)) for each in attributes.items()]
        self._nodes.append(message((1, *names), (2, name), (3, name), (4, operator), *described))
        return name

    def file(self, inputs: Mapping[str, tuple[type, Shape]], outputs: Mapping[str, Shape]) -> bytes:
        """The whole as an ONNX file: its inputs by name, with type and shape; its float32 outputs by node, in order."""
        graph = message(
            (1, *self._nodes),
            (2, "graph"),
            (5, *self._constants),
            (11, *(_value(name, kind, shape) for name, (kind, shape) in inputs.items())),
            (12, *(_value(name, np.float32, shape) for name, shape in outputs.items())),
        )
        return message((1, IR_VERSION), (7, graph), (8, message((2, OPSET))))

    def _constant(self, values: np.ndarray) -> str:
        name = f"constant_{len(self._constants)}"
        if values.dtype not in ELEMENTS:
            values = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
        self._constants.append(
            message((1, *values.shape), (2, ELEMENTS[values.dtype]), (8, name), (9, values.tobytes()))
        )
        return name


def message(*fields: tuple[int | float | str | bytes, ...]) -> bytes:
    """A protobuf message: of each field its number, then its values."""
    return b"".join(_field(int(number), value) for number, *values in fields for value in values)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    groups = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return message((1, name), (3, value), (20, INT))
    if isinstance(value, float):
        return message((1, name), (2, value), (20, FLOAT))
    return message((1, name), (8, *value), (20, INTS))


def _value(name: str, kind: type, shape: Shape) -> bytes:
    sides = [message((2, side) if isinstance(side, str) else (1, side)) for side in shape]
    tensor = message((1, ELEMENTS[np.dtype(kind)]), (2, message((1, *sides))))
    return message((1, name), (2, message((1, tensor))))
