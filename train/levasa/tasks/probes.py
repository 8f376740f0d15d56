"""The classifiers and regressors of scikit-learn that tell how much a latent says; inputs standardised by their own
training faces."""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from train.levasa.tasks.config import TasksConfig

Probe = Callable[[TasksConfig], BaseEstimator]
"""Makes a classifier or a regressor that is not fitted yet."""

CLASSIFIERS: dict[str, Probe] = {
    "decision tree": lambda c: DecisionTreeClassifier(min_samples_leaf=c.tree_leaf, random_state=c.seed),
    "SVM": lambda c: SVC(C=c.svm_penalty),
    "MLP": lambda c: MLPClassifier((c.mlp_width,), alpha=c.mlp_decay, max_iter=c.mlp_epochs, random_state=c.seed),
}
REGRESSORS: dict[str, Probe] = {
    "Ridge": lambda c: Ridge(c.ridge_penalty),
    "Lasso": lambda c: Lasso(c.lasso_penalty),
    "SVR": lambda c: SVR(C=c.svm_penalty, epsilon=c.svr_tube),
    "MLP": lambda c: MLPRegressor(
        hidden_layer_sizes=(c.mlp_width,), alpha=c.mlp_decay, max_iter=c.mlp_epochs, random_state=c.seed
    ),
}


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
