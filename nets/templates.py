"""Where the five anchor points of a face (the eyes, the tip of the nose, the corners of the mouth) lie in a crop.

Shares of its side, x then y, from its upper left corner.
"""

Points = tuple[tuple[float, float], ...]

ANCLAF: Points = ((0.32, 0.37), (0.68, 0.37), (0.5, 0.607), (0.35, 0.757), (0.65, 0.757))
"""Of the models that ship."""
ARCFACE_PX = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Pixels of a crop of 112 px, by whose centres they are counted: `arcface_dst` of python-package/insightface/utils/
face_align.py in deepinsight/insightface, to which networks of that family are aligned."""
ARCFACE: Points = tuple(((x + 0.5) / 112, (y + 0.5) / 112) for x, y in ARCFACE_PX)

TEMPLATES = {"anclaf": ANCLAF, "arcface": ARCFACE}
