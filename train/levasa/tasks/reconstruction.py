"""Task 1: how well the faces come back, and what of that the alignment costs."""

import numpy as np

from train.levasa.tasks.encoded import reconstruct, reconstruction_errors
from train.levasa.tasks.faces import Faces
from train.levasa.tasks.study import Study
from train.scoring.figures import Figure
from train.scoring.pages import Outcome, Table
from train.scoring.pictures import draw_reconstructions

NOTE = "Pixels in [0, 1]; faces decoded from the means of their latents."
PRICE = "The last column is the price of alignment: a model's error over that of the vanilla one on the same faces."


def reconstruction(study: Study) -> Outcome:
    """The pixels' error of each model beside that of the training faces' mean picture, and a picture of examples."""
    errors = {model.label: reconstruction_errors(model, study.test) for model in study.models}
    errors["mean picture"] = mean_picture_errors(study.taught, study.test)
    vanilla = next((errors[model.label] for model in study.models if model.heads == "none"), None)
    columns = ("pixel MSE x 1000",) if vanilla is None else ("pixel MSE x 1000", "over vanilla's")
    rows = {name: _row(study, values, vanilla) for name, values in errors.items()}
    note = NOTE if vanilla is None else f"{NOTE} {PRICE}"
    return Outcome([Table("Test faces", columns, rows, note)], {"reconstructions.png": _examples(study)})


def _row(study: Study, errors: np.ndarray, vanilla: np.ndarray | None) -> list[Figure]:
    mean = study.resamples.mean(1000 * errors)
    return [mean] if vanilla is None else [mean, study.resamples.ratio(errors, vanilla)]


def mean_picture_errors(train: Faces, test: Faces) -> np.ndarray:
    """(N,): mean squared error of the pixels, in [0, 1], of the mean of the training faces."""
    mean = train.crops().mean(axis=0) / 255
    return np.concatenate([((crops / 255 - mean) ** 2).mean(axis=(1, 2, 3)) for crops in test.batches()])


def _examples(study: Study) -> bytes:
    faces = study.test.select(examples(study.test.emotion, len(study.test), study.config.shown))
    rows = {"original": faces.crops() / 255}
    rows |= {model.label: reconstruct(model, faces) for model in study.models}
    return draw_reconstructions(rows, faces.words)


def examples(emotion: np.ndarray | None, faces: int, count: int) -> np.ndarray:
    """Indices of `count` of so many faces: of every emotion (N,) in turn, and in their order; else the first."""
    if emotion is None:
        return np.arange(min(count, faces))
    turn = np.array([(emotion[:i] == own).sum() for i, own in enumerate(emotion)])
    chosen = np.lexsort((emotion, turn))[:count]
    return chosen[np.argsort(emotion[chosen], kind="stable")]
