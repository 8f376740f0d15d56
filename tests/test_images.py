from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sources import open_source
from tracker.sources.images import read_picture
from tracker.types import Frame, SourceReport

RED = (0, 0, 255)


def write_picture(path: Path, array: np.ndarray) -> Path:
    done, data = cv2.imencode(path.suffix, array)
    assert done
    data.tofile(path)
    return path


def flat(level: int, size: tuple[int, int] = (8, 6)) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


def read(uri: Path | str, **options: float) -> tuple[list[Frame], SourceReport]:
    with open_source(str(uri), SourceOptions(**options)) as source:
        return list(source), source.report()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures, shot1.png to shot12.png, each as grey as ten times its number."""
    for number in range(1, 13):
        write_picture(tmp_path / f"shot{number}.png", flat(10 * number))
    return tmp_path


def levels(frames: list[Frame]) -> list[int]:
    return [int(frame.image[0, 0, 0]) for frame in frames]


def test_a_folder_in_natural_order(folder: Path) -> None:
    frames, report = read(folder, fps=50)
    assert levels(frames) == list(range(10, 130, 10))
    assert [frame.time for frame in frames] == pytest.approx([i / 50 for i in range(12)])
    assert [frame.index for frame in frames] == list(range(12))
    assert report == SourceReport(12, 0, (), True)


def test_info(folder: Path) -> None:
    with open_source(str(folder), SourceOptions(fps=12.5)) as source:
        info = source.info
    assert (info.kind, info.width, info.height, info.codec, info.time_base) == ("images", 8, 6, "png", "1/12.5")
    assert (info.frames, info.rate_hz, info.duration) == (12, 12.5, pytest.approx(0.96))


def test_a_glob(folder: Path) -> None:
    frames, _ = read(folder / "shot1?.png")
    assert levels(frames) == [100, 110, 120]


def test_start_and_end(folder: Path) -> None:
    frames, report = read(folder, fps=10, start=0.2, end=0.5)
    assert levels(frames) == [30, 40, 50]
    assert [frame.time for frame in frames] == pytest.approx([0.2, 0.3, 0.4])
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert report.complete


def test_nothing_in_the_range(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"has no picture in that range; it lasts 0.48 s at 25 fps"):
        read(folder, start=3)


def test_an_unreadable_picture_is_left_out_and_named(folder: Path) -> None:
    (folder / "shot3.png").write_text("not a picture")
    (folder / "shot5.png").write_bytes(b"")
    frames, report = read(folder, fps=10)
    assert levels(frames) == [10, 20, 40, 60, 70, 80, 90, 100, 110, 120]
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time for frame in frames[:4]] == pytest.approx([0.0, 0.1, 0.3, 0.5])
    assert report.warnings == ("pictures left out because they cannot be read: 2 (shot3.png, shot5.png)",)
    assert report.complete and report.decoded == 10


def test_many_unreadable_pictures_are_counted(folder: Path) -> None:
    for number in range(2, 10):
        (folder / f"shot{number}.png").write_bytes(b"x")
    _, report = read(folder)
    assert report.warnings[0].startswith("pictures left out because they cannot be read: 8 (")
    assert report.warnings[0].endswith("shot2.png, shot3.png, shot4.png, shot5.png, shot6.png, ...)")


def test_a_folder_in_which_no_picture_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(SourceError, match="holds no picture that can be read; tried: 1"):
        read(tmp_path)


def test_pictures_of_differing_sizes(tmp_path: Path) -> None:
    sizes = [(8, 6), (1, 1), (33, 17), (640, 480)]
    for number, size in enumerate(sizes):
        write_picture(tmp_path / f"{number}.bmp", flat(99, size))
    frames, _ = read(tmp_path)
    assert [frame.image.shape for frame in frames] == [(h, w, 3) for w, h in sizes]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((5, 7), 120, np.uint8), (120, 120, 120)),
        (np.full((5, 7), 120 << 8, np.uint16), (120, 120, 120)),
        (np.full((5, 7, 3), RED, np.uint8), (255, 0, 0)),
        (np.full((5, 7, 3), (0, 0, 65535), np.uint16), (255, 0, 0)),
        (np.full((5, 7, 4), (*RED, 10), np.uint8), (255, 0, 0)),
    ],
    ids=["grey", "grey 16 bit", "colour", "colour 16 bit", "alpha"],
)
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, array: np.ndarray, expected: tuple[int, int, int]) -> None:
    (frame,), _ = read(write_picture(tmp_path / "a.png", array))
    assert frame.image.dtype == np.uint8 and frame.image.shape == (5, 7, 3) and frame.image.flags.c_contiguous
    assert frame.image[2, 3].tolist() == list(expected)


def test_8k(tmp_path: Path) -> None:
    (frame,), _ = read(write_picture(tmp_path / "large.jpg", np.zeros((4320, 7680), np.uint8)))
    assert frame.image.shape == (4320, 7680, 3)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg", flat(50, (40, 20)))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    (frame,), _ = read(path)
    assert frame.image.shape == (40, 20, 3)


def test_a_path_with_spaces_and_letters_of_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "Bürö 写真 [1]"
    folder.mkdir()
    write_picture(folder / "ein bild ü 1.jpeg", flat(7))
    frames, report = read(folder)
    assert len(frames) == 1 and report.complete


def test_read_picture_of_nothing(tmp_path: Path) -> None:
    assert read_picture(str(tmp_path / "absent.png")) is None


def test_multi_face_picture(several_faces: Path) -> None:
    (frame,), report = read(several_faces)
    assert frame.image.shape == (667, 1000, 3) and frame.time == 0.0 and report.complete
