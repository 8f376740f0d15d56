"""A network's encoder as an ONNX file: what valence, arousal and the quadrant need, and no more."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from nets.anclaf import Anclaf, AnclafConfig
from nets.anclaf.combiner import CombinerEncoder, FaceReader
from nets.anclaf.face import AreaShrink, FaceBlock, FaceEncoder
from nets.anclaf.layers import Residual
from nets.disvae import Disvae
from nets.expressions import EXPRESSIONS
from nets.levasa import HIGH, LEVELS, Levasa
from nets.network import Network
from nets.onnx.graph import Graph, Weight

FEW_CHANNELS = 4
"""A convolution to so few is run as a transposed one, which takes ONNX Runtime a third of the time."""


def encoder_file(model: Network, graph: Graph | None = None) -> bytes:
    """Network.encode of crops (B, S, S, C) uint8, its outputs named by the fields of Answer.

    Batch normalisations become part of the layers before them. Raises TypeError for a model or a layer that has no ONNX
    form here.
    """
    graph, config = graph or Graph(), model.config
    if type(model) not in MODELS:
        raise TypeError(f"a model {type(model).__name__} has no ONNX form")
    image = graph.node("Transpose", graph.node("Cast", "crops", to=1), perm=(0, 3, 1, 2))
    answers = MODELS[type(model)](graph, model, image)
    outputs = {graph.named(name, answers[name]): ("B", WIDTHS.get(name, config.feature)) for name in model.answers}
    return graph.file({"crops": (np.uint8, ("B", config.size, config.size, config.channels))}, outputs)


def _anclaf(graph: Graph, model: Anclaf, image: str) -> dict[str, str]:
    """The critic of D is left out; of a model that reads Q off Z, G's decoder and D are too."""
    config = model.config
    latent = layer(graph, model.generator.encoder, scaled(graph, image, config))
    logits = judged(graph, model, latent) if model.quadrant_head is None else layer(graph, model.quadrant_head, latent)
    quadrant = graph.node("Softmax", logits, axis=1)
    feature = pooled(graph, model.combiner.encoder, with_planes(graph, latent, quadrant, config))
    if model.face_encoder is None or model.combiner.face is None:
        read = {"affect": layer(graph, model.combiner.head, feature)}
    else:
        seen = image if model.face_shrink is None else layer(graph, model.face_shrink, image)
        maps = layer(graph, model.face_encoder, graph.node("Sub", graph.node("Div", seen, 127.5), 1.0))
        feature = graph.node("Concat", feature, pooled(graph, model.combiner.face.encoder, maps), axis=1)
        read = face_reading(graph, model.combiner.face, feature)
    return {"feature": feature, "quadrant": quadrant, **read}


def face_reading(graph: Graph, reader: FaceReader, feature: str) -> dict[str, str]:
    """Affect, probabilities of expressions, and deviation of the feature (B, F)."""
    logits = layer(graph, reader.expressions, feature)
    weights = graph.node("Softmax", graph.node("Div", logits, _weight(graph, reader.temperature)), axis=1)
    place = graph.node("MatMul", weights, _weight(graph, reader.places))
    affect = graph.node("Add", place, layer(graph, reader.affect, feature))
    deviation = graph.node("Exp", layer(graph, reader.deviation, feature))
    return {"affect": affect, "expressions": graph.node("Softmax", logits, axis=1), "deviation": deviation}


def _levasa(graph: Graph, model: Levasa, image: str) -> dict[str, str]:
    config = model.config
    mean = layer(graph, model.mean, layer(graph, model.encoder, graph.node("Div", image, 255.0)))
    read, high = [], []
    for place, head in enumerate(model.heads):
        part = graph.node("Slice", mean, [place * config.latent], [(place + 1) * config.latent], [1])
        told = layer(graph, head, part)
        if config.heads == "classes":
            shares = graph.node("Softmax", told, axis=1)
            read.append(graph.node("MatMul", shares, np.linspace(-1, 1, LEVELS, dtype=np.float32)[:, None]))
            high.append(graph.node("MatMul", shares, (np.arange(LEVELS)[:, None] >= HIGH).astype(np.float32)))
        else:
            read.append(graph.node("ReduceMean", told, axes=(1,), keepdims=1))
            high.append(_at_least_zero(graph, read[-1]))
    return {"feature": mean, "quadrant": _joint(graph, *high), "affect": graph.node("Concat", *read, axis=1)}


def _disvae(graph: Graph, model: Disvae, image: str) -> dict[str, str]:
    encoder = model.expression_encoder
    code = layer(graph, encoder.mean, layer(graph, encoder.layers, graph.node("Div", image, 255.0)))
    shares = graph.node("Softmax", layer(graph, model.classifier, code), axis=1)
    affect = graph.node("MatMul", shares, _weight(graph, model.centres))
    high = [_at_least_zero(graph, graph.node("Slice", affect, [k], [k + 1], [1])) for k in range(2)]
    feature = graph.node("Concat", code, shares, axis=1)
    return {"feature": feature, "quadrant": _joint(graph, *high), "affect": affect}


def _at_least_zero(graph: Graph, value: str) -> str:
    return graph.node("Cast", graph.node("GreaterOrEqual", value, 0.0), to=1)


