"""Where the parts of the live window lie, for a window of any size."""

from dataclasses import dataclass

from tracker.drawing.marks import Rect
from tracker.errors import UsageError

SIZE = (1280, 720)
LEAST = (960, 540)
GAP, HEAD, FOOT, TRACES, TABLE, SIDE = 10, 40, 34, 168, 132, 418
"""Pixels at SIZE: between the parts; heights of the two bars, of the traces and of the table; width of the side."""


@dataclass(frozen=True)
class Layout:
    """The places of the parts."""

    unit: float
    """The scale of everything: 1 at SIZE."""
    head: Rect
    """What is tracked, and what goes on."""
    view: Rect
    """The video."""
    dial: Rect
    """The circumplex."""
    table: Rect
    """The values of each face."""
    valence: Rect
    """The trace."""
    arousal: Rect
    """Likewise."""
    foot: Rect
    """How fast, and who receives."""

    def px(self, length: float) -> int:
        """A length in pixels at SIZE, scaled."""
        return max(1, round(length * self.unit))


def layout(width: int, height: int) -> Layout:
    """The places in a window of so many pixels. Raises UsageError where it is smaller than LEAST."""
    if width < LEAST[0] or height < LEAST[1]:
        raise UsageError(f"the window is {width} x {height}; expected at least {LEAST[0]} x {LEAST[1]} pixels")
    unit = min(width / SIZE[0], height / SIZE[1])
    gap, head, foot, traces, table, side = (round(v * unit) for v in (GAP, HEAD, FOOT, TRACES, TABLE, SIDE))
    low, high, half = height - foot, height - foot - traces - gap, (width - 3 * gap) // 2
    left, right = width - gap - side, width - gap
    return Layout(
        unit,
        head=(0, 0, width, head),
        view=(gap, head, left - gap, high),
        dial=(left, head, right, high - table - gap),
        table=(left, high - table, right, high),
        valence=(gap, high + gap, gap + half, low),
        arousal=(right - half, high + gap, right, low),
        foot=(0, low, width, height),
    )
