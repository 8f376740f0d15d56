"""An encoder of one's own as a network of torch, for training a recurrence behind it."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nets.anclaf.combiner import Recurrence, Score
from nets.network import Answer, Network
from nets.onnx.own import OwnConfig, OwnEncoder


class Behind(nn.Module):
    """What stands behind the encoder, under the name that it has in ANCLaF: both are trained and stored alike."""

    def __init__(self, recurrence: Recurrence | None) -> None:
        super().__init__()
        self.recurrence = recurrence


class OwnNetwork(Network):
    """An encoder of one's own, with a recurrence or without; the recurrence alone has weights here."""

    config: OwnConfig

    def __init__(self, config: OwnConfig, file: bytes = b"", encoder: OwnEncoder | None = None) -> None:
        """file: of the encoder, and the encoder where it has been opened; without them it only can combine()."""
        super().__init__()
        self.config, self._file, self._encoder = config, file, encoder
        attention = config.recurrence == "attention"
        single = config.recurrence == "none"
        self.combiner = Behind(None if single else Recurrence(config.feature, config.hidden, attention, config.score))

    def opened(self, threads: int | None = None) -> OwnEncoder:
        """The encoder with so many threads (None: ONNX Runtime's choice), opened once. Raises OnnxFault."""
        if self._encoder is None or self._encoder.threads != threads:
            self._encoder = OwnEncoder(self._file, self.config.own, threads)
        return self._encoder

    def encode(self, crops: Tensor) -> Answer:
        """What is read off crops (B, C, S, S) of 0 to 255, by ONNX Runtime on the CPU."""
        encoder = self._encoder or self.opened(1)
        levels = crops.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        answer = encoder(np.ascontiguousarray(levels))
        return Answer(*(None if part is None else torch.from_numpy(part) for part in answer))

    def combine(self, window: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, n, F), valid (B, n) bool to the newest frame's affect (B, 2) and attention (B, n) or None."""
        if self.recurrence is None:
            return super().combine(window, valid)
        affect, attention = self.recurrence(window, valid)
        return affect[:, -1], attention if self.recurrence.attention else None

    def with_recurrence(self, recurrence: Literal["lstm", "attention"], hidden: int, score: Score) -> "OwnNetwork":
        """The same encoder with a new recurrence behind it."""
        config = replace(self.config, recurrence=recurrence, hidden=hidden, score=score)
        return OwnNetwork(config, self._file, self._encoder)

    @property
    def recurrence(self) -> Recurrence | None:
        """The LSTM, of S-n and SA-n."""
        return self.combiner.recurrence

    @property
    def has_expressions(self) -> bool:
        """Whether its card names the output of expressions."""
        return self.config.own.expressions is not None
