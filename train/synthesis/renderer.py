"""Pictures of figures, by VTK without a window: the only module that knows pyvista."""

import cv2
import numpy as np
import pyvista
from pyvista.plotting.tools import supports_open_gl
from vtkmodules.vtkCommonCore import vtkLogger

from tracker.errors import UsageError
from train.synthesis.meshes import Figure, Mesh, Strands
from train.synthesis.scene import Scene

FINER = 2
"""The picture is drawn so many times larger, and averaged down."""
NEAREST_M, FARTHEST_M = 0.2, 4.0
HAIR_PX = 1.0
"""Width of a hair, of a picture of 256 pixels."""
NO_BACKEND = (
    "affect synth cannot draw: VTK found no OpenGL without a window; install Mesa's, as in"
    " apt-get install libegl1 libgl1 libgl1-mesa-dri (Debian, Ubuntu), or libosmesa6"
)


class Renderer:
    """Draws square pictures of one size. UsageError where nothing can draw."""

    def __init__(self, size: int) -> None:
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)  # it warns that there is no window
        if not supports_open_gl():
            raise UsageError(NO_BACKEND)
        self.size = size
        self._plotter = pyvista.Plotter(off_screen=True, window_size=[size * FINER] * 2, lighting=None)
        self._plotter.render_window.SetMultiSamples(0)
        self._pieces: dict[str, _Piece | _Hair] = {}

    def draw(self, figure: Figure, scene: Scene) -> np.ndarray:
        """(size, size, 3) uint8 sRGB."""
        plotter = self._plotter
        plotter.remove_all_lights()
        for lamp in scene.lamps:
            plotter.add_light(_light(lamp.towards, lamp.colour))
        for name in [name for name in self._pieces if name not in figure.meshes]:
            plotter.remove_actor(self._pieces.pop(name).actor, render=False)
        for name, mesh in figure.meshes.items():
            self._show(name, mesh, scene.ambient)
        self._aim(scene)
        plotter.render()
        drawn = plotter.screenshot(None, return_img=True, transparent_background=True)
        return _developed(np.asarray(drawn), scene, self.size)

    def close(self) -> None:
        """Free the context."""
        self._plotter.close()

    def _show(self, name: str, mesh: Mesh | Strands, ambient: float) -> None:
        """Add a mesh, or move the one that is there where nothing but its points and colours differ."""
        piece = self._pieces.get(name)
        if piece is None or not piece.moved(mesh, ambient):
            if piece is not None:
                self._plotter.remove_actor(piece.actor, render=False)
            self._pieces[name] = self._new(mesh, ambient)

    def _new(self, mesh: Mesh | Strands, ambient: float) -> "_Piece | _Hair":
        if isinstance(mesh, Strands):
            return _Hair(self._plotter, mesh, self.size)
        return _Piece(self._plotter, mesh, ambient)

    def _aim(self, scene: Scene) -> None:
        camera = self._plotter.camera  # VTK's own names: pyvista's look at the whole scene at each
        camera.SetPosition(*scene.camera.eye)
        camera.SetFocalPoint(*scene.camera.target)
        camera.SetViewUp(0, 0, 1)
        camera.SetViewAngle(scene.camera.degrees)
        camera.SetClippingRange(NEAREST_M, FARTHEST_M)


class _Piece:
    """A mesh in the plotter."""

    def __init__(self, plotter: pyvista.Plotter, mesh: Mesh, ambient: float) -> None:
        self._faces, self._textured = mesh.faces, mesh.texture is not None
        self._used, own = np.unique(mesh.faces, return_inverse=True)
        faces = own.reshape(-1, 4)
        self._data = pyvista.PolyData(mesh.points[self._used], np.column_stack([np.full(len(faces), 4), faces]).ravel())
        self._set(mesh)
        look = {"scalars": "colour", "rgb": True}
        if mesh.texture is not None and mesh.coordinates is not None:
            self._data.active_texture_coordinates = mesh.coordinates[self._used]
            look = {"texture": pyvista.Texture(mesh.texture)}
        strength, sharpness = mesh.gloss
        self.actor = plotter.add_mesh(
            self._data, diffuse=1.0, specular=strength, specular_power=sharpness, smooth_shading=True,
            opacity=mesh.opacity, reset_camera=False, render=False, **look)  # fmt: skip
        self.actor.prop.ambient = ambient

    def moved(self, mesh: Mesh | Strands, ambient: float) -> bool:
        """Whether it could be made into another mesh."""
        if not isinstance(mesh, Mesh) or mesh.faces is not self._faces or (mesh.texture is not None) != self._textured:
            return False
        self._data.points = mesh.points[self._used]
        self._set(mesh)
        if mesh.texture is not None:
            self.actor.texture = pyvista.Texture(mesh.texture)
        self.actor.prop.ambient = ambient
        return True

    def _set(self, mesh: Mesh) -> None:
        self._data.GetPointData().SetNormals(pyvista.convert_array(mesh.normals[self._used]))
        if mesh.colours is not None:
            self._data.point_data["colour"] = mesh.colours[self._used]


class _Hair:
    """Strands in the plotter, as lines."""

    def __init__(self, plotter: pyvista.Plotter, hair: Strands, size: int) -> None:
        count, steps = self._shape = hair.points.shape[:2]
        rows = np.column_stack([np.full(count, steps), np.arange(count * steps).reshape(count, steps)])
        self._data = pyvista.PolyData(hair.points.reshape(-1, 3), lines=rows.ravel())
        self._data.point_data["colour"] = hair.colours.reshape(-1, 3)
        width = max(1.0, HAIR_PX * size * FINER / 256)
        self.actor = plotter.add_mesh(
            self._data, scalars="colour", rgb=True, lighting=False, line_width=width,
            reset_camera=False, render=False)  # fmt: skip

    def moved(self, hair: Mesh | Strands, ambient: float) -> bool:
        """Whether it could be made into other strands."""
        if not isinstance(hair, Strands) or hair.points.shape[:2] != self._shape:
            return False
        self._data.points = hair.points.reshape(-1, 3)
        self._data.point_data["colour"] = hair.colours.reshape(-1, 3)
        return True


def _light(towards: np.ndarray, colour: np.ndarray) -> pyvista.Light:
    strength = float(colour.max())
    return pyvista.Light(position=towards, focal_point=(0, 0, 0), color=tuple((colour / strength).clip(0, 1)),
                         intensity=strength, light_type="scene light", positional=False)  # fmt: skip


def _developed(drawn: np.ndarray, scene: Scene, size: int) -> np.ndarray:
    """The drawn picture (n, n, 4) over the background, averaged down, as the camera exposes it."""
    share = drawn[..., 3:].astype(np.float32) / 255
    behind = cv2.resize(scene.background, drawn.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    whole = share * drawn[..., :3] + (1 - share) * behind
    small = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)
    gain, gamma = scene.exposure
    return np.rint(255 * (gain * small / 255).clip(0, 1) ** gamma).astype(np.uint8)
