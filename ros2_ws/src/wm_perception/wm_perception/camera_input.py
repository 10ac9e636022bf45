"""One camera's messages -> frames that are described by K alone, or the reason why they cannot be."""

from typing import Any

import numpy as np

from wm_core.camera_model import NEITHER, Lens, Lenses, Rectified, Undistortion, lenses_of, matrix_of, same_size
from wm_core.images import DepthImage, ImageError, colour_image, depth_image, in_metres
from wm_core.rig import Camera
from wm_perception.pipeline import CameraFrame, shrink

GRID = 16  # pixels along each side at which depth is compared with the table's
ENOUGH = 20  # of them with a reading
PLAUSIBLE = (1 / 3, 3.0)  # depth, as a multiple of the table's: objects on it are nearer, the floor is farther away
UNITS = (1e-3, 0.1, 0.125, 0.25, 0.5, 2.0, 10.0, 1e3)  # errors of a unit that drivers make
ALIGN = (
    "turn alignment on in its driver (realsense2_camera: align_depth.enable:=true; orbbec_camera: depth_registration:=true;"
    " azure kinect: depth in rgb_camera_link) and take that depth topic"
)


class CameraInput:
    """What one camera of the rig sends."""

    def __init__(self, camera: Camera, rectified: Rectified = NEITHER, aligned: bool = False) -> None:
        """`rectified`: which of its images are; `aligned`: depth is aligned to colour, whatever its frame_id says."""
        self._camera = camera
        self._rectified = rectified
        self._aligned = aligned
        self._info: Any = None
        self._frame_ids: dict[str, str] = {}
        self._unit = camera.depth_unit or 0.001  # [m] of the last depth image
        self.implausible = ""  # why the last depth cannot be right

    @property
    def informed(self) -> bool:
        """Whether a camera_info was taken."""
        return self._info is not None

    def info(self, message: Any) -> None:
        """Take a camera_info; raises ImageError, and keeps the one before, when it is not calibrated."""
        for rectified in (self._rectified.colour, self._rectified.depth):
            matrix_of(message, rectified)
        self._info = message
        self._frame_ids["camera_info"] = message.header.frame_id

    def colour(self, message: Any) -> np.ndarray:
        """RGB (H, W, 3) uint8 of an Image; raises ImageError."""
        self._frame_ids["colour"] = message.header.frame_id
        return colour_image(message)

    def depth(self, message: Any) -> DepthImage:
        """Depth [m] of an Image, in the rig's depth_unit where it has one; raises ImageError."""
        self._frame_ids["depth"] = message.header.frame_id
        if self._camera.depth_unit is None:
            self._unit = 1.0 if in_metres(message) else 0.001
        return depth_image(message, self._camera.depth_unit)

    def depth_alone(self, message: Any) -> CameraFrame:
        """A frame of a depth Image without its colour, which is black; raises ImageError."""
        depth = self.depth(message).depth
        return self.frame(np.zeros((*depth.shape, 3), np.uint8), depth)

    def frame(self, rgb: np.ndarray, depth: np.ndarray) -> CameraFrame:
        """Images of one instant, small and without distortion; raises ImageError when colour, depth and intrinsics do not fit."""
        self._check_aligned()
        lenses = self._lenses(rgb.shape[1], rgb.shape[0])
        frame = shrink(CameraFrame(rgb, depth, lenses.depth.K))
        if lenses.colour.model or lenses.depth.model:
            frame = self._undistorted(frame, lenses)
        self.implausible = self._unlike_the_table(frame)
        return frame

    # -- inside --------------------------------------------------------------------------------------------------

    def _check_aligned(self) -> None:
        # Depth alone is held against camera_info, which is the colour camera's too.
        colour = self._frame_ids.get("colour") or self._frame_ids.get("camera_info", "")
        for kind, remedy in (("depth", ALIGN), ("camera_info", "take the camera_info of the colour camera")):
            other = self._frame_ids.get(kind, "")
            if colour and other and other != colour and not (kind == "depth" and self._aligned):
                raise ImageError(
                    f"expected {kind} in the colour image's frame '{colour}', got frame_id '{other}'; {remedy}"
                    + (
                        "; or set aligned_depth (--aligned-depth), if it is aligned nevertheless"
                        if kind == "depth"
                        else ""
                    )
                )

    def _lenses(self, width: int, height: int) -> Lenses:
        if self._info is None:
            camera = self._camera
            lens = Lens(same_size(camera.K, (camera.width, camera.height), width, height), width, height)
            return Lenses(lens, lens)
        return lenses_of(self._info, width, height, self._rectified)

    @staticmethod
    def _undistorted(frame: CameraFrame, lenses: Lenses) -> CameraFrame:
        """After shrinking: that is a tenth of the work."""
        rows, columns = frame.depth.shape
        colour, depth = (lens.resized(columns, rows) for lens in (lenses.colour, lenses.depth))
        return CameraFrame(Undistortion(colour).rgb(frame.rgb), Undistortion(depth).depth(frame.depth), depth.K)

    def _unlike_the_table(self, frame: CameraFrame) -> str:
        """Why depth cannot be right: it is far from what the table's would be, by the rig's pose; empty when it can."""
        ratio = table_ratio(frame, self._camera.T_table_optical)
        if ratio is None or PLAUSIBLE[0] < ratio < PLAUSIBLE[1]:
            return ""
        factor = min(UNITS, key=lambda each: abs(np.log(each * ratio)))
        remedy = "check the camera's pose in the rig"
        if PLAUSIBLE[0] < factor * ratio < PLAUSIBLE[1]:
            remedy = f"is its unit another? write depth_unit: {factor * self._unit:.4g} for '{self._camera.name}' into the rig"
        return f"expected depth of the table as the rig has it, got {_rounded(ratio)} times as much; {remedy}"


def table_ratio(frame: CameraFrame, T_table_optical: np.ndarray) -> float | None:
    """Median of measured depth over that of the plane z = 0, on a grid of pixels; None where too few look at it."""
    height, width = frame.depth.shape
    v, u = (each.ravel() for each in np.mgrid[0 : height : GRID * 1j, 0 : width : GRID * 1j].astype(int))
    v, u = np.minimum(v, height - 1), np.minimum(u, width - 1)
    K, pose = frame.K, T_table_optical
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(len(u))])
    down, measured = -(pose[2, :3] @ rays), frame.depth[v, u]
    used = (down > 0.1) & (measured > 0) & np.isfinite(measured) & (pose[2, 3] > 0)
    if used.sum() < ENOUGH:
        return None
    return float(np.median(measured[used] * down[used] / pose[2, 3]))


def _rounded(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
