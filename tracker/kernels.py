"""The compiled kernels: the only module that imports numba. Each has a numpy twin in the tests."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

NOTHING = 1e-13
"""Of the largest number's size: a rest that does not matter beside it."""
TIE = 1e-6
"""Seconds: times that differ by less count as the same, whatever rounding does to them."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code, kept on disk between runs; kept in memory alone where no folder can be written."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


@compiled
def nearest_rows(times: np.ndarray, newest: int, count: int, period: float, length: int) -> np.ndarray:
    """Which row of a ring stands in each of the last `length` slots: (length,) int64, oldest first; -1 where none does.

    times (capacity,) float64, rising, is the ring, written up to and with index `newest`; the last `count` are of use.
    Slot k before the last takes the row nearest to k periods before the newest, of two as near the newer; none stands
    more than half a period before the first row.
    """
    capacity = times.shape[0]
    picks = np.full(length, -1, np.int64)
    age = 0
    for k in range(length):
        time = times[newest] - k * period
        while age + 1 < count:
            older, younger = times[(newest - age - 1) % capacity], times[(newest - age) % capacity]
            if abs(older - time) >= abs(younger - time) - TIE:
                break
            age += 1
        if time >= times[(newest - count + 1) % capacity] - 0.5 * period - TIE:
            picks[length - 1 - k] = (newest - age) % capacity
    return picks


@compiled
def lstm_step(gates: np.ndarray, state: np.ndarray) -> None:
    """One step of an LSTM, from its gates (4H,) in torch's order: input, forget, new, output. Both are float32.

    The state (2H,), [h; c], is changed in place.
    """
    size = gates.shape[0] // 4
    for k in range(size):
        taken, kept = 1.0 / (1.0 + math.exp(-gates[k])), 1.0 / (1.0 + math.exp(-gates[size + k]))
        cell = kept * state[size + k] + taken * math.tanh(gates[2 * size + k])
        state[size + k] = cell
        state[k] = math.tanh(cell) / (1.0 + math.exp(-gates[3 * size + k]))


@compiled
def attend(scores: np.ndarray, valid: np.ndarray, weights: np.ndarray, count: int) -> None:
    """The softmax of the valid ones of the first `count` scores (n,) into weights (n,), 0 for the others; float32."""
    highest, total = -np.inf, 0.0
    for j in range(count):
        if valid[j]:
            highest = max(highest, scores[j])
    for j in range(count):
        weights[j] = math.exp(scores[j] - highest) if valid[j] else 0.0
        total += weights[j]
    for j in range(count):
        weights[j] /= max(total, 1e-30)


@compiled
def add_rows(weights: np.ndarray, rows: np.ndarray, count: int, total: np.ndarray) -> None:
    """Add the first `count` of rows (k, m), each times its weight (k,), to total (m,): float32, in place."""
    for k in range(count):
        for m in range(total.shape[0]):
            total[m] += weights[k] * rows[k, m]


@compiled
def affine(vectors: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The first k of each of vectors (B, k or more) times weights (k, m), plus the bias (m,): (B, m) float32."""
    answer = np.empty((vectors.shape[0], weights.shape[1]), np.float32)
    for b in range(vectors.shape[0]):
        answer[b] = bias
        add_rows(vectors[b], weights, weights.shape[0], answer[b])
    return answer


@compiled
def read_window(rows: np.ndarray, valid: np.ndarray, mixing: np.ndarray, score: np.ndarray) -> tuple:
    """The LSTM's state (2H,), [h; c], after a window, and the attention (n,) of its newest row: as nets' Recurrence.

    rows (n, 4H): what each frame adds to the gates; valid (n,) bool: a row that is not leaves the state as it is.
    mixing (H or 3H, 4H): what h, and with attention the context, add to the gates. score (0 or 2H,): of a past state.
    All are float32.
    """
    length, size = rows.shape[0], rows.shape[1] // 4
    scores, weights = np.zeros(length, np.float32), np.zeros(length, np.float32)
    states, state = np.zeros((length, 2 * size), np.float32), np.zeros(2 * size, np.float32)
    for t in range(length):
        gates, context = rows[t].copy(), np.zeros(2 * size, np.float32)
        if score.shape[0]:
            attend(scores, valid, weights, t)
            add_rows(weights, states, t, context)
            add_rows(context, mixing[size:], 2 * size, gates)
        add_rows(state, mixing, size, gates)
        if valid[t]:
            lstm_step(gates, state)
        for k in range(2 * size):
            states[t, k] = state[k]
        for k in range(score.shape[0]):
            scores[t] += score[k] * state[k]
    return state, weights


