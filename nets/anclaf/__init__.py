"""ANCLaF: generator, discriminator and combiner."""

from nets.anclaf.model import (
    Anclaf,
    AnclafConfig,
    Encoding,
    parameter_count,
    with_face,
    with_quadrant_head,
    with_recurrence,
)

__all__ = [
    "Anclaf",
    "AnclafConfig",
    "Encoding",
    "parameter_count",
    "with_face",
    "with_quadrant_head",
    "with_recurrence",
]
