"""A stand-in for the studio of affect synth: it draws what it is told as numbers, without anny and pyvista."""

import errno
from functools import cached_property

import numpy as np

from train.synthesis.figure import Attitude
from train.synthesis.meshes import Portrait
from train.synthesis.persons import Person
from train.synthesis.scene import Scene

ACTIONS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""ARKit's 52 names, in anny's order."""


class NumberStudio:
    """Pictures whose pixels are the person's skin and the facial actions; a full disk after `room` of them."""

    action_names = ACTIONS

    def __init__(self, room: int = 10**9) -> None:
        self.room = room

    @cached_property
    def size(self) -> int:
        """Pixels of a side."""
        return 64

    def take(self, person: Person, scene: Scene, attitude: Attitude) -> Portrait:
        """One picture; OSError where there is no more room."""
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        image = np.empty((self.size, self.size, 3), np.uint8)
        image[:] = scene.background.mean(axis=(0, 1))
        image[:52, :52] = np.rint(255 * attitude.actions)[:, None, None].astype(np.uint8)
        image[52:] = np.rint(person.skin)
        points = np.tile(np.float32(attitude.turn), (83, 1))
        return Portrait(image, points, points[:, :2])


def open_number_studio() -> NumberStudio:
    """As a worker process opens it."""
    return NumberStudio()
