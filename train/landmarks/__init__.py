"""The landmark VAE's training: sets of shapes, triplets, losses, the run."""
