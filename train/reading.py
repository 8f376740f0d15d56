"""What the recurrence reads of a frame's feature: fixed directions, which become part of its weights at the end."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nets.anclaf.combiner import Recurrence
from train.metrics import group_means


@dataclass(frozen=True)
class Reading:
    """A feature less its mean, along K directions, each with a spread of 1 over the training frames."""

    mean: Tensor
    """(F,)."""
    directions: Tensor
    """(K, F)."""

    @property
    def width(self) -> int:
        """K."""
        return len(self.directions)

    @classmethod
    def whole(cls, feature: np.ndarray, rows: np.ndarray) -> "Reading":
        """All of features (N, F), each standardised where rows (N,) bool; one that hardly varies is not blown up."""
        part = np.asarray(feature[rows], np.float64)
        spread = part.std(axis=0)
        spread = np.maximum(spread, max(0.05 * float(np.median(spread)), 1e-6))
        return cls(_tensor(part.mean(axis=0)), _tensor(np.diag(1 / spread)))

    @classmethod
    def moving(cls, feature: np.ndarray, rows: np.ndarray, clip: np.ndarray, head: Tensor, count: int) -> "Reading":
        """The directions of the single frame's head (2, F), and the `count` in which features move most within a clip.

        What tells people apart, and does not move, stays out: with every feature the recurrence learns the training
        faces by heart. feature (N, F), rows (N,) bool, clip (N,) int.
        """
        part, own = np.asarray(feature[rows], np.float64), head.double().numpy()
        mean = part.mean(axis=0)
        moves = part - group_means(part, clip[rows])
        basis, _ = np.linalg.qr(own.T)
        moves -= (moves @ basis) @ basis.T
        _, vectors = np.linalg.eigh(moves.T @ moves / len(moves))
        directions = np.concatenate([own, vectors[:, ::-1][:, :count].T])
        spread = np.maximum(((part - mean) @ directions.T).std(axis=0), 1e-6)
        return cls(_tensor(mean), _tensor(directions / spread[:, None]))

    def apply(self, feature: np.ndarray) -> Tensor:
        """Features (N, F) as the recurrence reads them, (N, K)."""
        return (torch.from_numpy(np.array(feature, np.float32)) - self.mean) @ self.directions.T

    @torch.no_grad()
    def folded(self, recurrence: Recurrence) -> Recurrence:
        """The same function of features as they are: a recurrence over (B, n, F) in place of (B, n, K)."""
        old, score = recurrence.cpu().state_dict(), "linear"
        if recurrence.attention is not None and not isinstance(recurrence.attention.score, torch.nn.Linear):
            score = "mlp"
        whole = Recurrence(len(self.mean), recurrence.hidden, recurrence.attention is not None, score)  # type: ignore[arg-type]
        inputs = old["cell.weight_ih"][:, : self.width] @ self.directions
        own = {name: value.clone() for name, value in old.items()}
        own["cell.weight_ih"] = torch.cat([inputs, old["cell.weight_ih"][:, self.width :]], dim=1)
        own["cell.bias_ih"] = old["cell.bias_ih"] - inputs @ self.mean
        whole.load_state_dict(own)
        return whole


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
