"""The layers of a landmark VAE that make the mean of a code, as arrays, for what runs them without torch."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Layer(NamedTuple):
    """An affine layer as arrays, float32."""

    weight: np.ndarray
    """(inputs, outputs)."""
    bias: np.ndarray
    """(outputs,)."""


def mean_layers(arrays: Mapping[str, np.ndarray]) -> tuple[Layer, ...]:
    """Of a checkpoint's weights, in their order: behind each layer but the last stands an ELU."""
    numbers = sorted(int(found[1]) for name in arrays if (found := re.fullmatch(r"encoder\.(\d+)\.weight", name)))
    names = [*(f"encoder.{number}" for number in numbers), "mean"]
    return tuple(Layer(_float32(arrays[f"{name}.weight"].T), _float32(arrays[f"{name}.bias"])) for name in names)


def _float32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)
