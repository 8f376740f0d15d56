"""How a probe of scikit-learn reads a code: inputs standardised by its own training faces."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def predicted(probe: BaseEstimator, train: tuple[np.ndarray, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """What a probe that is fitted on train, inputs (M, K) and targets (M,), answers (N,) to inputs (N, K).

    Where all targets are one value, it is the answer.
    """
    if len(np.unique(train[1])) == 1:
        return np.full(len(inputs), train[1][0])
    fitted = make_pipeline(StandardScaler(), probe)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fitted.fit(*train).predict(inputs)
