"""From one set of camera images and joint angles to the encoder's embedding."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from wm_core.bundle import Bundle, BundleError
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.scene import ToolState
from wm_perception.bev import Projectors, fuse
from wm_perception.robot_mask import RobotMask

LARGEST_SIDE = 320  # [px] larger images are shrunk: the map's cells are coarser than their pixels anyway


@dataclass(frozen=True)
class CameraFrame:
    """Colour (H, W, 3) uint8 RGB, depth (H, W) float32 [m] aligned to it (0 or NaN = no reading), intrinsics (3, 3)."""

    rgb: np.ndarray
    depth: np.ndarray
    K: np.ndarray


@dataclass(frozen=True)
class ObservationData:
    """What was seen at one instant; metres, base frame."""

    embedding: np.ndarray  # (D,) float32
    object_xy: np.ndarray  # (2,)
    object_std: np.ndarray  # (2,)
    visibility: float
    observed_fraction: float
    tool: ToolState  # (6,) measured
    bev: np.ndarray  # (5, rows, columns) the fused map
    cameras: tuple[str, ...]
    encode_ms: float


class PerceptionPipeline:
    """Projects, masks, fuses and encodes. Works with any subset of the rig's cameras."""

    def __init__(self, bundle: Bundle, rig: CameraRig, kinematics: Kinematics) -> None:
        if bundle.observation.images or bundle.observation.vectors:
            raise BundleError(f"{bundle.path}: expected an encoder that wants the map alone, got {bundle.observation}")
        self._bundle = bundle
        self._kinematics = kinematics
        self._mask = RobotMask(kinematics)
        self._projectors = Projectors(rig, bundle.bev)

    def process(self, frames: Mapping[str, CameraFrame], q: np.ndarray) -> ObservationData:
        """Encode images of one instant, taken at arm joints `q` (7,) [rad].

        Raises ValueError without frames, for a camera that is not in the rig, or for images of different sizes.
        """
        began = time.perf_counter()
        if not frames:
            raise ValueError("expected at least one camera frame, got none")
        boxes = self._mask.boxes(q)
        maps = []
        for name, frame in frames.items():
            frame = shrink(frame)
            maps.append(self._projectors.of(name, frame.K, frame.depth.shape).project(frame.rgb, frame.depth, boxes))
        bev = fuse(maps)
        embedding = self._bundle.run("encode", bev=bev[None])["embedding"][0]
        tool = self._kinematics.tool(q)
        state, layout = self._bundle.state, self._bundle.embedding
        return ObservationData(
            embedding,
            state.object_position(embedding).astype(float),
            np.exp(0.5 * layout.of(embedding, "log_variance", state.position)).astype(float),
            float(1 / (1 + np.exp(-layout.of(embedding, "visibility")[0]))),
            float(bev[4].mean()),
            tool,
            bev,
            tuple(frames),
            1e3 * (time.perf_counter() - began),
        )


def shrink(frame: CameraFrame, largest: int = LARGEST_SIDE) -> CameraFrame:
    """The frame with its longer side at most `largest` pixels, intrinsics scaled with it."""
    height, width = frame.depth.shape
    if frame.rgb.shape[:2] != (height, width):
        raise ValueError(
            f"expected colour and depth of one size, got {frame.rgb.shape[:2]} and {frame.depth.shape}; use depth aligned to colour"
        )
    factor = largest / max(height, width)
    if factor >= 1:
        return frame
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    rgb = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
    # Averaging would invent surfaces between edges; INTER_NEAREST takes the pixel half a step towards the corner.
    depth = cv2.resize(frame.depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
    scale_x, scale_y = size[0] / width, size[1] / height
    K = np.array(frame.K, float)
    # Pixel centres sit at integers: shift by half a pixel around the scaling.
    K[0] = [K[0, 0] * scale_x, K[0, 1] * scale_x, (K[0, 2] + 0.5) * scale_x - 0.5]
    K[1] = [0, K[1, 1] * scale_y, (K[1, 2] + 0.5) * scale_y - 0.5]
    return CameraFrame(rgb, depth, K)
