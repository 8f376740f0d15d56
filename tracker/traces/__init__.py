"""What is derived from a trace: made from its files alone, and made again from them with the same result."""
