"""What `affect annotate` says of bad input, word for word, and what it leaves alone then."""

from collections.abc import Callable
from pathlib import Path

import pytest
from annotations import done, refused, rows
from layouts import draw, write

CLASSES = "neutral, happiness, surprise, sadness, anger, disgust, fear"
BAD_TABLES = [
    (
        "path,emotion\n1.png,happy\n2.png,contempt\n",
        f"in.csv, row 3: no statistics for the class 'contempt'; expected one of {CLASSES}"
        " (--preset affectnet-8, or --preset words, or --unlabelled contempt leaves it out)",
    ),
    (
        "path,emotion\n1.png,awe\n",
        f"in.csv, row 2: no statistics for the class 'awe'; expected one of {CLASSES} (--unlabelled awe leaves it out)",
    ),
    (
        "path,emotion\n1.png,3\n",
        "in.csv, row 2: the class is the number 3; data sets count differently: say what 0, 1, 2, ... mean with"
        " --classes neutral,happy,...",
    ),
    (
        "path,happy,contempt\n1.png,3,1\n",
        f"in.csv, column contempt: no statistics for the class 'contempt'; expected one of {CLASSES} (--preset",
    ),
    (
        "path,happy,sad\n1.png,3,-1\n",
        "in.csv, row 2: sad is -1; expected a number of votes from 0, or a share",
    ),
    ("path,happy,sad\n1.png,3,inf\n", "in.csv, row 2: sad is inf; expected a number of votes from 0"),
    ("path,happy,sad\n1.png,3,x\n", "in.csv, row 2: sad is x; expected a number"),
    (
        "path,label\n1.png,happy\n",
        "in.csv: no column emotion, nor columns of votes (neutral,happiness,...), in its first row (path, label);"
        " name it with --emotion-column",
    ),
    (
        "image,emotion\n1.png,happy\n",
        "in.csv: no column path in its first row (image, emotion); name it with --path-column",
    ),
    ("path,emotion\n", "in.csv has no rows below its header"),
    ("", "in.csv has no rows below its header"),
    ("path,emotion\n1.png,happy,sad\n", "in.csv, row 2 has more cells than the header; expected 2"),
    (
        "path,emotion,emotion\n1.png,happy,sad\n",
        "in.csv: the column emotion stands twice in its first row; give each its own name",
    ),
    (
        "path,emotion,valence\n1.png,happy,0\n",
        "in.csv has a column valence already; leave it out, or give the new one another name with --valence-column",
    ),
    ("path,emotion\n1.png,\n2.png, \n", "in.csv: none of its 2 rows has a label; nothing can be annotated"),
    ("path,emotion\n\xff1.png,happy\n", "in.csv cannot be read as a CSV in UTF-8"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TABLES)
def test_a_bad_table(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(text.encode("latin-1"))
    code = 2 if "already" in message else 1
    refused(message, tmp_path / "in.csv", "--out", tmp_path / "o.csv", code=code)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_numbers_beyond_their_names(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", "path,emotion", "1.png,1", "2.png,-1"), tmp_path / "o.csv"
    message = "in.csv, row 3: the class is -1; expected 0 to 1, the names of --classes"
    refused(message, source, "--out", out, "--classes", "neutral,happy")
    refused("in.csv, row 2: the class is 1; expected 0 to 0, the", source, "--out", out, "--classes", "sad")
    refused("row 2: no statistics for the class 'calm'", source, "--out", out, "--classes", "sad,calm")


BAD_JSON = [
    (
        '{"1": "happy", "2": "sad", "1": "sad", "2": "sad", "1": "sad"}',
        "in.json: 3 of its 5 keys stand there again, such as '1'; all but the last would be lost: make the keys differ,"
        " or write a CSV",
    ),
    (
        '{"1": "happy", ',
        "in.json cannot be read as JSON in UTF-8: Expecting property name enclosed in double quotes: line 2 column 1",
    ),
    ('["happy"]', 'in.json holds ["happy"]; expected an object of keys, as {"1.jpg": "happy", ...}'),
    ("{}", "in.json holds {}; expected an object of keys"),
    (
        '{"1": [0.1, 0.2]}',
        "in.json, key '1': got [0.1, 0.2]; expected a label such as \"happy\" (--reverse reads [valence, arousal])",
    ),
    ('{"1": true}', "in.json, key '1': got true; expected a label"),
    (
        '{"1": "happy", "2": "bored"}',
        f"in.json, key '2': no statistics for the class 'bored'; expected one of {CLASSES}",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_JSON)
def test_a_bad_object(text: str, message: str, tmp_path: Path) -> None:
    refused(message, write(tmp_path / "in.json", text), "--out", tmp_path / "o.csv")


BAD_AFFECT = [
    ('{"1": "happy"}', "", "in.json, key '1': got \"happy\"; expected [valence, arousal], such as [0.6, 0.1]"),
    ('{"1": [0.1]}', "", "in.json, key '1': got [0.1]; expected [valence, arousal]"),
    ('{"1": [0.1, "x"]}', "", "in.json, key '1': got [0.1, \"x\"]; expected [valence, arousal]"),
    (
        '{"0": [0, 0], "1": [3, 1]}',
        "",
        "in.json, key '1': valence is 3; expected -1 to 1 (--reverse --discrete reads whole numbers from -10 to 10)",
    ),
    ('{"1": [Infinity, 1]}', "", "in.json, key '1': valence is inf; expected -1 to 1"),
    ('{"1": [3, 1.5]}', "--discrete", "in.json, key '1': arousal is 1.5; expected a whole number from -10 to 10"),
    ('{"1": [11, 1]}', "--discrete", "in.json, key '1': valence is 11; expected a whole number from -10 to 10"),
    ('{"1": null}', "", "in.json: none of its 1 rows has a label; nothing can be annotated"),
]


@pytest.mark.parametrize(("text", "option", "message"), BAD_AFFECT)
def test_bad_affect(text: str, option: str, message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", text)
    refused(message, source, "--reverse", *option.split(), "--out", tmp_path / "o.csv")


BAD_ANCHORS = [
    (
        ["happy,0.5,0.2", "sad,-0.5,0.1", "sad,-0.4,0.2"],
        "anchor.csv: the ellipse of 'happy' has no size: its standard deviations are 0 (valence) and 0 (arousal);"
        " expected both above 0, as rows that differ in both give",
    ),
    (
        ["happy,0.5,0.2", "happy,0.5,0.3", "sad,-0.5,0.1", "sad,-0.4,0.2"],
        "the ellipse of 'happy' has no size: its standard deviations are 0 (valence) and 0.05 (arousal)",
    ),
    (
        ["happy,0.1,0.2", "HAPPINESS,0.3,0.1"],
        "anchor.csv has one class only, 'happiness'; expected at least two: a single one leaves nothing to tell apart",
    ),
    ([",0.1,0.2"], "anchor.csv has no class; expected at least two"),
    (
        ["happy,0.1,0.2", "sad,,"],
        "anchor.csv: no row of the class 'sad' has valence and arousal; expected at least two that differ",
    ),
    (["happy,0.1,0.2", "sad,0.2,1.2"], "anchor.csv, row 3: arousal is 1.2; expected -1 to 1"),
    (["happy,0.1,0.2", "sad,0.2,low"], "anchor.csv, row 3: arousal is low; expected a number"),
    (["happy,0.1,0.2", "3,0.2,0.1"], "anchor.csv, row 3: the class is the number 3; data sets count differently"),
]


@pytest.mark.parametrize(("lines", "message"), BAD_ANCHORS)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_bad_anchor(lines: list[str], message: str, reverse: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "anchor.csv", "emotion,valence,arousal", *lines)
    source = write(tmp_path / "in.json", '{"1": [0, 0]}' if reverse else '{"1": "happy"}')
    refused(message, source, "--out", tmp_path / "o.csv", "--anchor", path, *["--reverse"] * reverse)


def test_bad_statistics(tmp_path: Path) -> None:
    path, header = tmp_path / "s.csv", "emotion,valence,arousal,valence_sd,arousal_sd"
    call = (write(tmp_path / "in.json", '{"1": "happy"}'), "--out", tmp_path / "o.csv", "--anchor", path)
    write(path, header, "happy,0,0,0.1,0", "sad,0,0,1,1")
    refused("s.csv: the ellipse of 'happy' has no size: its standard deviations are 0.1 (valence) and 0 (aro", *call)
    write(path, header, "happy,0,0,0.1,0.1", "sad,0,0,1,1", "Happiness,0,0,1,1")
    refused("s.csv: the classes are happy, sad, Happiness; expected each once", *call)
    write(path, header, "happy,0,0,0.1,0.1", "sad,,0,1,1")
    refused("s.csv: the centre of 'sad' is nan, nan; expected -1 to 1", *call)
    write(path, "emotion,valence", "happy,0.1", "sad,0.2")
    refused("s.csv: no column arousal in its first row (emotion, valence); name it with --arousal-column", *call)


def test_one_class_alone_is_annotated(tmp_path: Path) -> None:
    draw(tmp_path / "set" / "happy" / "1.png")
    assert "happiness      1" in done(tmp_path / "set", "--out", tmp_path / "o.csv")


def test_bad_folders(tmp_path: Path) -> None:
    root, out = tmp_path / "set", ("--out", tmp_path / "o.csv")
    draw(root / "1.png")
    refused("set holds no folders; expected one folder of pictures a class, such as", root, *out)
    draw(root / "happy" / "1.png")
    (root / "sad").mkdir()
    refused("set/sad holds no picture; put the class's pictures there (.jpg, .png, ...), or delete it", root, *out)
    draw(root / "sad" / "1.png")
    draw(root / "train" / "1.png")
    refused(f"train/1.png: no statistics for the class 'train'; expected one of {CLASSES}", root, *out)
    message = "set is a folder; --reverse reads valence and arousal from a .csv or a .json"
    refused(message, root, "--reverse", *out, code=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--reverse --spread 2", "--spread, --shape and --seed say how points are drawn; --reverse draws none"),
        ("--reverse --shape gaussian", "--reverse draws none: leave them out"),
        ("--reverse --seed 3", "--reverse draws none: leave them out"),
        ("--reverse --classes a,b", "--reverse reads those of --anchor alone"),
        ("--reverse --unlabelled sad", "--classes and --unlabelled say how labels are read"),
        ("--nearest ellipse", "--nearest says how a class is found; without --reverse none is: leave it out"),
    ],
)
def test_options_of_the_other_direction(options: str, message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", '{"1": [0, 0]}')
    refused(message, source, *options.split(), "--out", tmp_path / "o.csv", code=2)


def test_keys_that_a_json_would_lose(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "path,emotion", "1.png,happy", "2.png,sad", "1.png,sad")
    message = "in.csv, row 4: '1.png' stands there 2 times; a JSON object would lose all but one: write a .csv"
    refused(message, source, "--out", tmp_path / "o.json")
    done(source, "--out", tmp_path / "o.csv")
    assert len(rows(tmp_path / "o.csv")) == 3


OUTPUTS: list[tuple[Callable[[Path], tuple], str, int]] = [
    (lambda root: ("--out", root / "o.txt"), "o.txt: expected a name that ends in .csv or .json", 2),
    (lambda root: ("--out", root / "o.csv", "--plot", root / "p.jpg"), "p.jpg: expected a name that ends in .png", 2),
    (lambda root: ("--out", root / "in.csv"), "in.csv is also read, or written twice; choose another name", 2),
    (lambda root: ("--out", root / "o.csv", "--save-statistics", root / "o.csv"), "o.csv is also read, or", 2),
    (lambda root: ("--out", root / "gone" / "o.csv"), "o.csv cannot be written: there is no folder", 1),
    (lambda root: ("--out", root / "folder.csv"), "cannot be written: Is a directory; choose another file", 1),
    (lambda root: ("--out", root / "o.csv", "--spread", 0), "spread is 0; expected a number above 0", 2),
    (lambda root: ("--out", root / "o.csv", "--seed", -1), "-1 is not in the range x>=0", 2),
]


@pytest.mark.parametrize(("options", "message", "code"), OUTPUTS)
def test_outputs_are_checked(options: Callable[[Path], tuple], message: str, code: int, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "path,emotion", "1.png,happy")
    (tmp_path / "folder.csv").mkdir()
    refused(message, source, *options(tmp_path), code=code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "in.csv"]
    assert source.read_text() == "path,emotion\n1.png,happy\n"


def test_sources_that_are_not_there_or_of_another_kind(tmp_path: Path) -> None:
    gone, other = tmp_path / "gone.csv", write(tmp_path / "in.txt", "x")
    refused("gone.csv: no such file or folder; expected a .csv, a .json", gone, "--out", tmp_path / "o.csv")
    refused("in.txt is of another kind; expected a .csv, a .json", other, "--out", tmp_path / "o.csv", code=2)


def test_a_call_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    kept = write(tmp_path / "o.csv", "mine")
    refused("no statistics", write(tmp_path / "in.csv", "path,emotion", "1.png,awe"), "--out", kept)
    assert kept.read_text() == "mine\n"
    done(write(tmp_path / "in.csv", "path,emotion", "1.png,sad"), "--out", kept)
    assert list(rows(kept)[0]) == ["path", "emotion", "valence", "arousal"]
