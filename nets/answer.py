"""What an encoder says of crops."""

from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What an encoder says of B crops: tensors of a Network, float32 arrays of a Runtime."""

    feature: Any
    """(B, F)."""
    quadrant: Any
    """(B, 4) probabilities of ++, -+, --, +-."""
    affect: Any
    """(B, 2): valence and arousal."""
    expressions: Any = None
    """(B, 8) probabilities in the order of EXPRESSIONS; None where the model names none."""
    deviation: Any = None
    """(B, 2): standard deviation of valence and of arousal, above 0; None where the model tells none."""
