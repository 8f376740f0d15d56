"""The weights of a model's recurrent part as arrays, for what runs it without torch."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nets.anclaf.combiner import Recurrence


class RecurrentWeights(NamedTuple):
    """Of an LSTM of size H over features of width F, with or without linear attention over its states [h; c]."""

    inputs: np.ndarray
    """(F, 4H): from a feature to the gates, in torch's order: input, forget, new, output."""
    bias: np.ndarray
    """(4H,) of the gates."""
    mixing: np.ndarray
    """(H, 4H): from h to the gates; with attention (3H, 4H): from [h; context]."""
    score: np.ndarray
    """(2H,): a past state's part of its score, the only one that matters to a softmax; (0,) without attention."""
    head: np.ndarray
    """(H, 2): from h to valence and arousal."""
    head_bias: np.ndarray
    """(2,)."""


def recurrent_weights(recurrence: Recurrence) -> RecurrentWeights | None:
    """The weights, float32; None where the attention's score is not linear."""
    cell, attention = recurrence.cell, recurrence.attention
    state = 2 * recurrence.hidden if attention else 0
    score = torch.zeros(0)
    if attention is not None:
        if not isinstance(attention.score, nn.Linear):
            return None
        score = attention.score.weight[0, state:]
    inputs, context = cell.weight_ih.split([cell.input_size - state, state], dim=1)
    return RecurrentWeights(
        _array(inputs.T),
        _array(cell.bias_ih + cell.bias_hh),
        _array(torch.cat([cell.weight_hh, context], dim=1).T),
        _array(score),
        _array(recurrence.head.weight.T),
        _array(recurrence.head.bias),
    )


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().float().numpy())
