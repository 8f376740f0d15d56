"""The picture of a run's attention, as a sink: gathers the weights of each face in bounded memory."""

import numpy as np

from tracker.sinks.plot import PlotSink
from tracker.types import AffectSample


class AttentionSink(PlotSink):
    """Draws where the attention looked, at the end; when aborted, of what there was until then."""

    places = 2000

    _length: int | None = None
    """n: frames in the window."""

    def curves(self) -> dict[int, np.ndarray]:
        """The longest faces' points by id, (T, 5 + 2 n) each, with a row of NaN wherever the face was away.

        Time, valence, arousal, smoothed valence, smoothed arousal; the weights of the window, oldest first; their ages
        in seconds. A weight and its age are NaN where the window had no frame.
        """
        return {track_id: _over_valid(points) for track_id, points in super().curves().items()}

    def _values(self, sample: AffectSample) -> np.ndarray:
        if sample.attention is None or sample.attention_age is None:
            return np.empty(0)
        self._length = len(sample.attention)
        valid = np.isfinite(sample.attention_age)
        ages = np.where(valid, sample.attention_age, 0.0)
        return np.concatenate([super()._values(sample)[:4], sample.attention, ages, valid])

    def _subject(self) -> str:
        model = f"attention of model {self._context.model or 'not named'}"
        if self._length is None:
            return model
        rate_hz = self._context.window_rate_hz
        if rate_hz is None:
            return f"{model} over a window of the last {self._length} frames"
        back_ms = 1000 * (self._length - 1) / rate_hz
        return f"{model} over a window of {self._length} frames at {rate_hz:g} Hz ({back_ms:.0f} ms)"


def _over_valid(points: np.ndarray) -> np.ndarray:
    """Means over all samples (T, 5 + 3 n) to means over those whose window had the frame (T, 5 + 2 n)."""
    traces, (weights, ages, valid) = points[:, :5], np.split(points[:, 5:], 3, axis=1)
    with np.errstate(invalid="ignore"):
        return np.hstack([traces, weights / valid, ages / valid])
