"""The streams of a container, one line each."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.errors import SourceError
from tracker.sources.streams import describe_streams


def test_the_streams_of_the_sample(sample_clip: Path) -> None:
    assert describe_streams(str(sample_clip)) == [
        "video, h264, 640x360, yuv420p, 9.009 s",
        "audio, aac, 48000 Hz, stereo, 9.003 s",
    ]


def test_a_language_is_told(tmp_path: Path) -> None:
    path = tmp_path / "Ton: früh.mkv"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("flac", rate=8000, layout="stereo")
        stream.metadata["language"] = "deu"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "stereo")
        frame.sample_rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert describe_streams(str(path)) == ["audio, flac, 8000 Hz, stereo, deu"]


@pytest.mark.parametrize("name", ["missing.mp4", "notes.mp4"])
def test_what_is_no_container_is_one_plain_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    with pytest.raises(SourceError, match=rf"{name} cannot be read: .*; expected a container that FFmpeg reads"):
        describe_streams(str(tmp_path / name))
