"""The classifiers and regressors of scikit-learn that tell how much a latent says."""

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.linear_model import Lasso, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
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
