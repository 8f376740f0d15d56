"""Tiers: a trace as intervals with a label, for programs that annotate. And two such programs' files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from mimetypes import guess_type
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from tracker.traces.events import TimedEvent
from tracker.traces.reading import FaceTrace, Trace
from tracker.types import QUADRANT_WORDS

Interval = tuple[float, float, str]
"""Beginning and end, seconds; the label."""
SIGNS = {True: "p", False: "n"}


@dataclass(frozen=True)
class Tier:
    """Intervals in the order of time, none over another; between them may be gaps."""

    name: str
    intervals: tuple[Interval, ...]


def tiers_of(trace: Trace, faces: Iterable[FaceTrace], events: Sequence[TimedEvent], step: float) -> list[Tier]:
    """Of each face: how it was seen, its quadrant, the mean of valence and arousal every `step` seconds; the events.

    Only frames in which the face is seen well (status ok) count for the last three.
    """
    tiers = []
    for face in faces:
        whose = "" if face.face_id is None else f" face {face.face_id}"
        good = face.good
        places = [
            QUADRANT_WORDS[SIGNS[valence >= 0] + SIGNS[arousal >= 0]] if seen else ""
            for seen, valence, arousal in zip(good, face["valence_smooth"], face["arousal_smooth"], strict=True)
        ]
        tiers += [
            Tier(f"status{whose}", _runs(face.time, face.status.tolist(), trace.end)),
            Tier(f"quadrant{whose}", _runs(face.time, places, trace.end)),
        ]
        opens = np.arange(face.time[0], trace.end - trace.step / 2, step)
        bounds = np.searchsorted(face.time, [*opens, opens[-1] + step])
        for axis in ("valence", "arousal"):
            values = face[f"{axis}_smooth"]
            means = []
            for start, (first, last) in zip(opens.tolist(), pairwise(bounds), strict=True):
                seen = values[first:last][good[first:last]]
                if len(seen):
                    means.append((start, min(start + step, trace.end), f"{seen.mean():+.3f}"))
            tiers.append(Tier(f"{axis}{whose}", tuple(means)))
    if events:
        tiers.append(Tier("events", _without_overlap(events, trace.step)))
    return tiers


def _runs(time: np.ndarray, labels: Sequence[str], end: float) -> tuple[Interval, ...]:
    """Frames in a row with the same label make one interval; those without a label make none."""
    starts = [place for place in range(len(labels)) if place == 0 or labels[place] != labels[place - 1]]
    ends = [*(float(time[place]) for place in starts[1:]), end]
    return tuple(
        (float(time[place]), stop, labels[place]) for place, stop in zip(starts, ends, strict=True) if labels[place]
    )


def _without_overlap(events: Sequence[TimedEvent], step: float) -> tuple[Interval, ...]:
    """An event without an end lasts a frame; one that is not over when the next begins ends there."""
    intervals = []
    for place, event in enumerate(events):
        end = event.start + step if event.end is None else event.end
        if place + 1 < len(events):
            end = min(end, events[place + 1].start)
        if end > event.start >= 0:
            intervals.append((event.start, end, event.condition))
    return tuple(intervals)


def textgrid(trace: Trace, tiers: Sequence[Tier]) -> bytes:
    """Praat's TextGrid, the long text form, UTF-8: every tier covers the time from 0 to the trace's end."""
    end = max([trace.end, *(stop for tier in tiers for _, stop, _ in tier.intervals)])
    span = f"xmin = 0\nxmax = {end:.6f}\n"
    lines = [
        f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n{span}tiers? <exists>\nsize = {len(tiers)}\nitem []:\n'
    ]
    for number, tier in enumerate(tiers, 1):
        intervals = list(_filled(tier.intervals, end))
        lines.append(f'item [{number}]:\nclass = "IntervalTier"\nname = "{_quoted(tier.name)}"\n{span}')
        lines.append(f"intervals: size = {len(intervals)}\n")
        lines += [
            f'intervals [{place}]:\nxmin = {start:.6f}\nxmax = {stop:.6f}\ntext = "{_quoted(label)}"\n'
            for place, (start, stop, label) in enumerate(intervals, 1)
        ]
    return "".join(lines).encode()


def _filled(intervals: Iterable[Interval], end: float) -> Iterable[Interval]:
    reached = 0.0
    for start, stop, label in intervals:
        if start - reached > 1e-6:
            yield reached, start, ""
        yield start if start - reached > 1e-6 else reached, stop, label
        reached = stop
    if end - reached > 1e-6:
        yield reached, end, ""


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def eaf(trace: Trace, tiers: Sequence[Tier]) -> bytes:
    """ELAN's annotation document (EAF 2.8), with the source as its medium; times in milliseconds."""
    made = datetime.fromtimestamp(int(trace.file.stat().st_mtime), timezone.utc).isoformat()
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "affect-tracker",
            "DATE": made,
            "FORMAT": "2.8",
            "VERSION": "2.8",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv2.8.xsd",
        },
    )
    header = ElementTree.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    source = trace.sheet.get("source", {}).get("path")
    if source:
        kind = guess_type(source)[0] or "video/unknown"
        place = source.partition(" (")[0] if "://" in source else Path(source).expanduser().as_uri()
        medium = {"MEDIA_URL": place, "MIME_TYPE": kind}
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", medium)
    order = ElementTree.SubElement(root, "TIME_ORDER")
    slots = _numbers("ts")
    annotations = _numbers("a")
    for tier in tiers:
        element = ElementTree.SubElement(root, "TIER", {"TIER_ID": tier.name, "LINGUISTIC_TYPE_REF": "affect"})
        for start, stop, label in tier.intervals:
            begins, ends = slots(), slots()
            for slot, time in ((begins, start), (ends, stop)):
                ElementTree.SubElement(
                    order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(round(time * 1000))}
                )
            annotation = ElementTree.SubElement(
                ElementTree.SubElement(element, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                {"ANNOTATION_ID": annotations(), "TIME_SLOT_REF1": begins, "TIME_SLOT_REF2": ends},
            )
            ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = label
    kind_of_tier = {"LINGUISTIC_TYPE_ID": "affect", "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    ElementTree.SubElement(root, "LINGUISTIC_TYPE", kind_of_tier)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _numbers(prefix: str) -> Callable[[], str]:
    """Gives prefix1, prefix2, ... when it is called."""
    names = (f"{prefix}{number}" for number in range(1, 1 << 62))
    return lambda: next(names)
