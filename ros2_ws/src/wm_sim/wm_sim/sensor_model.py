"""What a real RGB-D camera does to ideal images: noise and holes in depth, auto-exposure, calibration error. On arrays, seeded.

What is drawn depends on seed, camera, episode and time since its start alone: the same instant looks the same again, and two processes that
render it agree. Noise of depth: axial, its standard deviation grows with the square of the distance, as that of stereo and structured light
(Nguyen, Izadi and Lovell 2012; Khoshelham and Elberink 2012).
"""

from zlib import crc32

import cv2
import numpy as np

from wm_core.rig import Camera
from wm_core.rotations import pose_of
from wm_core.sensor_spec import SensorSpec

MAX_GAIN = 4.0  # of auto-exposure, up and down
_POSE, _IMAGE, _DELAY = range(3)  # streams of random numbers


def generator(spec: SensorSpec, camera: str, *keys: int) -> np.random.Generator:
    """Random numbers of one camera for one purpose."""
    return np.random.default_rng([spec.seed, crc32(camera.encode()), *keys])


def true_pose(camera: Camera, spec: SensorSpec) -> np.ndarray:
    """Pose (4, 4) where the camera really stands: off the rig's by the calibration error, the same in every episode."""
    if not (spec.position_error or spec.rotation_error_deg):
        return camera.T_table_optical
    rng = generator(spec, camera.name, _POSE)
    shift, axis = (each / np.linalg.norm(each) for each in rng.normal(size=(2, 3)))
    rotation = cv2.Rodrigues(axis * np.radians(spec.rotation_error_deg))[0]
    error = pose_of(rotation, spec.position_error * shift)
    return camera.T_table_optical @ error


class SensorModel:
    """The faults of one camera's images."""

    def __init__(self, camera: Camera, spec: SensorSpec) -> None:
        self._name, self._spec, self._far = camera.name, spec, camera.far
        self._focal = float(camera.K[0, 0]), float(camera.K[1, 1])
        v, u = np.mgrid[0 : camera.height, 0 : camera.width]
        self._u, self._v = (u - camera.K[0, 2]).astype(np.float32), (v - camera.K[1, 2]).astype(np.float32)
        self._squares = (self._u / self._focal[0]) ** 2 + (self._v / self._focal[1]) ** 2 + 1  # of the rays with z = 1
        self.reset(0)

    def reset(self, seed: int) -> None:
        """A new episode: auto-exposure has settled on its first image."""
        self._episode = seed
        self._gain: float | None = None
        self._time_ns = 0

    def apply(self, rgb: np.ndarray, depth: np.ndarray, time_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 and depth (H, W) float32 [m] as measured `time_ns` after the start of the episode."""
        measured = self._noisy(depth, time_ns)
        measured[self._holes(rgb, depth)] = 0.0
        return self._exposed(rgb, time_ns), measured

    def _noisy(self, depth: np.ndarray, time_ns: int) -> np.ndarray:
        if not self._spec.depth_noise:
            return depth.copy()
        drawn = generator(self._spec, self._name, _IMAGE, self._episode, time_ns).standard_normal(
            depth.shape, dtype=np.float32
        )
        return np.clip(depth + np.float32(self._spec.depth_noise) * depth**2 * drawn, 0.0, self._far)

    def _holes(self, rgb: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Where (H, W) nothing is measured."""
        spec = self._spec
        holes = depth <= 0
        if spec.edge_holes:
            solid = np.where(holes, np.float32(self._far), depth)
            around = np.ones((2 * spec.edge_holes + 1,) * 2, np.uint8)
            holes |= cv2.dilate(solid, around) - cv2.erode(solid, around) > spec.edge_step
        if spec.grazing_deg < 90:
            holes |= self._facing(depth) < np.cos(np.radians(spec.grazing_deg))
        if spec.dark:
            holes |= rgb[..., 0].astype(np.uint16) + rgb[..., 1] + rgb[..., 2] < 3 * spec.dark
        return holes

    def _facing(self, depth: np.ndarray) -> np.ndarray:
        """Cosine (H, W) between the line of sight and the surface's normal.

        Of points z (x, y, 1) the normal is (-fx z_u, -fy z_v, z + u z_u + v z_v), whose product with (x, y, 1) is z.
        """
        z_u, z_v = (_slope(depth, axis) for axis in (1, 0))
        squares = (
            (self._focal[0] * z_u) ** 2 + (self._focal[1] * z_v) ** 2 + (depth + self._u * z_u + self._v * z_v) ** 2
        )
        return depth / np.sqrt(np.maximum(squares * self._squares, 1e-12))

    def _exposed(self, rgb: np.ndarray, time_ns: int) -> np.ndarray:
        """Brightness follows its target with a gain that a first-order lag follows; at the same time again it stays."""
        if not self._spec.exposure_target:
            return rgb
        wanted = float(np.clip(255 * self._spec.exposure_target / max(float(rgb.mean()), 1.0), 1 / MAX_GAIN, MAX_GAIN))
        if self._gain is None:
            self._gain = wanted
        else:
            passed = max(0, time_ns - self._time_ns) / 1e9
            self._gain += (wanted - self._gain) * (1 - np.exp(-passed / self._spec.exposure_time))
        self._time_ns = time_ns
        return cv2.convertScaleAbs(rgb, alpha=float(self._gain))


class Delays:
    """How long after their exposure the messages of one camera are there, drawn one by one."""

    def __init__(self, camera: str, spec: SensorSpec) -> None:
        self._spec = spec
        self._rng = generator(spec, camera, _DELAY)

    def draw(self) -> tuple[int, int]:
        """Of the colour image and of the depth image [ns]."""
        spec = self._spec
        latency = spec.latency + spec.jitter * self._rng.standard_normal()
        return round(1e9 * max(0.0, latency)), round(1e9 * max(0.0, latency + spec.depth_latency))


def _slope(depth: np.ndarray, axis: int) -> np.ndarray:
    """Differences (H, W) to the next pixel along an axis; at the end, to the one before."""
    slope = np.empty_like(depth)
    ahead, there = (depth, slope) if axis else (depth.T, slope.T)
    np.subtract(ahead[:, 1:], ahead[:, :-1], out=there[:, :-1])
    there[:, -1] = there[:, -2]
    return slope
