"""What `affect eval sequences` and `affect eval --table` are made of."""
