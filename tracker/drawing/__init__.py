"""What is drawn: overlays, plots, and the picture of the live window. Drawing only: no inference, no files."""
