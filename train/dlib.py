"""Reads the weights of dlib's face recognition network, a .dat file, as those of ANCLaF's face encoder.

dlib_face_recognition_resnet_model_v1.dat (Davis King 2017) is in the public domain: its author says so in the README of
davisking/dlib-models. It lies in the Python package face-recognition-models 0.3.0.
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nets.anclaf.face import FaceEncoder
from tracker.errors import DataError

MEANS = (122.782, 117.001, 104.298)
"""Of red, green and blue: dlib's input layer takes them off."""
RANGE = 256.0
"""By which it divides what is left."""
LAYERS = re.compile(rb"\x01.(con_4|affine_)")
LAST = re.compile(rb"\x01.fc_2")
"""The last layer, which has no bias."""
"""A layer begins with its name, and that with its length."""
TENSOR_VERSION = 2
EXPECTED = "dlib_face_recognition_resnet_model_v1.dat, as in the Python package face-recognition-models 0.3.0"


def face_encoder_weights(path: Path, size: int, levels: int) -> dict[str, Tensor]:
    """The state of FaceEncoder(size, levels), by dlib's convolutions with the affine layer after each.

    Its pictures are grey in [-1, 1], dlib's are RGB. DataError where the file is not that network's.
    """
    try:
        layers = read_layers(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected {EXPECTED}") from error
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} is not a network of dlib's: {error}; expected {EXPECTED}") from error
    encoder = FaceEncoder(size, levels)
    convolutions = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    for number, convolution in enumerate(convolutions):
        outputs, first = convolution.out_channels, number == 0
        shape = (outputs, len(MEANS) if first else convolution.in_channels, *convolution.kernel_size)
        names, values = zip(*layers[2 * number : 2 * number + 2], strict=True) if layers[2 * number :] else ((), ())
        if names != ("con_4", "affine_") or values[0].size != np.prod(shape) + outputs or values[1].size != 2 * outputs:
            raise DataError(f"{path} is another network of dlib's; expected {EXPECTED}")
        filters, bias = (torch.from_numpy(part.copy()) for part in np.split(values[0], [-outputs]))
        scale, shift = (torch.from_numpy(part.copy()) for part in np.split(values[1], 2))
        filters = filters.view(shape) * scale[:, None, None, None]
        bias = bias * scale + shift
        if first:
            filters, bias = _for_grey(filters, bias)
        convolution.weight, convolution.bias = nn.Parameter(filters), nn.Parameter(bias)
    return encoder.state_dict()


def last_layer(path: Path) -> Tensor:
    """(256, 128): what makes a descriptor of the means over the last maps. DataError where the file has none."""
    content = path.read_bytes()
    match = LAST.search(content)
    if match is None:
        raise DataError(f"{path} has no last layer; expected {EXPECTED}")
    place, sides = match.end(), []
    for _ in range(7):  # outputs, inputs, then a tensor: its version and its four sides
        side, place = _whole_number(content, place)
        sides.append(side)
    outputs, inputs = sides[:2]
    if sides[2:] != [TENSOR_VERSION, inputs, outputs, 1, 1]:
        raise DataError(f"{path} is another network of dlib's; expected {EXPECTED}")
    return torch.from_numpy(np.frombuffer(content, "<f4", inputs * outputs, place).copy()).view(inputs, outputs)


def read_layers(content: bytes) -> list[tuple[str, np.ndarray]]:
    """The convolutions and affine layers of a network that dlib wrote, from the picture on: name and parameters (N,).

    ValueError or IndexError where the content is not one.
    """
    layers = []
    for match in LAYERS.finditer(content):
        version, place = _whole_number(content, match.end())
        if version != TENSOR_VERSION:
            raise ValueError(f"a tensor of version {version}")
        count = 1
        for _ in range(4):
            side, place = _whole_number(content, place)
            count *= side
        layers.append((match[1].decode(), np.frombuffer(content, "<f4", count, place)))
    return layers


def _whole_number(content: bytes, place: int) -> tuple[int, int]:
    """One that dlib packed: a byte with how many follow (and, in its highest bit, the sign); and the place after it."""
    end = place + 1 + (content[place] & 15)
    value = int.from_bytes(content[place + 1 : end], "little")
    return -value if content[place] & 128 else value, end


def _for_grey(filters: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The first convolution for grey in [-1, 1]: (x + 1) 127.5 in all three colours, less their means."""
    by_colour = filters.sum(dim=(2, 3))
    grey = filters.sum(dim=1, keepdim=True) * (127.5 / RANGE)
    return grey, bias + by_colour @ ((127.5 - torch.tensor(MEANS)) / RANGE)
