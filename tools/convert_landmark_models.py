"""Writes tracker/faces/models/*.onnx from the .tflite files in the wheel of mediapipe 0.10.21 (Apache-2.0).

    pip install numpy tflite onnx
    pip download --no-deps --python-version 3.11 --only-binary=:all: mediapipe==0.10.21
    python tools/convert_landmark_models.py mediapipe-0.10.21-*.whl tracker/faces/models

The weights stay as they are: stored as 16-bit floats, as in the source, and used as 32-bit floats. What changes is the
form of the graph, so that ONNX Runtime keeps its blocked layout (NCHWc), which a layer without a blocked form breaks:

- channels come first, and any number of pictures is taken at once;
- PReLU is a x + relu((1 - a) x), by depthwise 1x1 convolutions (three where an a is above 1, else two);
- zero channels are added by a 1x1 convolution with a part of the identity;
- sparse weights are stored densely;
- the attention mesh's own operations are made of ONNX's, GridSample above all, and its answers are put together inside;
- pictures come as (N, S, S, 3) uint8 and are scaled inside; landmarks are in pixels of the picture.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
import onnx
import tflite
from flatbuffers import flexbuffers
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
FOLDER = "mediapipe/modules"
SOURCES = {
    "face_mesh": f"{FOLDER}/face_landmark/face_landmark.tflite",
    "face_mesh_irises": f"{FOLDER}/face_landmark/face_landmark_with_attention.tflite",
    "face_detection_short": f"{FOLDER}/face_detection/face_detection_short_range.tflite",
    "face_detection_full": f"{FOLDER}/face_detection/face_detection_full_range_sparse.tflite",
}
ANY_SIZE = ("face_detection_full",)
"""What is made of convolutions alone, whose sides may be any multiples of 32."""
LIDS = 16
"""Of an eye's points, those on its lids come first."""
NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


class Source:
    """A .tflite file: its operators in order, and its constant tensors as arrays."""

    def __init__(self, data: bytes) -> None:
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.operators = [self.graph.Operators(i) for i in range(self.graph.OperatorsLength())]
        self.inputs, self.outputs = self.graph.InputsAsNumpy().tolist(), self.graph.OutputsAsNumpy().tolist()
        self.constants: dict[int, np.ndarray] = {}
        for i in range(self.graph.TensorsLength()):
            tensor = self.graph.Tensors(i)
            buffer = self.model.Buffers(tensor.Buffer())
            if buffer.DataLength():
                values = buffer.DataAsNumpy().view(TYPES[tensor.Type()])
                self.constants[i] = _dense(values, tensor) if tensor.Sparsity() else values.reshape(self.shape(i))

    def name(self, operator: tflite.Operator) -> str:
        """Such as CONV_2D."""
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        name = NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        return code.CustomCode().decode() if name == "CUSTOM" else name

    def shape(self, tensor: int) -> list[int]:
        """Of a tensor, channels last."""
        return [int(n) for n in self.graph.Tensors(tensor).ShapeAsNumpy()]

    def options(self, operator: tflite.Operator, kind: type):
        """The operator's options."""
        options = kind()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options

    def custom(self, operator: tflite.Operator) -> dict:
        """The options of an operation of MediaPipe's own."""
        return flexbuffers.Loads(bytes(operator.CustomOptionsAsNumpy()))


