"""What `affect eval disvae` is made of: how well DisVAE's codes lie apart, fold by fold, and their report."""
