"""C: affect from ZQ; one frame (Aspandi et al. 2021, Eq. 3), an LSTM over n (Eq. 4), attention (Eq. 5 to 8)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from nets.anclaf.layers import Norm, Residual, norm_layer
from nets.network import EXPRESSIONS

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
    expression_logits: Tensor | None
    """(B, 8): of EXPRESSIONS, as if all were as common; None for a C without them."""
    log_deviation: Tensor | None
    """(B, 2): logarithm of the standard deviation of valence and arousal; None for a C without them."""

    @property
    def expressions(self) -> Tensor | None:
        """(B, 8) probabilities."""
        return None if self.expression_logits is None else torch.softmax(self.expression_logits, dim=1)

    @property
    def deviation(self) -> Tensor | None:
        """(B, 2) standard deviations."""
        return None if self.log_deviation is None else self.log_deviation.exp()


class Combiner(nn.Module):
    """ANCLaF (recurrence None), ANCLaF-S-n (lstm) and ANCLaF-SA-n (attention) in one.

    Beyond the paper, one with expressions reads affect off them: the mean of their places on the circumplex, weighed by
    their probabilities, and a linear head adds what they do not tell. One with deviations tells how sure it is.
    """

    places: Tensor
    """(8, 2): valence and arousal of each expression."""

    def __init__(
        self,
        encoder: CombinerEncoder,
        feature: int,
        recurrence: Recurrence | None,
        expressions: bool = False,
        temperature: float = 1.0,
        deviation: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(feature, 2)
        self.temperature = temperature
        self.expressions = nn.Linear(feature, len(EXPRESSIONS)) if expressions else None
        if expressions:
            self.register_buffer("places", torch.zeros(len(EXPRESSIONS), 2))
        self.deviation = nn.Linear(feature, 2) if deviation else None
        self.recurrence = recurrence

    def forward(self, zq: Tensor) -> tuple[Tensor, Reading]:
        """ZQ (B, planes, s, s) to the frame's feature (B, F) and what C reads off it."""
        feature = self.encoder(zq)
        return feature, self.read(feature)

    def read(self, feature: Tensor) -> Reading:
        """What C reads off the feature (B, F) of single frames."""
        affect, logits = self.head(feature), None
        if self.expressions is not None:
            logits = self.expressions(feature)
            affect = torch.softmax(logits / self.temperature, dim=1) @ self.places.to(affect.dtype) + affect
        return Reading(affect, logits, None if self.deviation is None else self.deviation(feature))

    def combine(self, window: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, n, F) and valid (B, n) bool to the newest frame's affect (B, 2) and attention (B, n) or None."""
        if self.recurrence is None:
            return self.read(window[:, -1]).affect, None
        affect, attention = self.recurrence(window, valid)
        return affect[:, -1], attention if self.recurrence.attention else None
