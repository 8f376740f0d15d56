"""The expressions whose probabilities a model may give. Without torch, so that whoever writes columns may read it."""

EXPRESSIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""In the order of FER+'s votes; everywhere."""
