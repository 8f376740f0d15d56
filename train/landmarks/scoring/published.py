"""Tables II and III of Mikheeva, Ek and Kjellström: their figures on BU-3DFE and BP4D, not on the reader's set."""

from train.scoring.pages import Table

ACCURACY, TRIPLETS = "accuracy", "triplets"
POSED = {
    "none": (0.72, 0.593),
    "PCA": (0.676, 0.592),
    "VAE": (0.64, 0.592),
    "M1": (0.72, 0.67),
    "M2": (0.736, 0.798),
}
"""Accuracy of seven classes and share of satisfied artificial triplets, of one training each."""
SPONTANEOUS = Table(
    "Published, BP4D: spontaneous expressions (Table III)",
    (ACCURACY, "5 of 5 votes", "4 of 5", "3 of 5"),
    {
        "none": (0.842, 0.747, 0.615, 0.549),
        "PCA": (0.824, 0.743, 0.608, 0.549),
        "VAE": (0.838, 0.706, 0.593, 0.494),
        "M1": (0.853, 0.629, 0.575, 0.512),
        "M2": (0.835, 0.83, 0.701, 0.559),
    },
    "Two classes; triplets of people's votes, by how many agree. 0.742 of the frames are of the commoner class.",
)
"""The reader's set has no votes: it stands here for what the authors found on faces as they are."""
