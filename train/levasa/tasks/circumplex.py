"""Tasks 6 and 7, the pictures: what lies together in the latents, and the circumplex against the true labels."""

from itertools import product

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from train.levasa.tasks.prediction import OWN
from train.levasa.tasks.probes import REGRESSORS
from train.levasa.tasks.study import AXES, Study
from train.scoring.pages import Outcome, Table
from train.scoring.pictures import draw_circumplexes, draw_maps
from train.scoring.probes import predicted

MAPPED = {"z_v": 0, "z_a": 1}
"""Places in Encoded.z."""
READER = "Ridge"
"""Reads valence and arousal in the latents of a model without heads."""
NOTE = f"Valence and arousal by the heads; of a model without, by {READER} from z_v and z_a (task 4)."


def neighbourhoods(study: Study) -> Outcome:
    """t-SNE maps of z_v and z_a, standardised, with equally many faces of each emotion, as far as there are."""
    assert study.test.emotion is not None
    chosen = balanced(study.test.emotion, study.config.map_faces, study.config.seed)
    maps: dict[str, dict[str, np.ndarray]] = {name: {} for name in MAPPED}
    for name, label in tqdm(list(product(MAPPED, study.answers)), "t-SNE", unit="map", leave=False):
        maps[name][label] = _map(study, study.answers[label][1].z[chosen, MAPPED[name]])
    return Outcome(pictures={"tsne.png": draw_maps(maps, study.test.select(chosen).words)})


def balanced(emotion: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Indices of at most so many faces of each emotion (N,), drawn at random, in their order."""
    order = np.random.default_rng(seed).permutation(len(emotion))
    kept = [order[emotion[order] == k][:most] for k in np.unique(emotion)]
    return np.sort(np.concatenate(kept))


def _map(study: Study, latent: np.ndarray) -> np.ndarray:
    """(N, 2): t-SNE of a latent (N, 32)."""
    perplexity = min(study.config.perplexity, (len(latent) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=study.config.seed)
    return tsne.fit_transform(StandardScaler().fit_transform(latent))


def circumplex(study: Study) -> Outcome:
    """Each model's valence and arousal against the labels without noise: agreement, and a picture of both."""
    name = study.test.judged_by
    truth = study.test.labels[name]
    said = {model.label: _affect(study, model.label) for model in study.models}
    columns = tuple(f"{measure} {axis}" for measure in ("CCC", "RMSE") for axis in (*AXES, "mean"))
    constant = {"constant": np.tile(study.train.labels[name].mean(axis=0), (len(truth), 1))}
    rows = {
        who: [each for measure in ("ccc", "rmse") for each in study.resamples.agreement(affect, truth)[measure]]
        for who, affect in (said | constant).items()
    }
    table = Table(f"Agreement with {name}", columns, rows, NOTE)
    picture = draw_circumplexes({f"true: {name}": truth, **said}, study.test.words)
    return Outcome([table], {"circumplex.png": picture})


def _affect(study: Study, label: str) -> np.ndarray:
    """(N, 2): what a model says of the test faces."""
    by_heads = study.answers[label][1].affect
    if by_heads is not None:
        return by_heads
    taught, test = (each.z for each in study.answers[label])
    labels, probe = study.taught.labels[study.test.judged_by], REGRESSORS[READER]
    axes = [
        predicted(probe(study.config), (taught[:, latent], labels[:, axis]), test[:, latent])
        for axis, latent in OWN.values()
    ]
    return np.stack(axes, axis=1)
