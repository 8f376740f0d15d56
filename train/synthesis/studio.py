"""One process's studio: the head, its smooth surface, a renderer, and the person who sits in it now."""

import numpy as np

from train.synthesis.figure import Anatomist, Attitude, Sitter
from train.synthesis.head import open_head
from train.synthesis.meshes import Portrait
from train.synthesis.persons import Person
from train.synthesis.renderer import Renderer
from train.synthesis.scene import Scene


class Studio:
    """Takes pictures of persons. UsageError where anny, pyvista or a way to draw is missing."""

    def __init__(self, size: int) -> None:
        self._shared = Anatomist(open_head())
        self.action_names = self._shared.head.action_names
        self._renderer = Renderer(size)
        self._sitter: Sitter | None = None

    def take(self, person: Person, scene: Scene, attitude: Attitude) -> Portrait:
        """One picture; several of a person in a row are cheaper, since the skin and the hair stay."""
        if self._sitter is None or self._sitter.person is not person:
            self._sitter = Sitter(person, self._shared)
        camera = scene.camera
        back = (camera.eye - camera.target) / np.linalg.norm(camera.eye - camera.target)
        figure = self._sitter.figure(attitude, scene.lamps[0].towards, back)
        image = self._renderer.draw(figure, scene)
        pixels = camera.project(figure.landmarks, self._renderer.size)[:, :2]
        return Portrait(image, figure.landmarks.astype(np.float32), pixels.astype(np.float32))
