"""How the tasks measure: chosen beforehand, the same for every model, never by the faces that are scored."""

from dataclasses import dataclass

from train.scoring.config import ScoringConfig

TITLES = {
    "reconstruction": "Reconstruction",
    "alignment": "Alignment",
    "emotion": "Emotion from the latents",
    "regression": "Valence from z_v, arousal from z_a",
    "inverse": "The inverse: valence from z_a, arousal from z_v",
    "tsne": "t-SNE of z_v and z_a",
    "circumplex": "Circumplex",
}
"""Of the tasks, in their order."""


@dataclass(frozen=True)
class TasksConfig(ScoringConfig):
    """Of the classifiers and regressors that read the latents, of the intervals and of the pictures."""

    tree_leaf: int = 20
    """Fewest training faces in a leaf of the decision tree."""
    svm_penalty: float = 1.0
    """C of the SVM and the SVR, both with a radial kernel of scikit-learn's width."""
    svr_tube: float = 0.05
    """Errors of valence or arousal up to this cost the SVR nothing."""
    mlp_width: int = 64
    """Of the only hidden layer."""
    mlp_decay: float = 1.0
    """alpha of the MLPs: the weight of the squared weights, divided by the number of faces."""
    mlp_epochs: int = 60
    """Most that an MLP learns."""
    ridge_penalty: float = 1.0
    lasso_penalty: float = 0.001
    """The default of scikit-learn, 1, makes a constant of labels in [-1, 1], as in the published tables."""
    map_faces: int = 150
    """Test faces of each emotion in the t-SNE map, at most."""
    perplexity: float = 30.0
    """Of t-SNE; less where there are fewer than three times as many faces."""
    shown: int = 12
    """Faces in the picture of reconstructions."""
