"""Summaries as a table (CSV) and as a page to read (Markdown)."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import tracker
from tracker.sinks.records import csv_lines
from tracker.traces.reading import Trace
from tracker.traces.summary import Summary, Value
from tracker.types import QUADRANT_WORDS, QUADRANTS

NOTE = """\
Valence (V) and arousal (A) are those of the *expression that is seen*, from -1 to 1, not of what a person feels. The
mean is of the smoothed values over the good frames; in brackets its 95 % interval, for how far it would move if the
person went on like that, by a block bootstrap: it does not hold the model's own error. Spread is the standard deviation
over the frames; N the effective samples, as many independent frames as would tell the mean as well (of V and A the
fewer); below three there is no interval. *Fit* goes by rules of thumb. How to read and report it: docs/reading.md.
"""


def table_of(summaries: Sequence[Summary]) -> bytes:
    """A row for each summary, with a header: comma-separated, UTF-8; what is not known is empty."""
    names = list(summaries[0].figures)
    return csv_lines([names, *([each.figures[name] for name in names] for each in summaries)])


def page_of(summaries: Sequence[Summary]) -> str:
    """The summaries of every file and face as Markdown."""
    lines = ["# Summary", "", NOTE]
    for trace, of_trace in groupby(summaries, key=lambda each: each.trace):
        lines += [f"## {_plain(trace.name)}", "", _origin(trace), ""]
        for face_id, of_face in groupby(of_trace, key=lambda each: each.figures["face_id"]):
            lines += _face(face_id, list(of_face))
    return "\n".join(lines)


def _origin(trace: Trace) -> str:
    """How the trace was made, by its sheet."""
    if not trace.sheet:
        return f"{_plain(str(trace.file))}, without a sheet: what made it is not known."
    sheet = trace.sheet
    model, smoothing = sheet.get("model", {}), sheet.get("smoothing", {})
    lag = smoothing.get("lag_ms")
    late = f", {lag:.0f} ms late" if lag else ""
    return (
        f"{_plain(str(sheet['source'].get('uri', trace.file)))}: {len(trace.time)} frames in {trace.end:.1f} s, by "
        f"{model.get('name', 'an unknown model')} (SHA-256 {str(model.get('sha256', ''))[:12]}), affect-tracker "
        f"{sheet.get('version', tracker.__version__)}, smoothing {smoothing.get('kind', 'unknown')}{late}."
    )


def _face(face_id: Value, summaries: Sequence[Summary]) -> list[str]:
    whole = summaries[0]
    titles: dict[Value, str] = {"all": "All faces, as one person", None: "No face"}
    lines = [f"### {titles.get(face_id, f'Face {face_id}')}", ""]
    if whole.fit.reasons:
        lines += [f"Fit to use? **{whole.fit.verdict}**, for these reasons:", ""]
        lines += [*(f"- {reason}" for reason in whole.fit.reasons), ""]
    else:
        lines += [f"Fit to use? **{whole.fit.verdict}**.", ""]
    figures = whole.figures
    if figures["valence_mean"] is not None:
        shares = ", ".join(f"{QUADRANT_WORDS[q]} {_percent(figures[f'share_{q}'])}" for q in QUADRANTS)
        extremes = "; ".join(
            f"{axis} from {_signed(figures[f'{axis}_min'])} at {figures[f'{axis}_min_time']:.2f} s to "
            f"{_signed(figures[f'{axis}_max'])} at {figures[f'{axis}_max_time']:.2f} s, "
            f"peaks: {figures[f'{axis}_peaks']}"
            for axis in ("valence", "arousal")
        )
        lines += [f"Quadrants: {shares}. {extremes[0].upper()}{extremes[1:]}.", ""]
    trials = Counter(each.part.condition for each in summaries if each.part.trial and each.part.window is None)
    shown = [each for each in summaries if each.part.window or not each.part.trial or trials[each.part.condition] > 1]
    lines += [
        "| part | from, to (s) | frames | lost | low quality | mean V | spread | mean A | spread | N | fit |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *map(_row, shown),
        "",
    ]
    return lines


def _row(summary: Summary) -> str:
    figures = summary.figures
    cells = [_plain(summary.part.told), f"{figures['start']:.2f}, {figures['end']:.2f}", str(figures["frames"])]
    cells += [_percent(figures[name]) for name in ("lost", "low_quality")]
    for axis in ("valence", "arousal"):
        low, high, spread = (figures[f"{axis}_{name}"] for name in ("low", "high", "spread"))
        interval = "" if low is None else f" ({_signed(low)} to {_signed(high)})"
        cells += [f"{_signed(figures[f'{axis}_mean'])}{interval}", "" if spread is None else f"{spread:.2f}"]
    counts = [each for axis in ("valence", "arousal") if isinstance(each := figures[f"{axis}_effective"], float)]
    whole = not summary.part.condition and summary.part.window is None  # its reasons stand above the table
    seen = [reason for reason in summary.fit.reasons if not reason.startswith("short")]  # N says that
    fit = f"{summary.fit.verdict}: {'; '.join(seen)}" if seen and not whole else summary.fit.verdict
    return f"| {' | '.join([*cells, f'{min(counts):.0f}' if counts else '', fit])} |"


def _signed(value: Value) -> str:
    return f"{value:+.2f}" if isinstance(value, float) else ""


def _percent(value: Value) -> str:
    return f"{value:.0%}" if isinstance(value, float) else ""


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return "".join(f"\\{letter}" if letter in "\\|*_`<[" else letter for letter in text)
