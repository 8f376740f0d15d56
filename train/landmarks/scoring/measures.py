"""Table II's two figures of a representation: accuracy of a linear SVM, and the share of triplets that it satisfies."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""C of the SVM, among which the validation persons choose; of equals the least."""
TOLERANCE = 0.01
"""Of the fit: less takes minutes and changes no figure by more than rounding."""


def components(train: np.ndarray, every: np.ndarray, count: int) -> np.ndarray:
    """(N, count): every (N, K) along the first principal components of train (M, K)."""
    return PCA(count, svd_solver="full").fit(train).transform(every)


def fitted_svm(
    inputs: np.ndarray, classes: np.ndarray, train: np.ndarray, validation: np.ndarray
) -> tuple[Pipeline, float]:
    """A linear SVM, one against the rest, that reads the classes (N,) in inputs (N, K); and its C.

    train and validation are rows (N,) bool; inputs are standardised by the training ones.
    """
    fitted = [_svm(penalty).fit(inputs[train], classes[train]) for penalty in PENALTIES]
    best = int(np.argmax([each.score(inputs[validation], classes[validation]) for each in fitted]))
    return fitted[best], PENALTIES[best]


def _svm(penalty: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LinearSVC(C=penalty, dual=False, tol=TOLERANCE))


def satisfied(z: np.ndarray, triplets: np.ndarray) -> np.ndarray:
    """(T,) bool: of triplets (T, 3) of rows of z (N, K), whether the second lies no farther from the first than the
    third."""
    reference, near, far = (z[triplets[:, i]] for i in range(3))
    return np.linalg.norm(reference - near, axis=1) <= np.linalg.norm(reference - far, axis=1)
