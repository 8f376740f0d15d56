"""ANCLaF's encoder as an ONNX file: what valence, arousal and the quadrant need, so without D's critic.

A model that reads Q off Z needs neither G's decoder nor D.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from torch import Tensor, nn

from nets.anclaf import Anclaf, AnclafConfig
from nets.anclaf.combiner import CombinerEncoder, FaceReader
from nets.anclaf.face import AreaShrink, FaceBlock, FaceEncoder
from nets.anclaf.layers import Residual
from nets.expressions import EXPRESSIONS
from nets.onnx.graph import Graph

FEW_CHANNELS = 4
"""A convolution to so few is run as a transposed one, which takes ONNX Runtime a third of the time."""


def encoder_file(model: Anclaf, graph: Graph | None = None) -> bytes:
    """Anclaf.encode of crops (B, S, S, C) uint8; the model's batch normalisations are folded.

    Raises TypeError for a layer that has no ONNX form here.
    """
    graph, config = graph or Graph(), model.config
    image = graph.node("Transpose", graph.node("Cast", "crops", to=1), perm=(0, 3, 1, 2))
    latent = layer(graph, model.generator.encoder, scaled(graph, image, config))
    logits = judged(graph, model, latent) if model.quadrant_head is None else layer(graph, model.quadrant_head, latent)
    quadrant = graph.node("Softmax", logits, axis=1)
    feature = pooled(graph, model.combiner.encoder, with_planes(graph, latent, quadrant, config))
    if model.face_encoder is None or model.combiner.face is None:
        read = {layer(graph, model.combiner.head, feature): ("B", 2)}
    else:
        seen = image if model.face_shrink is None else layer(graph, model.face_shrink, image)
        maps = layer(graph, model.face_encoder, graph.node("Sub", graph.node("Div", seen, 127.5), 1.0))
        feature = graph.node("Concat", feature, pooled(graph, model.combiner.face.encoder, maps), axis=1)
        read = face_reading(graph, model.combiner.face, feature)
    kind = np.uint8, ("B", config.size, config.size, config.channels)
    return graph.file({"crops": kind}, {feature: ("B", config.feature), quadrant: ("B", 4), **read})


def face_reading(graph: Graph, reader: FaceReader, feature: str) -> dict[str, tuple[str, int]]:
    """Affect, probabilities of expressions, and deviation of the feature (B, F), with their shapes."""
    logits = layer(graph, reader.expressions, feature)
    weights = graph.node("Softmax", graph.node("Div", logits, _array(reader.temperature)), axis=1)
    place = graph.node("MatMul", weights, _array(reader.places))
    affect = graph.node("Add", place, layer(graph, reader.affect, feature))
    deviation = graph.node("Exp", layer(graph, reader.deviation, feature))
    return {affect: ("B", 2), graph.node("Softmax", logits, axis=1): ("B", len(EXPRESSIONS)), deviation: ("B", 2)}


def pooled(graph: Graph, encoder: CombinerEncoder, x: str) -> str:
    """CombinerEncoder.forward of x."""
    return graph.node("Flatten", graph.node("GlobalAveragePool", layer(graph, encoder.body, x)))


def scaled(graph: Graph, image: str, config: AnclafConfig) -> str:
    """Anclaf.scale of crops (B, C, S, S)."""
    if config.shrink > 1:
        image = graph.node("AveragePool", image, kernel_shape=(config.shrink,) * 2, strides=(config.shrink,) * 2)
    if config.scaling == "range":
        return graph.node("Sub", graph.node("Div", image, 127.5), 1.0)
    within: dict[str, Any] = {"axes": (1, 2, 3)}
    centred = graph.node("Sub", image, graph.node("ReduceMean", image, **within))
    power = graph.node("ReduceMean", graph.node("Mul", centred, centred), **within)
    count = config.channels * config.picture**2
    spread = graph.node("Sqrt", graph.node("Mul", power, 2.5**2 * count / (count - 1)))
    return graph.node("Clip", graph.node("Div", centred, graph.node("Max", spread, 2.5 * 4.0)), -1.0, 1.0)


def judged(graph: Graph, model: Anclaf, latent: str) -> str:
    """Anclaf.judged of Z."""
    picture = layer(graph, model.generator.decoder, latent)
    head = nn.Sequential(model.discriminator.body, model.discriminator.quadrant, nn.Flatten())
    verdict = layer(graph, head, picture)
    if model.config.quadrant == "classify":
        return verdict
    high = graph.node("Where", graph.node("GreaterOrEqual", verdict, 0.0), 10.0, -10.0)
    return graph.node("MatMul", high, [[1.0, -1.0, -1.0, 1.0], [1.0, 1.0, -1.0, -1.0]])


def with_planes(graph: Graph, latent: str, quadrant: str, config: AnclafConfig) -> str:
    """ZQ of the latent (B, 4 width, S/4, S/4) and the quadrant's probabilities (B, 4)."""
    if config.quadrant_planes == 0:
        return latent
    if config.quadrant_planes == 1:
        quadrant = graph.node("Cast", graph.node("ArgMax", quadrant, axis=1), to=1)
    points = graph.node("Reshape", quadrant, [0, 0, 1, 1])
    planes = graph.node("Expand", points, [1, 1, config.picture // 4, config.picture // 4])
    return graph.node("Concat", latent, planes, axis=1)


def layer(graph: Graph, module: nn.Module, x: str) -> str:
    """The answer of a layer to x; raises TypeError for one that is not in LAYERS."""
    if type(module) not in LAYERS:
        raise TypeError(
            f"a layer {type(module).__name__} has no ONNX form; expected {', '.join(k.__name__ for k in LAYERS)}"
        )
    return LAYERS[type(module)](graph, module, x)


def _sequential(graph: Graph, module: nn.Sequential, x: str) -> str:
    return reduce(lambda y, inner: layer(graph, inner, y), module, x)


def _residual(graph: Graph, module: Residual, x: str) -> str:
    y = layer(graph, module.body, x)
    return graph.node("Add", y, x) if module.skip else y


def _area_shrink(graph: Graph, shrink: AreaShrink, x: str) -> str:
    parts = graph.node("Conv", x, _array(shrink.areas), strides=(shrink.before,) * 2)
    return graph.node("DepthToSpace", parts, blocksize=shrink.after)


def _face_block(graph: Graph, block: FaceBlock, x: str) -> str:
    y, skip = layer(graph, block.body, x), x
    if block.halving:
        skip = graph.node("AveragePool", x, kernel_shape=(2, 2), strides=(2, 2))
        empty = block.added_channels
        skip = graph.node("Pad", skip, [0, 0, 0, 0, 0, empty, 0, 0]) if empty else skip
        y = graph.node("Pad", y, [0, 0, 0, 0, 0, 0, 1, 1]) if block.shortens else y
    return graph.node("Relu", graph.node("Add", y, skip))


def _max_pool(graph: Graph, pool: Any, x: str) -> str:
    """Of 3 by 3, every second: rows, then columns.

    As a MaxPool before a rounded value ONNX Runtime would take its kernel for whole numbers, which takes four times as
    long as all of this.
    """
    if (pool.kernel_size, pool.stride) != (3, 2):
        raise TypeError(f"a MaxPool2d of {pool.kernel_size} and {pool.stride} has no ONNX form; expected 3 and 2")
    for axis in (2, 3):
        x = graph.node(
            "Max", *(graph.node("Slice", x, [k], [end], [axis], [2]) for k, end in enumerate((-2, -1, 2**31)))
        )
    return x


def _conv(graph: Graph, conv: nn.Conv2d, x: str) -> str:
    if conv.out_channels <= FEW_CHANNELS and conv.stride == (1, 1) and _padding(conv) > 0:
        turned = _array(conv.weight)[:, :, ::-1, ::-1].swapaxes(0, 1)
        padding = conv.kernel_size[0] - 1 - _padding(conv)
        return graph.node("ConvTranspose", x, turned, *_bias(conv), pads=(padding,) * 4)
    return graph.node("Conv", x, _array(conv.weight), *_bias(conv), pads=(_padding(conv),) * 4, strides=conv.stride)


def _conv_transpose(graph: Graph, conv: nn.ConvTranspose2d, x: str) -> str:
    place: dict[str, Any] = {"pads": (_padding(conv),) * 4, "strides": conv.stride}
    return graph.node("ConvTranspose", x, _array(conv.weight), *_bias(conv), **place)


def _instance_norm(graph: Graph, norm: nn.InstanceNorm2d, x: str) -> str:
    return graph.node("InstanceNormalization", x, _array(norm.weight), _array(norm.bias), epsilon=norm.eps)


def _linear(graph: Graph, linear: nn.Linear, x: str) -> str:
    return graph.node("Gemm", x, _array(linear.weight), *_bias(linear), transB=1)


def _padding(conv: nn.Conv2d | nn.ConvTranspose2d) -> int:
    return int(conv.padding[0])


def _bias(module: nn.Module) -> list[np.ndarray]:
    return [] if module.bias is None else [_array(module.bias)]  # type: ignore[arg-type]


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().float().numpy()


LAYERS: dict[type[nn.Module], Callable[[Graph, Any, str], str]] = {
    nn.Sequential: _sequential,
    FaceEncoder: _sequential,
    AreaShrink: _area_shrink,
    FaceBlock: _face_block,
    Residual: _residual,
    nn.MaxPool2d: _max_pool,
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _conv_transpose,
    nn.InstanceNorm2d: _instance_norm,
    nn.Linear: _linear,
    nn.LeakyReLU: lambda graph, module, x: graph.node("LeakyRelu", x, alpha=module.negative_slope),
    nn.ReLU: lambda graph, _, x: graph.node("Relu", x),
    nn.Tanh: lambda graph, _, x: graph.node("Tanh", x),
    nn.Flatten: lambda graph, _, x: graph.node("Flatten", x),
    nn.Identity: lambda graph, _, x: x,
}
"""What adds the nodes of a layer and returns the name of its answer."""
