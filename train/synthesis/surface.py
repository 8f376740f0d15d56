"""A smooth surface over a coarse one: one step of Catmull and Clark (1978) as a matrix, and its normals."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, vstack


@dataclass(frozen=True)
class Surface:
    """A mesh of V vertices and F quads, once refined: the first V of its W vertices are those of the coarse one."""

    matrix: csr_matrix
    """(W, V): what every fine vertex is a mean of."""
    faces: np.ndarray
    """(4 F, 4) int32."""
    parents: np.ndarray
    """(4 F,) int: the coarse face that each lies in."""
    around: csr_matrix
    """(W, 4 F): 1 where a vertex belongs to a face."""

    @classmethod
    def over(cls, faces: np.ndarray, count: int) -> "Surface":
        """Of quads (F, 4) over `count` vertices; those that no face has stay where they are."""
        edges, of_face = _edges(faces)
        matrix = _refined(faces, edges, of_face, count)
        middle = count + len(edges)
        fine = np.stack(
            [
                np.stack(
                    [faces[:, i], count + of_face[:, i], middle + np.arange(len(faces)), count + of_face[:, i - 1]], 1
                )
                for i in range(4)
            ],
            axis=1,
        )
        quads = fine.reshape(-1, 4).astype(np.int32)
        around = _incidence(quads, matrix.shape[0])
        return cls(matrix, quads, np.repeat(np.arange(len(faces)), 4), around)

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """(W, 3) float32 of coarse vertices (V, 3)."""
        return np.asarray(self.matrix @ vertices, np.float32)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(W, 3) float32 of length 1: the mean of the faces about each of points (W, 3), by their areas."""
        a, b, c, d = (points[self.faces[:, i]] for i in range(4))
        sums = self.around @ np.cross(c - a, d - b)
        return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges (E, 2), and the four (F, 4) of each face: number i goes from its vertex i to the next."""
    pairs = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    edges, number = np.unique(pairs, axis=0, return_inverse=True)
    return edges, number.reshape(-1, 4)


def _incidence(faces: np.ndarray, count: int) -> csr_matrix:
    """(count, F): 1 where a vertex belongs to a face."""
    rows, columns = faces.ravel(), np.repeat(np.arange(len(faces)), faces.shape[1])
    return coo_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(count, len(faces))).tocsr()


def _refined(faces: np.ndarray, edges: np.ndarray, of_face: np.ndarray, count: int) -> csr_matrix:
    """The rows of vertices, edges and faces, in this order."""
    face_points = _incidence(faces, count).T.tocsr() / 4
    ends = _incidence(edges, count)
    at_edge = _incidence(of_face, len(edges))
    border = np.asarray(at_edge.sum(axis=1)).ravel() == 1
    middles = ends.T.tocsr() / 2
    inner = (middles * 2 + at_edge @ face_points) / 4
    edge_points = diags((~border).astype(float)) @ inner + diags(border.astype(float)) @ middles
    moved = _moved(faces, ends, middles, face_points, border, count)
    return vstack([moved, edge_points, face_points]).tocsr().astype(np.float32)


def _moved(faces: np.ndarray, ends: csr_matrix, middles: csr_matrix, face_points: csr_matrix, border: np.ndarray,
           count: int) -> csr_matrix:  # fmt: skip
    """Where the coarse vertices go: (faces' mean + 2 edges' mean + (n - 3) own) / n, and on a border 1/8, 3/4, 1/8."""
    around = _incidence(faces, count)
    n = np.asarray(around.sum(axis=1)).ravel()
    rim = ends @ diags(border.astype(float))
    on_rim, free = np.asarray(rim.sum(axis=1)).ravel() > 0, n == 0
    safe = np.where(free, 1, n)
    inner = diags(1 / safe**2) @ (around @ face_points + 2 * ends @ middles) + diags((safe - 3) / safe)
    outer = diags(np.full(count, 0.5)) + rim @ middles / 4
    own = diags(free.astype(float))
    return diags((~on_rim & ~free).astype(float)) @ inner + diags((on_rim & ~free).astype(float)) @ outer + own
