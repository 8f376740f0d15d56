"""LeVAsa's training: its configuration, the labels that classes become, and the run."""
