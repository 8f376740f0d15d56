"""The recurrent part of a model, over windows of what each frame adds to the LSTM's gates."""

from typing import Protocol

import numpy as np

from tracker.kernels import affine, read_windows


class Combiner(Protocol):
    """What the engine asks of whatever reads a face's window; Recurrence is one, nets.runtime.Runtime another."""

    row_width: int
    """Of a window's row."""

    def rows(self, features: np.ndarray) -> np.ndarray:
        """Features (B, F) to rows (B, row_width) of a window."""

    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (B, n, row_width), valid (B, n) to affect (B, 2) and attention (B, n) or None."""


class Recurrence:
    """Reads a face's window as nets.anclaf.combiner.Recurrence does, by a compiled kernel; it holds no state.

    A frame's feature is multiplied with the LSTM's input weights once, not once for every window that the frame is in:
    a row of the window is the product, (4H,). All weights are float32.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        bias: np.ndarray,
        mixing: np.ndarray,
        score: np.ndarray,
        head: np.ndarray,
        head_bias: np.ndarray,
    ) -> None:
        """inputs (F, 4H), bias (4H,), mixing (H or 3H, 4H), score (0 or 2H,), head (H, 2), head_bias (2,)."""
        self.row_width = inputs.shape[1]
        self._inputs, self._mixing, self._head = (np.ascontiguousarray(each) for each in (inputs, mixing, head))
        self._bias, self._score, self._head_bias = bias, score, head_bias
        self._compile()

    def rows(self, features: np.ndarray) -> np.ndarray:
        """Features (B, F) to the rows (B, 4H) of a window; numpy's product would wake a second thread."""
        return affine(features, self._inputs, self._bias)

    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows of rows (B, n, 4H) float32, oldest first, and valid (B, n) bool to the newest frame's affect (B, 2).

        The second answer is the attention (B, n), or None for a model without.
        """
        states, attention = read_windows(windows, valid, self._mixing, self._score)
        answer = affine(states, self._head, self._head_bias)
        return answer, attention if len(self._score) else None

    def _compile(self) -> None:
        """Read a window once, so that no frame has to wait for the kernels."""
        row = self.rows(np.zeros((1, len(self._inputs)), np.float32))
        self.combine(row[None], np.ones((1, 1), bool))
