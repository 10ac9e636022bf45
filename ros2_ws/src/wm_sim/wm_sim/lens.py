"""A lens with distortion in front of a renderer that has a pinhole: it renders a wider view, of which the lens bends a part."""

from dataclasses import replace

import cv2
import numpy as np

from wm_core.rig import Camera
from wm_sim.plates import rays

SPARE = 1  # [px] around what the lens needs: for interpolation


class BendingLens:
    """From a pinhole's images to those of the camera: `wide` is the camera to render with."""

    def __init__(self, camera: Camera, distortion: tuple[float, ...]) -> None:
        """Raises ValueError for a distortion that sees around a corner: its view has no end."""
        v, u = np.mgrid[0 : camera.height, 0 : camera.width]
        pixels = np.stack([u, v], -1).reshape(-1, 2).astype(float)
        seen = rays(camera.K, np.array(distortion), pixels)[:, :2]  # of the ideal image, in units of the focal length
        at = seen * camera.K[[0, 1], [0, 1]] + camera.K[[0, 1], [2, 2]]
        size = np.array([camera.width, camera.height])
        outside = np.maximum(-at.min(0), at.max(0) - (size - 1))
        if not np.isfinite(at).all() or (outside > size).any():
            raise ValueError(
                f"camera {camera.name}: expected a distortion whose view is less than three times the image, got"
                f" {list(distortion)} at the focal length of {camera.K[0, 0]:.0f} px; make it or the field of view smaller"
            )
        margin = np.maximum(0, np.ceil(outside)).astype(int) + SPARE  # on both sides: the axis stays in the middle
        K = camera.K.copy()
        K[:2, 2] += margin
        width, height = (int(each) for each in size + 2 * margin)
        self.wide = replace(camera, width=width, height=height, K=K)
        x, y = (at + margin).T.reshape(2, camera.height, camera.width).astype(np.float32)
        self._maps = x, y

    def bend(self, rgb: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (H, W) of the camera from those of `wide`: colour interpolated, depth of the nearest pixel."""
        return cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR), cv2.remap(depth, *self._maps, cv2.INTER_NEAREST)