def _dense(values: np.ndarray, tensor: tflite.Tensor) -> np.ndarray:
    """The array of a tensor whose last dimensions are stored sparsely (TACO's format, with blocks or without)."""
    sparsity = tensor.Sparsity()
    shape = [int(n) for n in tensor.ShapeAsNumpy()]
    order = sparsity.TraversalOrderAsNumpy().tolist()
    blocks = sparsity.BlockMapAsNumpy().tolist() if sparsity.BlockMapLength() else []
    levels = []
    for i in range(sparsity.DimMetadataLength()):
        level = sparsity.DimMetadata(i)
        if level.Format() == tflite.DimensionType.DENSE:
            levels.append((level.DenseSize(), None, None))
        else:
            kinds = {kind: getattr(tflite, kind) for kind in ("Int32Vector", "Uint16Vector", "Uint8Vector")}
            of_type = {tflite.SparseIndexVector.Int32Vector: "Int32Vector",
                       tflite.SparseIndexVector.Uint16Vector: "Uint16Vector",
                       tflite.SparseIndexVector.Uint8Vector: "Uint8Vector"}  # fmt: skip
            pair = []
            for table, kind in ((level.ArraySegments(), level.ArraySegmentsType()),
                                (level.ArrayIndices(), level.ArrayIndicesType())):  # fmt: skip
                vector = kinds[of_type[kind]]()
                vector.Init(table.Bytes, table.Pos)
                pair.append(vector.ValuesAsNumpy().astype(int))
            levels.append((None, *pair))
    sizes = [1] * len(order)
    for block, dimension in enumerate(blocks):
        sizes[dimension] = levels[order.index(len(shape) + block)][0]
    dense, read = np.zeros(shape, values.dtype), iter(values)

    def walk(level: int, position: int, place: dict[int, int]) -> None:
        if level == len(levels):
            index = [place[d] * sizes[d] for d in range(len(shape))]
            for block, dimension in enumerate(blocks):
                index[dimension] += place[len(shape) + block]
            dense[tuple(index)] = next(read)
            return
        size, segments, indices = levels[level]
        if segments is None:
            for i in range(size):
                walk(level + 1, position * size + i, {**place, order[level]: i})
        else:
            for at in range(segments[position], segments[position + 1]):
                walk(level + 1, at, {**place, order[level]: int(indices[at])})

    walk(0, 0, {})
    return dense


class Writer:
    """Collects an ONNX graph; a tensor of the source is named t and its number."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        """A node with one output; its name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: np.ndarray) -> str:
        """The name of 32-bit values, stored in 16 bits where those hold them all."""
        if values.dtype.kind == "f":
            halves = values.astype(np.float16)
            if np.array_equal(halves.astype(np.float32), values.astype(np.float32)):
                self.initializers[f"{name}_half"] = numpy_helper.from_array(halves, f"{name}_half")
                return self.add("Cast", [f"{name}_half"], name, to=TensorProto.FLOAT)
            values = values.astype(np.float32)
        self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def depthwise(self, value: str, factors: np.ndarray, name: str) -> str:
        """Each channel of a value times its factor: a form of Mul that has a blocked form."""
        weights = self.constant(f"{name}_by", factors.reshape(-1, 1, 1, 1))
        return self.add("Conv", [value, weights], name, group=len(factors), kernel_shape=[1, 1])

    def prelu(self, value: str, slopes: np.ndarray, name: str) -> str:
        """slopes: (C,)."""
        slopes = slopes.astype(np.float32)
        bent = self.depthwise(value, np.abs(1 - slopes), f"{name}_scaled")
        bent = self.add("Relu", [bent], f"{name}_bent")
        if (slopes > 1).any():
            bent = self.depthwise(bent, np.where(slopes > 1, -1, 1).astype(np.float32), f"{name}_signed")
        straight = self.depthwise(value, slopes, f"{name}_straight")
        return self.add("Add", [straight, bent], name)