def _joint(graph: Graph, valence: str, arousal: str) -> str:
    """(B, 4): joint probabilities of ++, -+, --, +- from those (B, 1) that valence and that arousal are high."""
    low_valence, low_arousal = (graph.node("Sub", 1.0, high) for high in (valence, arousal))
    pairs = (valence, arousal), (low_valence, arousal), (low_valence, low_arousal), (valence, low_arousal)
    return graph.node("Concat", *(graph.node("Mul", *pair) for pair in pairs), axis=1)


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
    """A batch normalisation goes into the weights of the layer before it, when the file is opened."""
    inner = list(module)
    for each, after in zip(inner, [*inner[1:], None], strict=True):
        if isinstance(after, BATCH_NORMS) and isinstance(each, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            x = AFFINE[type(each)](graph, each, x, *_folded(graph, each, after))
        elif not isinstance(each, BATCH_NORMS):
            x = layer(graph, each, x)
    return x


def _folded(graph: Graph, each: Any, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Weight, Weight]:
    """Weight and bias of a layer and the batch normalisation behind it."""
    assert norm.running_mean is not None and norm.running_var is not None
    running = norm.running_mean, norm.running_var
    gain, shift, mean, variance = (_weight(graph, values) for values in (norm.weight, norm.bias, *running))
    inverse = graph.fixed("Div", 1.0, graph.fixed("Sqrt", graph.fixed("Add", variance, norm.eps)))
    sides = [1] * each.weight.dim()
    sides[1 if isinstance(each, nn.ConvTranspose2d) else 0] = -1
    scale = graph.fixed("Reshape", graph.fixed("Mul", gain, inverse), sides)
    weight = graph.fixed("Mul", _weight(graph, each.weight), scale, shape=each.weight.shape)
    bias = _bias(graph, each)
    centred = graph.fixed("Sub", bias[0] if bias else 0.0, mean)
    scaled = graph.fixed("Mul", graph.fixed("Mul", centred, inverse), gain)
    return weight, graph.fixed("Add", scaled, shift, shape=norm.bias.shape)


def _residual(graph: Graph, module: Residual, x: str) -> str:
    y = layer(graph, module.body, x)
    return graph.node("Add", y, x) if module.skip else y


def _area_shrink(graph: Graph, shrink: AreaShrink, x: str) -> str:
    parts = graph.node("Conv", x, shrink.areas.cpu().numpy(), strides=(shrink.before,) * 2)
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


def _conv(graph: Graph, conv: nn.Conv2d, x: str, weight: Weight | None = None, *bias: Weight) -> str:
    if weight is None:
        weight, bias = _weight(graph, conv.weight), tuple(_bias(graph, conv))
    if conv.out_channels <= FEW_CHANNELS and conv.stride == (1, 1) and _padding(conv) > 0:
        turned = graph.fixed("Slice", weight, [-1, -1], [-(2**31)] * 2, [2, 3], [-1, -1])
        padding = conv.kernel_size[0] - 1 - _padding(conv)
        turned = graph.fixed("Transpose", turned, perm=(1, 0, 2, 3))
        return graph.node("ConvTranspose", x, turned, *bias, pads=(padding,) * 4)
    return graph.node("Conv", x, weight, *bias, pads=(_padding(conv),) * 4, strides=conv.stride)


def _conv_transpose(graph: Graph, conv: nn.ConvTranspose2d, x: str, weight: Weight | None = None, *bias: Weight) -> str:
    if weight is None:
        weight, bias = _weight(graph, conv.weight), tuple(_bias(graph, conv))
    return graph.node("ConvTranspose", x, weight, *bias, pads=(_padding(conv),) * 4, strides=conv.stride)


def _instance_norm(graph: Graph, norm: nn.InstanceNorm2d, x: str) -> str:
    weights = _weight(graph, norm.weight), _weight(graph, norm.bias)
    return graph.node("InstanceNormalization", x, *weights, epsilon=norm.eps)


def _linear(graph: Graph, linear: nn.Linear, x: str, weight: Weight | None = None, *bias: Weight) -> str:
    if weight is None:
        weight, bias = _weight(graph, linear.weight), tuple(_bias(graph, linear))
    return graph.node("Gemm", x, weight, *bias, transB=1)


def _padding(conv: nn.Conv2d | nn.ConvTranspose2d) -> int:
    return int(conv.padding[0])


def _bias(graph: Graph, module: nn.Module) -> list[Weight]:
    return [] if module.bias is None else [_weight(graph, module.bias)]  # type: ignore[arg-type]


def _weight(graph: Graph, values: Tensor) -> Weight:
    return graph.weight(values.detach().cpu().float().numpy())


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
AFFINE: dict[type[nn.Module], Callable[..., str]] = {
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _conv_transpose,
    nn.Linear: _linear,
}
"""Layers that take in the batch normalisation behind them: as in LAYERS, but with weight and bias."""
LAYERS: dict[type[nn.Module], Callable[[Graph, Any, str], str]] = {
    nn.Sequential: _sequential,
    FaceEncoder: _sequential,
    AreaShrink: _area_shrink,
    FaceBlock: _face_block,
    Residual: _residual,
    nn.MaxPool2d: _max_pool,
    **AFFINE,
    nn.InstanceNorm2d: _instance_norm,
    nn.LeakyReLU: lambda graph, module, x: graph.node("LeakyRelu", x, alpha=module.negative_slope),
    nn.ReLU: lambda graph, _, x: graph.node("Relu", x),
    nn.Tanh: lambda graph, _, x: graph.node("Tanh", x),
    nn.Flatten: lambda graph, _, x: graph.node("Flatten", x),
    nn.Identity: lambda graph, _, x: x,
    nn.Dropout: lambda graph, _, x: x,
}
"""What adds the nodes of a layer and returns the name of its answer."""
MODELS: dict[type[Network], Callable[[Graph, Any, str], dict[str, str]]] = {
    Anclaf: _anclaf,
    Levasa: _levasa,
    Disvae: _disvae,
}
"""What adds the nodes of a model for pictures (B, C, S, S) of 0 to 255 and returns those of its answers, by name."""
WIDTHS = {"quadrant": 4, "affect": 2, "expressions": len(EXPRESSIONS), "deviation": 2}
"""Of the answers; that of the feature is the model's."""
