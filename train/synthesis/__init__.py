"""What `affect synth` is made of."""
