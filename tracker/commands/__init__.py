"""The commands of `affect`, one file each; tracker.cli imports the one that is called."""
