"""What was tracked: a trace in memory, as tables, pictures and files."""

import base64
import html
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracker.errors import SinkError, UsageError
from tracker.outputs import SHEET, SUFFIXES, short_stem, source_name
from tracker.sinks import SinkContext, open_sink, write_meta
from tracker.sinks.records import column_names, columns_behind, rows
from tracker.types import AffectSample, Face, Frame, SourceInfo, TrackedFrame

if TYPE_CHECKING:
    import pandas
    import polars

MARGIN = 0.25
"""Of a crop: a share of the face's longer side, on all sides."""
KINDS = ("csv", "jsonl", "parquet", "plot")
"""What save() can write; an overlay video needs `affect track --video`."""


class Part(NamedTuple):
    """The trace of one source."""

    info: SourceInfo
    frames: tuple[TrackedFrame, ...]
    """Without their pictures."""
    picture_of: Callable[[Frame], np.ndarray]
    """The picture of a frame; raises SourceError where it cannot be had again."""


class Picture:
    """A picture as PNG, which a notebook shows."""

    def __init__(self, png: bytes) -> None:
        self.png = png

    def save(self, path: str | Path) -> Path:
        """Write it, replacing what is there, into a folder that is made where it is missing; returns the path."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(self.png)
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<affect.Picture, PNG of {len(self.png):,} bytes>"


class Result:
    """The whole trace of one source or several; frames() gives what was measured, without the pictures."""

    def __init__(self, parts: tuple[Part, ...], meta: dict[str, Any]) -> None:
        self.parts = parts
        self.meta = meta
        """Version, sources, model with its SHA-256, window, smoothing, device."""

    def frames(self) -> Iterator[TrackedFrame]:
        """Every tracked frame of all sources in their order."""
        return (tracked for part in self.parts for tracked in part.frames)

    def samples(self) -> Iterator[AffectSample]:
        """Every sample of all sources in their order."""
        return (sample for tracked in self.frames() for sample in tracked.samples)

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """The columns of `affect track`, by name: of a row for each face in a frame, and one for a frame without.

        None is what was not measured. Of several sources, and of stills, the column `source` tells which one.
        """
        table: dict[str, list[Any]] = {}
        for part in self.parts:
            behind = columns_behind(self._context(part))
            for name in column_names("affect", behind):
                table.setdefault(name, [])
            for tracked in part.frames:
                for row in rows(tracked, extras=behind):
                    for name, values in table.items():
                        values.append(row.get(name))
        return table

    def to_pandas(self) -> "pandas.DataFrame":
        """The columns as a DataFrame; what was not measured is NaN."""
        pandas = _imported("pandas")
        table = pandas.DataFrame(self.columns)
        return table.astype({name: "float64" for name in table if _is_empty(self.columns[name])})

    def to_polars(self) -> "polars.DataFrame":
        """The columns as a DataFrame; what was not measured is null."""
        return _imported("polars").DataFrame(self.columns, infer_schema_length=None)

    def plot(self, source: str | None = None) -> Picture:
        """The traces and each face's way through the circumplex. source: of several, whose; UsageError without it."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "plot.png"
            self._write("plot", path, self._part(source))
            return Picture(path.read_bytes())

    def save(
        self,
        folder: str | Path,
        *,
        csv: bool = True,
        jsonl: bool = False,
        parquet: bool = False,
        plot: bool = False,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write NAME.csv of each source into a folder, made where it is missing, and NAME.meta.json; returns the paths.

        Raises SinkError for a file that is there already, unless it may be overwritten.
        """
        kinds = [kind for kind, wanted in zip(KINDS, (csv, jsonl, parquet, plot), strict=True) if wanted]
        targets = dict(zip(self._stems(), self.parts, strict=True))
        paths = [
            Path(folder) / f"{stem}{suffix}"
            for stem in targets
            for suffix in (*(SUFFIXES[kind] for kind in kinds), SHEET)
        ]
        for path in [path for path in paths if path.exists() and not overwrite][:1]:
            raise SinkError(f"{path} exists; overwrite=True replaces it, another folder keeps both")
        Path(folder).mkdir(parents=True, exist_ok=True)
        for stem, part in targets.items():
            for kind in kinds:
                self._write(kind, Path(folder) / f"{stem}{SUFFIXES[kind]}", part)
            sheet = {**self.meta, "sources": [part.info.uri], "rows": sum(max(1, len(t.samples)) for t in part.frames)}
            write_meta(Path(folder) / f"{stem}{SHEET}", {**sheet, "complete": True})
        return paths

    def crop(self, face_id: int, time: float = 0.0, source: str | None = None) -> np.ndarray:
        """The picture (h, w, 3) uint8 RGB of a face where it was seen nearest to a time, with a margin about its box.

        source: of several, whose. The picture is read again from where it came. Raises UsageError for a face that is
        not there, SourceError where the picture is gone.
        """
        part = self._part(source)
        seen = [(tracked.frame, face) for tracked in part.frames for face in tracked.faces if face.track_id == face_id]
        if not seen:
            ids = sorted(
                {face.track_id for tracked in part.frames for face in tracked.faces if face.track_id is not None}
            )
            raise UsageError(f"there is no face {face_id}; {f'there are {ids}' if ids else 'no face was found'}")
        frame, face = min(seen, key=lambda each: abs(each[0].time - time))
        return _cut(part.picture_of(frame), face)

    def __len__(self) -> int:
        return sum(len(part.frames) for part in self.parts)

    def __repr__(self) -> str:
        names = ", ".join(Path(part.info.uri).name for part in self.parts[:2]) + (
            ", ..." if len(self.parts) > 2 else ""
        )
        faces = len({(number, face.track_id) for number, part in enumerate(self.parts) for face in _faces(part)})
        told = f"{len(self)} frames, {faces} face{'' if faces == 1 else 's'}, {self.meta['model']['name']}"
        return f"<affect.Result of {names}: {told}>"

    def _repr_html_(self) -> str:
        shown = [part for part in self.parts if part.info.kind != "stills"][:1]
        pictures = [self.plot(part.info.uri).png for part in shown]
        drawn = "".join(
            f'<img style="max-width:100%" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
            for png in pictures
        )
        return f"<div><p>{html.escape(repr(self)[1:-1])}</p>{drawn}</div>"

    def _part(self, source: str | None) -> Part:
        if source is None and len(self.parts) == 1:
            return self.parts[0]
        found = [part for part in self.parts if source in (part.info.uri, Path(part.info.uri).name)]
        if len(found) != 1:
            known = ", ".join(part.info.uri for part in self.parts)
            raise UsageError(f"source is {source!r}; expected one of {known}")
        return found[0]

    def _context(self, part: Part) -> SinkContext:
        return SinkContext(
            part.info,
            part.info.uri,
            model=self.meta["model"]["name"],
            extras=tuple(self.meta["told"]),
            readings=tuple(self.meta["readings"]),
            source_column=len(self.parts) > 1,
        )

    def _write(self, kind: str, path: Path, part: Part) -> None:
        with open_sink(kind, path, self._context(part)) as sink:
            for tracked in part.frames:
                sink.write(tracked)

    def _stems(self) -> list[str]:
        stems: list[str] = []
        for part in self.parts:
            name = short_stem(source_name(part.info.uri)) if part.info.uri != "arrays" else "arrays"
            number = 1 + sum(stem == name or stem.startswith(f"{name}-") for stem in stems)
            stems.append(name if number == 1 else f"{name}-{number}")
        return stems


def _faces(part: Part) -> Iterator[Face]:
    return (face for tracked in part.frames for face in tracked.faces)


def _cut(picture: np.ndarray, face: Face) -> np.ndarray:
    x0, y0, x1, y1 = face.box.tolist()
    margin = MARGIN * max(x1 - x0, y1 - y0)
    height, width = picture.shape[:2]
    rows = slice(max(0, round(y0 - margin)), min(height, round(y1 + margin)))
    return picture[rows, max(0, round(x0 - margin)) : min(width, round(x1 + margin))].copy()


def _is_empty(values: list[Any]) -> bool:
    return all(value is None for value in values)


def _imported(package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise UsageError(f"the Python package {package} is missing: pip install {package}") from error
