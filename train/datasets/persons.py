"""Any pictures of known people with known expressions: ROOT/PERSON/EXPRESSION/*.png (or .jpg, .jpeg, .bmp).

The folder of a person is the subject's name; that of an expression is one of ours in any known spelling (happy is
happiness). A file's name that ends in -1 to -9 tells the expression's degree: anger-3.png. Pictures may be of any size,
since every face is aligned; where there are several faces, the largest counts.
"""

import re
from pathlib import Path

from train.datasets.expressions import Portrait, known, listing_of, pictures_in
from train.datasets.parts import Listing
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "a folder for each person with a folder for each expression, such as ann/happiness/1.png"


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Every picture; DataError for a folder that is no expression, and where there is no picture."""
    folders = [folder for person in _folders_in(root) for folder in _folders_in(person)]
    expressions = {folder: known(folder.name, folder) for folder in folders}
    portraits = [
        Portrait(path, folder.parent.name, expression, _degree_of(path.stem))
        for folder, expression in expressions.items()
        for path in pictures_in(folder)
    ]
    outside = sum(len(pictures_in(folder)) for folder in (root, *_folders_in(root)) if folder.is_dir())
    return listing_of(portraits, root, EXPECTED, {"pictures in no folder of an expression": outside})


def _folders_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _degree_of(name: str) -> int:
    """The degree at the end of a file's name without its suffix; 0 where there is none."""
    found = re.search(r"-([1-9])$", name)
    return int(found[1]) if found else 0
