"""What the report's pictures show of a study's models, those of the first seed."""

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA

from train.landmarks.data import LandmarkSet
from train.landmarks.scoring.config import KINDS, M1, M2, VAE
from train.landmarks.scoring.follow import Followed
from train.landmarks.scoring.outline import lines_of
from train.landmarks.scoring.paths import Path, draw_paths
from train.landmarks.scoring.pictures import Traversal, draw_space, draw_traversals
from train.landmarks.scoring.study import Study
from train.landmarks.scoring.trained import coded, codes_of, decoded, open_model

STEPS = (-3, -2, -1, 0, 1, 2, 3)
"""Standard deviations of a dimension among the training faces."""
SHOWN = 10
"""Dimensions, those that tell most of a face."""
FRONT = np.array([[1, 0], [0, -1], [0, 0]])
"""A face from the front: x to the right and y up."""
COMPONENTS = 3


def traversals(study: Study) -> bytes:
    """What the dimensions of M2's code make of the neutral face of the first test person."""
    job, faces = study.job(study.main, M2), study.faces(study.main)
    model = open_model(job.path)
    known, row = coded(model, faces), int(faces.neutral[faces.part("test")][0])
    spread = known.z[faces.part("train")].std(axis=0)
    rows = []
    for k in np.argsort(-known.nats)[:SHOWN].tolist():
        codes = np.tile(known.z[row], (len(STEPS), 1))
        codes[:, k] += np.array(STEPS) * spread[k]
        faced = decoded(model, codes, faces.shapes[row]) @ FRONT
        lines = [lines_of(face, faces.layout.name) for face in faced]
        rows.append(Traversal(f"z_{k}\n{known.nats[k]:.1f} nats", lines))
    caption = (
        f"{KINDS[study.main]}; {faces.subjects[faces.subject[row]]}'s neutral face moved by standard deviations; "
        f"the first {len(rows)} of {len(known.nats)} by nats"
    )
    return draw_traversals(
        rows, [f"{step:+d}" if step else "0" for step in STEPS], "What each dimension of M2's code moves", caption
    )


def space(study: Study) -> bytes:
    """The test persons' codes along three principal components of the training codes: VAE, M1 and M2."""
    panels = {}
    for kind in study.options.chosen:
        faces = study.faces(kind)
        for row in (VAE, M1, M2):
            z = coded(open_model(study.job(kind, row).path), faces).z
            axes = components_of(faces, z)
            share = axes.explained_variance_ratio_.sum()
            panels[f"{row}, {kind} landmarks: {share:.0%} of the variance"] = axes.transform(z[faces.part("test")])
    faces = study.faces(study.main)
    test = faces.part("test")
    words = np.array(faces.expressions)[faces.expression[test]]
    caption = (
        "Three principal components of the codes; a dot a face of a test person, larger the stronger the expression"
    )
    return draw_space(panels, words, faces.degree[test], "How the expressions lie in the codes", caption)


def components_of(faces: LandmarkSet, z: np.ndarray) -> PCA:
    """The first principal components of the training faces among codes z (N, K)."""
    return PCA(COMPONENTS, svd_solver="full").fit(z[faces.part("train")])


def paths(study: Study, clips: Sequence[Followed]) -> bytes:
    """The path of M2's code along the clips; of the model that learnt MediaPipe's landmarks, where there is one."""
    kind = study.options.chosen[-1]
    faces, model = study.faces(kind), open_model(study.job(kind, M2).path)
    z = coded(model, faces).z
    axes, centres = components_of(faces, z), _centres(faces, z)
    drawn = []
    for clip in clips:
        own = codes_of(model, clip.shapes, clip.neutral)
        away = np.linalg.norm(own[:, None] - centres, axis=2)
        nearest = np.array(faces.expressions)[away.argmin(axis=1)]
        drawn.append(Path(clip.name, clip.time, axes.transform(own), nearest, clip.affect, _source(clip)))
    caption = (
        f"M2 trained on {KINDS[kind]}; neutral: the medoid of the clip's calmest frames\n"
        "above: three principal components, and, as a ribbon, the expression whose mean training code lies nearest"
    )
    return draw_paths(drawn, faces.expressions, "The code's path", caption)


def _centres(faces: LandmarkSet, z: np.ndarray) -> np.ndarray:
    """(E, K): the mean code of the training faces of each expression."""
    train = faces.part("train")
    return np.stack([z[train & (faces.expression == i)].mean(axis=0) for i in range(len(faces.expressions))])


def _source(clip: Followed) -> str:
    return "true" if clip.known else "tracked, smoothed"
