"""DisVAE: identity and expression apart, in two stages or at once."""