@compiled
def read_windows(
    rows: np.ndarray, valid: np.ndarray, mixing: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """read_window of rows (B, n, 4H) and valid (B, n): states (B, 2H) and attention (B, n)."""
    batch, length, width = rows.shape
    states, attention = np.empty((batch, width // 2), np.float32), np.empty((batch, length), np.float32)
    for b in range(batch):
        states[b], attention[b] = read_window(rows[b], valid[b], mixing, score)
    return states, attention


@compiled
def mean_distance(a: np.ndarray, b: np.ndarray, step: int, x: float, y: float) -> float:
    """Mean distance in the plane between every `step`-th point of a (L, 2 or 3), moved by x and y, and that of b."""
    total, count = 0.0, 0
    for k in range(0, a.shape[0], step):
        total += math.hypot(a[k, 0] + x - b[k, 0], a[k, 1] + y - b[k, 1])
        count += 1
    return total / count


@compiled
def add(total: np.ndarray, row: np.ndarray) -> None:
    """Add a row (m,) to total (m,), in place."""
    for k in range(total.shape[0]):
        total[k] += row[k]


@compiled
def block_means(image: np.ndarray, left: int, top: int, factor: int, small: np.ndarray) -> None:
    """Fill small (h, w, C) uint8 with the means of the blocks of image (H, W, C) uint8 that begin at left and top.

    A block is factor by factor pixels. As cv2's INTER_AREA, which takes twice as long; halves are rounded up.
    """
    rows, columns, channels = small.shape
    lines, start, width = image.reshape(image.shape[0], -1), left * channels, columns * factor * channels
    down, across = np.zeros(width + factor * channels, np.uint32), np.zeros(width, np.uint32)
    blocks, share = across.reshape(columns, factor * channels), np.float32(1.0 / factor**2)
    for y in range(rows):
        down[:], across[:] = 0, 0
        for k in range(factor):
            add(down[:width], lines[top + y * factor + k, start : start + width])
        for k in range(factor):
            add(across, down[k * channels : k * channels + width])
        for x in range(columns):
            for c in range(channels):
                small[y, x, c] = np.uint8(np.float32(blocks[x, c]) * share + np.float32(0.5))


@compiled
def elu(values: np.ndarray) -> None:
    """The exponential linear unit of each of values (B, m), in place (Clevert et al. 2016)."""
    for b in range(values.shape[0]):
        for m in range(values.shape[1]):
            if values[b, m] < 0.0:
                values[b, m] = math.expm1(values[b, m])


@compiled
def perceptron(values: np.ndarray, layers: tuple) -> np.ndarray:
    """The answer (B, m) of layers, each of weights (k, m) and a bias (m,), to values (B, k), with ELU between them.

    All are float32.
    """
    weights, bias = layers[0]
    answer = affine(values, weights, bias)
    for k in range(1, len(layers)):
        elu(answer)
        weights, bias = layers[k]
        answer = affine(answer, weights, bias)
    return answer


@compiled
def leading_vector(matrix: np.ndarray) -> np.ndarray:
    """(n,): the eigenvector with the largest eigenvalue of a symmetric matrix (n, n) float64, by Jacobi's rotations."""
    size, nothing = matrix.shape[0], NOTHING * np.abs(matrix).max()
    rest, vectors = matrix.copy(), np.eye(size)
    turning = True
    while turning:
        turning = False
        for p in range(size - 1):
            for q in range(p + 1, size):
                if abs(rest[p, q]) > nothing:
                    angle = 0.5 * math.atan2(2.0 * rest[p, q], rest[q, q] - rest[p, p])
                    cos, sin = math.cos(angle), math.sin(angle)
                    turn(rest, p, q, cos, sin)
                    turn(rest.T, p, q, cos, sin)
                    turn(vectors, p, q, cos, sin)
                    turning = True
    return vectors[:, np.argmax(np.diag(rest))].copy()


@compiled
def turn(matrix: np.ndarray, p: int, q: int, cos: float, sin: float) -> None:
    """Turn the columns p and q of matrix (n, n) by the angle with this cosine and sine, in place."""
    for k in range(matrix.shape[0]):
        a, b = matrix[k, p], matrix[k, q]
        matrix[k, p], matrix[k, q] = cos * a - sin * b, sin * a + cos * b


@compiled
def rotation_of(quaternion: np.ndarray) -> np.ndarray:
    """(3, 3): what a unit quaternion (4,), the real part first, does to points as columns."""
    w, x, y, z = quaternion
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )


@compiled
def nearest_rotation(s: np.ndarray) -> np.ndarray:
    """(3, 3): what turns points a, as columns, nearest to points b, of whose products a b^T s (3, 3) is the sum.

    Never a reflection (Horn, JOSA A 1987, section 4).
    """
    quaternion = leading_vector(
        np.array(
            [
                [s[0, 0] + s[1, 1] + s[2, 2], s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]],
                [s[1, 2] - s[2, 1], s[0, 0] - s[1, 1] - s[2, 2], s[0, 1] + s[1, 0], s[2, 0] + s[0, 2]],
                [s[2, 0] - s[0, 2], s[0, 1] + s[1, 0], s[1, 1] - s[0, 0] - s[2, 2], s[1, 2] + s[2, 1]],
                [s[0, 1] - s[1, 0], s[2, 0] + s[0, 2], s[1, 2] + s[2, 1], s[2, 2] - s[0, 0] - s[1, 1]],
            ]
        )
    )
    return rotation_of(quaternion)


@compiled
def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m, n) float64: of the columns of a (k, m) with those of b (k, n); numpy's would wake a second thread."""
    answer = np.zeros((a.shape[1], b.shape[1]))
    for k in range(a.shape[0]):
        for m in range(a.shape[1]):
            for n in range(b.shape[1]):
                answer[m, n] += a[k, m] * b[k, n]
    return answer


@compiled
def straightened(faces: np.ndarray, picks: np.ndarray, aim: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Of faces (B, L, 3) the points picks (P,) int64, each face turned nearest to aim (P, 3): (B, P, 3) float32.

    Between the eyes is 0, the eyes are 1 apart. eyes (P, 2): what makes the right and the left one of the points. NaN
    where both are at one place.
    """
    answer = np.empty((faces.shape[0], picks.shape[0], 3), np.float32)
    for b in range(faces.shape[0]):
        points = faces[b][picks]
        rotation, ends = nearest_rotation(products(points, aim)), products(eyes, points)
        middle, across = 0.5 * (ends[0] + ends[1]), ends[1] - ends[0]
        apart = math.sqrt(across[0] ** 2 + across[1] ** 2 + across[2] ** 2)
        scale = 1.0 / apart if apart > 0.0 else np.nan
        for k in range(points.shape[0]):
            for n in range(3):
                total = 0.0
                for m in range(3):
                    total += rotation[n, m] * (points[k, m] - middle[m])
                answer[b, k, n] = total * scale
    return answer
