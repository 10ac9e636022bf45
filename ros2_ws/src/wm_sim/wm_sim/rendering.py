"""Colour and depth images of a PyBullet world with TinyRenderer."""

import numpy as np

from wm_core.rig import Camera
from wm_core.rotations import parts_of
from wm_description.physics import BulletClient, pybullet
from wm_sim.world import Light

SPECULAR = 0.02


class SimCamera:
    """One camera in front of a background that never changes.

    The background is what the world shows when the camera is made. It is drawn once and afterwards only seen behind
    what is nearer: filling the image with the table would cost as much as drawing the arm.
    """

    def __init__(self, client: BulletClient, camera: Camera, light: Light) -> None:
        self._client = client
        self._camera = camera
        self._view, self._projection = _view_matrix(camera), _projection_matrix(camera)
        self._light = {
            "lightDirection": light.direction,
            "lightAmbientCoeff": light.ambient,
            "lightDiffuseCoeff": light.diffuse,
            "lightSpecularCoeff": SPECULAR,
            "shadow": 0,
        }
        colour, buffer = self._draw()
        self._colour, self._buffer = colour.copy(), buffer.copy()
        self._depth = self._metres(self._buffer)

    def render(self) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 RGB and depth (H, W) float32 [m] along the optical axis, 0 beyond the far plane."""
        drawn, buffer = self._draw()
        front = buffer < self._buffer
        colour, depth = self._colour.copy(), self._depth.copy()
        colour[front] = drawn[front]
        depth[front] = self._metres(buffer[front])
        return colour, depth

    def _metres(self, buffer: np.ndarray) -> np.ndarray:
        """Depth float32 [m] of z-buffer values, in float64 until then: they are all close to 1."""
        near, far = self._camera.near, self._camera.far
        depth = far * near / (far - (far - near) * buffer.astype(np.float64))
        return np.where(buffer < 1.0, depth, 0.0).astype(np.float32)

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 and z-buffer (H, W) float32 in 0..1 of what is in the world now."""
        height, width = self._camera.height, self._camera.width
        _, _, rgba, buffer, _ = self._client.getCameraImage(
            width,
            height,
            self._view,
            self._projection,
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
            renderer=pybullet.ER_TINY_RENDERER,
            **self._light,
        )
        colour = np.asarray(rgba, np.uint8).reshape(height, width, 4)[..., :3]
        return colour, np.asarray(buffer, np.float32).reshape(height, width)


def _view_matrix(camera: Camera) -> list[float]:
    rotation, eye = parts_of(camera.T_table_optical)
    _, down, ahead = rotation.T  # axes of an optical frame
    return pybullet.computeViewMatrix(eye.tolist(), (eye + ahead).tolist(), (-down).tolist())


def _projection_matrix(camera: Camera) -> list[float]:
    """OpenGL projection, column by column, after the camera's K."""
    fov_y = 2 * np.degrees(np.arctan(camera.height / (2 * camera.K[1, 1])))
    aspect = camera.width / camera.height
    matrix = list(pybullet.computeProjectionMatrixFOV(float(fov_y), aspect, camera.near, camera.far))
    # TinyRenderer puts the optical axis at pixel (W/2, H/2 - 1); K has it in the middle, at (W/2 - 0.5, H/2 - 0.5).
    matrix[8] += 1 / camera.width
    matrix[9] += 1 / camera.height
    return matrix
