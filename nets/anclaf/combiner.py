"""C: affect from ZQ; one frame (Aspandi et al. 2021, Eq. 3), an LSTM over n (Eq. 4), attention (Eq. 5 to 8)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from nets.anclaf.layers import Norm, Residual, norm_layer
from nets.expressions import EXPRESSIONS

Score = Literal["linear", "mlp"]


class CombinerEncoder(nn.Module):
    """Strided convolutions over ZQ; the mean over what is left of the picture is the frame's feature."""

    def __init__(self, planes: int, widths: Sequence[int], norm: Norm, residual: bool) -> None:
        super().__init__()
        body: list[nn.Module] = []
        for before, after in zip([planes, *widths], widths, strict=False):
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=norm == "none")
            body += [conv, norm_layer(norm, after), nn.LeakyReLU(0.01)]
            if residual:
                body += [Residual(after, norm), nn.LeakyReLU(0.01)]
        self.body = nn.Sequential(*(layer for layer in body if not isinstance(layer, nn.Identity)))

    def forward(self, zq: Tensor) -> Tensor:
        """(B, planes, s, s) to the feature (B, F)."""
        return self.body(zq).mean(dim=(2, 3))


class Attention(nn.Module):
    """Weights over the window's past states; a state is [h; c] of the LSTM.

    With the linear score of the paper's Eq. 5 the query's part is the same for all keys and cancels in the softmax, so
    the weights depend on the keys alone (its Eq. 6); the mlp score, an extension, depends on both.
    """

    def __init__(self, state: int, score: Score) -> None:
        super().__init__()
        self.score: nn.Module = nn.Linear(2 * state, 1)
        if score == "mlp":
            self.score = nn.Sequential(nn.Linear(2 * state, state // 4), nn.Tanh(), nn.Linear(state // 4, 1))

    def forward(self, query: Tensor, keys: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Query (B, S), keys (B, k, S), valid (B, k) bool to context (B, S) and weights (B, k); else zeros."""
        pairs = torch.cat([query[:, None].expand_as(keys), keys], dim=2)
        scores = self.score(pairs).squeeze(2).masked_fill(~valid, float("-inf"))
        weights = torch.softmax(scores, dim=1).nan_to_num(0.0)
        return (weights[:, :, None] * keys).sum(dim=1), weights


class Recurrence(nn.Module):
    """The LSTM over the window, with or without attention over its past states, and its head."""

    def __init__(self, feature: int, hidden: int, attention: bool, score: Score) -> None:
        super().__init__()
        self.hidden = hidden
        self.attention = Attention(2 * hidden, score) if attention else None
        self.cell = nn.LSTMCell(feature + (2 * hidden if attention else 0), hidden)
        self.head = nn.Linear(hidden, 2)

    def with_attention(self, score: Score) -> "Recurrence":
        """A copy with attention whose answers are still the same: S-n becomes SA-n.

        The LSTM's columns for the context start at zero, where the released code leaves them at random values.
        """
        feature = self.cell.input_size
        grown = Recurrence(feature, self.hidden, True, score)
        own = self.state_dict()
        context = own["cell.weight_ih"].new_zeros(4 * self.hidden, 2 * self.hidden)
        own["cell.weight_ih"] = torch.cat([own["cell.weight_ih"], context], dim=1)
        grown.load_state_dict(own, strict=False)
        return grown

    def forward(self, window: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Affect after every frame of the window, and where the newest frame looks.

        window (B, n, F) oldest first, valid (B, n) bool: a frame that is missing leaves the state as it is.
        Returns affect (B, n, 2) and attention (B, n), whose last column is 0 (a frame looks at those before it only).
        """
        batch, length, _ = window.shape
        state = window.new_zeros(batch, self.hidden), window.new_zeros(batch, self.hidden)
        weights = window.new_zeros(batch, length)
        states: list[Tensor] = []
        outputs: list[Tensor] = []
        for t in range(length):
            x, weights = self._with_context(window[:, t], states, valid[:, :t], weights)
            new = self.cell(x, state)
            seen = valid[:, t, None]
            state = torch.where(seen, new[0], state[0]), torch.where(seen, new[1], state[1])
            states.append(torch.cat(state, dim=1))
            outputs.append(self.head(state[0]))
        return torch.stack(outputs, dim=1), weights

    def _with_context(
        self, feature: Tensor, states: list[Tensor], valid: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.attention is None:
            return feature, weights
        if not states:
            return torch.cat([feature, feature.new_zeros(len(feature), 2 * self.hidden)], dim=1), weights
        context, found = self.attention(states[-1], torch.stack(states, dim=1), valid)
        return torch.cat([feature, context], dim=1), nn.functional.pad(found, (0, weights.shape[1] - found.shape[1]))


class Reading(NamedTuple):
    """What C reads off the feature of a single frame."""

    affect: Tensor
    """(B, 2): valence and arousal, unbounded."""
    expression_logits: Tensor | None = None
    """(B, 8): of EXPRESSIONS, as if all were equally common; None for a C that names none."""
    log_deviation: Tensor | None = None
    """(B, 2): logarithm of the standard deviation of valence and of arousal; None for a C that tells none."""


class FaceReader(nn.Module):
    """What C has besides where it sees the face network's maps: a second encoder, and heads for both features.

    Affect is the mean of the expressions' places on the circumplex, weighed by their probabilities, and what a linear
    head adds to it.
    """

    places: Tensor
    """(8, 2): valence and arousal of each expression."""
    temperature: Tensor
    """(): divides the expressions' logits before their places are weighed; below 1 affect leaves the middle sooner."""

    def __init__(self, encoder: CombinerEncoder, feature: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.affect = nn.Linear(feature, 2)
        self.expressions = nn.Linear(feature, len(EXPRESSIONS))
        self.deviation = nn.Linear(feature, 2)
        self.register_buffer("places", torch.zeros(len(EXPRESSIONS), 2))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, feature: Tensor) -> Reading:
        """What both encoders' feature (B, F) says."""
        logits = self.expressions(feature)
        affect = torch.softmax(logits / self.temperature, dim=1) @ self.places.to(feature.dtype) + self.affect(feature)
        return Reading(affect, logits, self.deviation(feature))


class Combiner(nn.Module):
    """ANCLaF (recurrence None), ANCLaF-S-n (lstm) and ANCLaF-SA-n (attention) in one.

    With a face reader, an extension, the feature is that of ZQ and then that of the face network's maps.
    """

    def __init__(
        self, encoder: CombinerEncoder, feature: int, recurrence: Recurrence | None, face: FaceReader | None = None
    ) -> None:
        """feature: width of the encoder's."""
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(feature, 2)
        self.face = face
        self.recurrence = recurrence

    def forward(self, zq: Tensor, maps: Tensor | None = None) -> tuple[Tensor, Reading]:
        """ZQ (B, planes, s, s) and, for a face reader, maps (B, width, t, t): the feature (B, F) and its reading."""
        feature = self.encoder(zq)
        if self.face is not None:
            feature = torch.cat([feature, self.face.encoder(maps)], dim=1)
        return feature, self.read(feature)

    def read(self, feature: Tensor) -> Reading:
        """What is read off the feature (B, F) of single frames."""
        return Reading(self.head(feature)) if self.face is None else self.face(feature)

    def combine(self, window: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, n, F) and valid (B, n) bool to the newest frame's affect (B, 2) and attention (B, n) or None."""
        if self.recurrence is None:
            return self.read(window[:, -1]).affect, None
        affect, attention = self.recurrence(window, valid)
        return affect[:, -1], attention if self.recurrence.attention else None
