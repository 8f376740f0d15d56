"""How the tasks measure DisVAEs."""

from dataclasses import dataclass

from train.scoring.config import ScoringConfig


@dataclass(frozen=True)
class TasksConfig(ScoringConfig):
    """Of the probes that read the codes, of what is drawn to be measured, and of the pictures."""

    faces: int = 2000
    probe_penalty: float = 1.0
    """C of the logistic regression."""
    probe_steps: int = 1000
    """Most that its optimiser takes."""
    partners: int = 4
    """Faces of others that wear the expression of each test face."""
    persons: int = 5
    """Rows of the picture of edited faces."""
