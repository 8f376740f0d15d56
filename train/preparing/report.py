"""What a preparation found and what it did not: report.json, and the table on the screen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from train.datasets.expressions import NONE
from train.datasets.parts import Listing
from train.preparing.blocks import Note

NAMED = 5
"""Files that the table names; report.json has them all."""


def report_of(listing: Listing, notes: Sequence[Note], columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What was found and what was not: numbers, the files that failed, and how many faces of which clip.

    A row with valence and arousal, or an expression, is annotated.
    """
    found, annotated = columns["found"], np.isfinite(columns["affect"]).all(axis=1)
    if "expression" in columns:
        annotated = annotated | (columns["expression"] != NONE)
    missing, corrupt = ([name for note in notes for name in getattr(note, kind)] for kind in ("missing", "corrupt"))
    return {
        "frames": len(found),
        "annotated": int(annotated.sum()),
        "found": int(found.sum()),
        "usable": int((found & annotated).sum()),
        "no_face": int((~found).sum()) - len(missing) - len(corrupt),
        "corrupt": len(corrupt),
        "missing": len(missing),
        "left_out": sum(note.left_out for note in notes),
        "counts": dict(listing.counts),
        "corrupt_files": corrupt,
        "missing_files": missing,
        "rows_without_face": _absent(listing, notes),
    }


def _absent(listing: Listing, notes: Sequence[Note]) -> dict[str, int]:
    """How many rows of which clip have no face, for whatever reason."""
    absent: dict[str, int] = {}
    for part, note in zip(listing.parts, notes, strict=True):
        names = part.clips if part.alone else list(part.clips) * len(part.pictures)
        for row in np.flatnonzero(~note.found):
            absent[names[int(row)]] = absent.get(names[int(row)], 0) + 1
    return absent


def table_of(report: dict[str, Any]) -> str:
    """The report as aligned text."""
    rows = [
        ("frames", report["frames"], ""),
        ("annotated", report["annotated"], ""),
        ("face found", report["found"], f"{report['found'] / max(1, report['frames']):.1%}"),
        ("usable (found and annotated)", report["usable"], ""),
        ("no face found", report["no_face"], ""),
        ("corrupt pictures", report["corrupt"], _names(report["corrupt_files"])),
        ("missing pictures", report["missing"], _names(report["missing_files"])),
        ("video frames without annotation, left out", report["left_out"], ""),
        *((text, count, "") for text, count in report["counts"].items()),
    ]
    width = max(len(text) for text, _, _ in rows)
    return "\n".join(f"{text:{width}}  {count:>9,}  {more}".rstrip() for text, count, more in rows)


def _names(files: Sequence[str]) -> str:
    return ", ".join(files[:NAMED]) + (", ..." if len(files) > NAMED else "")
