"""The weights of a model's recurrent part as arrays, for what runs it without torch."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

PREFIX = "combiner.recurrence."
"""Of the names in a checkpoint."""


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


def recurrent_weights(arrays: Mapping[str, np.ndarray], prefix: str = PREFIX) -> RecurrentWeights | None:
    """The recurrence among a checkpoint's weights, float32; None where there is none, or its score is not linear."""
    own = {name[len(prefix) :]: values.astype(np.float32) for name, values in arrays.items() if name.startswith(prefix)}
    if not own or any(name.startswith("attention.score.0.") for name in own):
        return None
    query = own.get("attention.score.weight", np.zeros((1, 0), np.float32))[0]
    state = len(query) // 2
    inputs, context = np.split(own["cell.weight_ih"], [own["cell.weight_ih"].shape[1] - state], axis=1)
    parts = (
        inputs.T,
        own["cell.bias_ih"] + own["cell.bias_hh"],
        np.concatenate([own["cell.weight_hh"], context], axis=1).T,
        query[state:],
        own["head.weight"].T,
        own["head.bias"],
    )
    return RecurrentWeights(*map(np.ascontiguousarray, parts))