def convert(data: bytes, name: str) -> onnx.ModelProto:
    """The ONNX model of a .tflite file."""
    source, writer = Source(data), Writer()
    (picture,) = source.inputs
    sides = ["H", "W"] if name in ANY_SIZE else source.shape(picture)[1:3]
    low, high = (0.0, 1.0) if name.startswith("face_mesh") else (-1.0, 1.0)
    writer.add("Cast", ["pictures"], "levels", to=TensorProto.FLOAT)
    writer.add("Transpose", ["levels"], "planes", perm=[0, 3, 1, 2])
    writer.add(
        "Mul", ["planes", writer.constant("step", np.float32((high - low) / 255))], "scaled" if low else f"t{picture}"
    )
    if low:
        writer.add("Add", ["scaled", writer.constant("low", np.float32(low))], f"t{picture}")
    padded: dict[int, tuple[int, list[int]]] = {}
    for operator in source.operators:
        _write(source, writer, operator, padded)
    outputs = _finish(source, writer, name)
    graph = helper.make_graph(
        writer.nodes,
        name,
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["N", *sides, 3])],
        outputs,
        list(writer.initializers.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    model.producer_name = "affect-tracker: tools/convert_landmark_models.py"
    model.doc_string = (
        f"{SOURCES[name]} of mediapipe 0.10.21, Copyright The MediaPipe Authors, Apache License 2.0; "
        "the form of the graph was changed, see tracker/faces/models/NOTICE"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _write(source: Source, writer: Writer, operator: tflite.Operator, padded: dict[int, tuple[int, list[int]]]) -> None:
    """The nodes of one operator; padded: tensors that are only another one with zeros around, and how many."""
    kind = source.name(operator)
    inputs, out = operator.InputsAsNumpy().tolist(), operator.Outputs(0)
    names, output = [f"t{i}" for i in inputs], f"t{out}"
    if kind in ("DEQUANTIZE", "DENSIFY"):
        source.constants[out] = source.constants[inputs[0]]
    elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        _write_convolution(source, writer, operator, padded)
    elif kind == "MAX_POOL_2D":
        options = source.options(operator, tflite.Pool2DOptions)
        assert options.Padding() == tflite.Padding.VALID or source.shape(inputs[0])[1] % 2 == 0
        kernel, stride = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        writer.add("MaxPool", names, output, kernel_shape=kernel, strides=stride)
    elif kind == "PRELU":
        writer.prelu(names[0], source.constants[inputs[1]].reshape(-1), output)
    elif kind == "RELU":
        writer.add("Relu", names, output)
    elif kind == "ADD":
        fused = source.options(operator, tflite.AddOptions).FusedActivationFunction()
        _activated(writer, fused, lambda to: writer.add("Add", names, to), output)
    elif kind == "PAD":
        around = source.constants[inputs[1]].tolist()
        if around[3] == [0, 0]:
            padded[out] = inputs[0], [around[1][0], around[2][0], around[1][1], around[2][1]]
        else:
            before, after = source.shape(inputs[0])[3], source.shape(out)[3]
            part = np.eye(after, before, -around[3][0], np.float32)[..., None, None]
            writer.add("Conv", [names[0], writer.constant(f"{output}_part", part)], output, kernel_shape=[1, 1])
    elif kind == "RESIZE_BILINEAR":
        options = source.options(operator, tflite.ResizeBilinearOptions)
        assert not options.AlignCorners()
        mode = "half_pixel" if options.HalfPixelCenters() else "asymmetric"
        factors = writer.constant(f"{output}_factors", np.array([1, 1, 2, 2], np.float32))
        writer.add("Resize", [names[0], "", factors], output, mode="linear", coordinate_transformation_mode=mode)
    elif kind == "DEPTH_TO_SPACE":
        writer.add("DepthToSpace", names, output, blocksize=2, mode="DCR")
    elif kind == "STRIDED_SLICE" or (kind == "RESHAPE" and source.shape(out)[:3] == [1, 1, 1]):
        writer.add("Identity", names[:1], output)  # all of it, and the answers as the graph has them already
    elif kind == "MUL":
        factors = source.constants[inputs[1]].astype(np.float32)
        writer.add(
            "Mul", [names[0], writer.constant(f"{output}_by", factors[:, :2] if factors.ndim == 3 else factors)], output
        )
    elif kind == "Landmarks2TransformMatrix":
        _write_placement(writer, names[0], source.custom(operator), output)
    elif kind == "TransformTensorBilinear":
        _write_sampling(writer, names, source.shape(inputs[0])[1], source.custom(operator)["output_height"], output)
    elif kind == "TransformLandmarks":
        _write_transformed(writer, names[1], names[0], output)
    elif kind == "RESHAPE":
        width = source.shape(out)[-1]
        last = writer.add("Transpose", [names[0]], f"{output}_last", perm=[0, 2, 3, 1])
        shape = writer.constant(f"{output}_shape", np.array([0, -1, width], np.int64))
        writer.add("Reshape", [last, shape], output)
    elif kind == "CONCATENATION":
        writer.add("Concat", names, output, axis=1)
    else:
        raise SystemExit(f"{kind} has no form here; expected the operators of mediapipe 0.10.21's face models")


def _write_convolution(
    source: Source, writer: Writer, operator: tflite.Operator, padded: dict[int, tuple[int, list[int]]]
) -> None:
    value, weights, bias = operator.InputsAsNumpy().tolist()
    output, kernel = f"t{operator.Outputs(0)}", source.constants[weights]
    depthwise = source.name(operator) == "DEPTHWISE_CONV_2D"
    options = source.options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
    groups = kernel.shape[3] if depthwise else 1
    kernel = kernel.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    strides = [options.StrideH(), options.StrideW()]
    value, pads = padded.get(value, (value, [0, 0, 0, 0]))
    if options.Padding() == tflite.Padding.SAME:
        sides = source.shape(value)[1:3]
        lacking = [
            max((-(-side // stride) - 1) * stride + size - side, 0)
            for side, stride, size in zip(sides, strides, kernel.shape[2:], strict=True)
        ]
        pads = [n // 2 for n in lacking] + [n - n // 2 for n in lacking]
    names = [
        f"t{value}",
        writer.constant(f"{output}_weights", kernel),
        writer.constant(f"{output}_bias", source.constants[bias]),
    ]
    attributes = {"group": groups, "strides": strides, "pads": pads, "kernel_shape": list(kernel.shape[2:])}
    fused = options.FusedActivationFunction()
    _activated(writer, fused, lambda to: writer.add("Conv", names, to, **attributes), output)


def _activated(writer: Writer, fused: int, write, output: str) -> None:
    """A node, and the activation that the source has fused to it."""
    if fused == tflite.ActivationFunctionType.NONE:
        write(output)
    elif fused == tflite.ActivationFunctionType.RELU:
        writer.add("Relu", [write(f"{output}_plain")], output)
    else:
        raise SystemExit(f"fused activation {fused}; expected none or ReLU")


def _write_placement(writer: Writer, points: str, options: dict, output: str) -> None:
    """(N, 2, 4): where the pixels (x, y, 0, 1) of a part's own small picture lie; points (N, 468, 3).

    The part's box about its points, turned as the line between two of them is, `scale` times as large.
    """
    side = options["output_width"]
    assert options["output_height"] == side and options["target_rotation_radians"] == 0

    def rows(indices: list[int], name: str) -> str:
        """(N, K, 2): x and y of some points."""
        some = writer.add(
            "Gather",
            [points, writer.constant(f"{output}_{name}_at", np.array(indices))],
            f"{output}_{name}_all",
            axis=1,
        )
        return writer.add(
            "Gather", [some, writer.constant(f"{output}_{name}_xy", np.array([0, 1]))], f"{output}_{name}", axis=2
        )

    left, right = rows([options["left_rotation_idx"]], "left"), rows([options["right_rotation_idx"]], "right")
    along = writer.add(
        "LpNormalization", [writer.add("Sub", [right, left], f"{output}_line")], f"{output}_along", axis=2, p=2
    )
    # the rotation by its rows: along the line, and across it: (x, y) to (-y, x)
    turn = writer.constant(f"{output}_quarter", np.array([[0, 1], [-1, 0]], np.float32))
    across = writer.add("MatMul", [along, turn], f"{output}_across")
    rotation = writer.add("Concat", [along, across], f"{output}_rotation", axis=1)
    back = writer.add("Transpose", [rotation], f"{output}_back", perm=[0, 2, 1])
    upright = writer.add("MatMul", [rows(options["subset_idxs"], "part"), back], f"{output}_upright")
    most = writer.add("ReduceMax", [upright], f"{output}_most", axes=[1])
    least = writer.add("ReduceMin", [upright], f"{output}_least", axes=[1])
    half = writer.constant(f"{output}_half", np.float32(0.5))
    middle = writer.add("Mul", [writer.add("Add", [most, least], f"{output}_sum"), half], f"{output}_middle")
    step = writer.constant(f"{output}_step", np.array([options["scale_x"], options["scale_y"]], np.float32) / side)
    scale = writer.add("Mul", [writer.add("Sub", [most, least], f"{output}_size"), step], f"{output}_scale")
    # in rows: p = (q - side / 2) * scale, about the middle, turned back
    axes = writer.add("Mul", [back, scale], f"{output}_axes")
    corner = writer.constant(f"{output}_corner", np.float32(side / 2))
    start = writer.add("Sub", [middle, writer.add("Mul", [scale, corner], f"{output}_reach")], f"{output}_start")
    shift = writer.add("MatMul", [start, rotation], f"{output}_shift")
    column = writer.add("Transpose", [shift], f"{output}_column", perm=[0, 2, 1])
    nothing = writer.add("Sub", [column, column], f"{output}_nothing")
    writer.add("Concat", [axes, nothing, column], output, axis=2)


def _write_transformed(writer: Writer, matrix: str, points: str, output: str) -> None:
    """(N, K, 2): points by a matrix (N, 2, 4)."""
    axes, shift = _parts(writer, matrix, output)
    writer.add("Add", [writer.add("MatMul", [points, axes], f"{output}_turned"), shift], output)


def _parts(writer: Writer, matrix: str, output: str) -> tuple[str, str]:
    """Of a matrix (N, 2, 4) what rows of points are multiplied by (N, 2, 2), and what is added (N, 1, 2)."""
    columns = writer.add("Transpose", [matrix], f"{output}_columns", perm=[0, 2, 1])
    axes = writer.add(
        "Gather", [columns, writer.constant(f"{output}_axes_at", np.array([0, 1]))], f"{output}_by", axis=1
    )
    shift = writer.add(
        "Gather", [columns, writer.constant(f"{output}_shift_at", np.array([3]))], f"{output}_and", axis=1
    )
    return axes, shift


def _write_sampling(writer: Writer, names: list[str], side: int, small: int, output: str) -> None:
    """(N, C, small, small): the part of a picture (N, C, side, side) that a matrix places; 0 where it leaves it."""
    axes, shift = _parts(writer, names[1], output)
    pixels = np.stack(np.meshgrid(np.arange(small), np.arange(small)), axis=-1).reshape(1, -1, 2) + 0.5
    grid = writer.add(
        "MatMul", [writer.constant(f"{output}_pixels", pixels.astype(np.float32)), axes], f"{output}_grid"
    )
    corners = writer.add("Add", [grid, shift], f"{output}_corners")
    to_shares = writer.add(
        "Mul", [corners, writer.constant(f"{output}_unit", np.float32(2 / side))], f"{output}_shares"
    )
    places = writer.add("Sub", [to_shares, writer.constant(f"{output}_one", np.float32(1))], f"{output}_places")
    # a pixel whose middle lies beyond those at the edge is 0 as a whole: it is sent far away
    edge = writer.constant(f"{output}_edge", np.float32(1 - 1 / side))
    beyond = writer.add("Greater", [writer.add("Abs", [places], f"{output}_apart"), edge], f"{output}_beyond")
    inside = writer.add("Where", [beyond, writer.constant(f"{output}_far", np.float32(9)), places], f"{output}_inside")
    shape = writer.constant(f"{output}_square", np.array([0, small, small, 2]))
    field = writer.add("Reshape", [inside, shape], f"{output}_field")
    writer.add("GridSample", [names[0], field], output, mode="bilinear", padding_mode="zeros", align_corners=0)


def _write_refined(source: Source, writer: Writer) -> str:
    """(N, 478, 3): the mesh, with lips, eyes and irises by the parts that look closer; their depth is the mesh's."""
    names = [source.graph.Tensors(i).Name().decode() for i in source.outputs]
    parts = ["mesh_identity", "lips", "left_eye", "right_eye", "left_iris", "right_iris"]
    tensors = [f"t{source.outputs[names.index(f'output_{part}')]}" for part in parts]
    subsets = [
        source.custom(each)["subset_idxs"]
        for each in source.operators
        if source.name(each) == "Landmarks2TransformMatrix"
    ]
    shape = writer.constant("mesh_shape", np.array([0, 468, 3]))
    mesh = writer.add("Reshape", [tensors[0], shape], "mesh")
    flat = writer.add("Gather", [mesh, writer.constant("xy", np.array([0, 1]))], "mesh_xy", axis=2)
    depth = writer.add("Gather", [mesh, writer.constant("z", np.array([2]))], "mesh_z", axis=2)
    every = writer.add("Concat", [flat, *tensors[1:]], "every_xy", axis=1)
    places, count = np.arange(478), 468
    for subset in (*subsets, range(468, 473), range(473, 478)):
        places[list(subset)] = np.arange(count, count + len(subset))
        count += len(subset)
    refined = writer.add("Gather", [every, writer.constant("places", places)], "refined_xy", axis=1)
    depths = [depth]
    for side, subset in (("left", subsets[1]), ("right", subsets[2])):
        lids = writer.add(
            "Gather", [depth, writer.constant(f"{side}_lids", np.array(subset[:LIDS]))], f"{side}_z", axis=1
        )
        mean = writer.add("ReduceMean", [lids], f"{side}_mean", axes=[1])
        depths += [mean] * 5
    return writer.add("Concat", [refined, writer.add("Concat", depths, "all_z", axis=1)], "landmarks", axis=2)


def _finish(source: Source, writer: Writer, name: str) -> list[onnx.ValueInfoProto]:
    """The outputs, flattened: what the network measures of each face or anchor, and its logits that there is a face."""
    first, second = source.outputs[0], source.outputs[-1]
    measured, logits = f"t{first}", f"t{second}"
    if name == "face_mesh_irises":
        row = helper.make_tensor_value_info(_write_refined(source, writer), TensorProto.FLOAT, ["N", 478, 3])
    elif name == "face_mesh":
        shape = writer.constant("landmarks_shape", np.array([0, 468, 3], np.int64))
        writer.add("Reshape", [measured, shape], "landmarks")
        row = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["N", 468, 3])
    else:
        writer.add("Identity", [measured], "boxes")
        anchors = "A" if name in ANY_SIZE else source.shape(first)[1]
        row = helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", anchors, source.shape(first)[2]])
    writer.add("Flatten", [logits], "logits", axis=1)
    count = "A" if name in ANY_SIZE else int(np.prod(source.shape(second)))
    return [row, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", count])]


def main() -> None:
    """Convert every model of a wheel."""
    parser = argparse.ArgumentParser(description="Writes ONNX files from the face models in mediapipe's wheel.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    choice = parser.parse_args()
    choice.folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(choice.wheel) as wheel:
        for name, path in SOURCES.items():
            data = convert(wheel.read(path), name).SerializeToString()
            (choice.folder / f"{name}.onnx").write_bytes(data)
            print(f"{name}.onnx: {len(data)} bytes from {path}")


if __name__ == "__main__":
    main()
