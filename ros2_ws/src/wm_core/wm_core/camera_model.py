"""sensor_msgs/CameraInfo -> the lens of the images that come with it: where points appear, and distortion taken out of them.

A camera_info describes the sensor at full size; images may be binned, decimated, or a region of interest of it. What sizes do not
explain is refused: intrinsics of another resolution would put everything in the wrong place, in silence.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import cv2
import numpy as np

from wm_core.images import ImageError

# distortion_model -> numbers of coefficients that it may have (sensor_msgs/distortion_models.hpp; OpenCV's longer forms of it).
# Orbbec's drivers publish k1 k2 p1 p2 k3 k4 k5 k6 as plumb_bob: OpenCV takes the model by their number, and so do we.
MODELS = {"plumb_bob": (4, 5, 8), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
EQUIDISTANT = "equidistant"  # a fisheye (Kannala and Brandt 2006): without coefficients it is no pinhole either
SAME_PX = 1.0  # within which K and P show the same
CHOICES = ("auto", "true", "false")  # whether images are rectified; auto: by the names of their topics
PADDING = 3  # [px] librealsense's decimation filter pads to a multiple of four


@dataclass(frozen=True)
class Window:
    """Which part of the sensor an image shows: offset (x, y) [px of the sensor] and image pixels per sensor pixel (x, y)."""

    offset: tuple[float, float]
    scale: tuple[float, float]

    def K(self, K: np.ndarray) -> np.ndarray:
        """Intrinsics (3, 3) of the image, from those of the sensor; pixel centres sit at integers."""
        found = np.array(K, float)
        for axis, (offset, scale) in enumerate(zip(self.offset, self.scale, strict=True)):
            found[axis, 2] -= offset
            if scale != 1:
                found[axis, :2] *= scale
                found[axis, 2] = (found[axis, 2] + 0.5) * scale - 0.5
        return found


@dataclass(frozen=True)
class Lens:
    """Of images of `width` x `height`: `K` (3, 3) [px], and how it distorts: the `model`'s name and its coefficients `D`, none of an
    ideal one. Optical frame: z forward, x right, y down; pixel centres at integers.
    """

    K: np.ndarray
    width: int
    height: int
    model: str = ""
    D: tuple[float, ...] = ()

    @property
    def fisheye(self) -> bool:
        return self.model == EQUIDISTANT

    def resized(self, width: int, height: int) -> "Lens":
        """Of the same images in another size; distortion is in units of the focal length and stays."""
        scale = Window((0, 0), (width / self.width, height / self.height))
        return replace(self, K=scale.K(self.K), width=width, height=height)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, 2) of points (n, 3) [m] before the camera, in the optical frame."""
        still, points = np.zeros(3), np.ascontiguousarray(points, float).reshape(-1, 1, 3)
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        return project(points, still, still, self.K, np.array(self.D))[0].reshape(-1, 2)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Directions (n, 3), z = 1, of pixels (n, 2), in the optical frame."""
        pixels = np.ascontiguousarray(pixels, float).reshape(-1, 1, 2)
        undistort = cv2.fisheye.undistortPoints if self.fisheye else cv2.undistortPoints
        plain = undistort(pixels, self.K, np.array(self.D)).reshape(-1, 2)
        return np.c_[plain, np.ones(len(plain))]


def rectified_topic(topic: str) -> bool:
    """Whether a topic's name says that its images are rectified (image_rect, rect/image): P describes them, without distortion."""
    return re.search(r"(^|[/_])rect", topic) is not None


@dataclass(frozen=True)
class Rectified:
    """Which images of a camera are rectified: P of its camera_info describes them, without distortion."""

    colour: bool = False
    depth: bool = False


NEITHER = Rectified()


def rectified_of(choice: str, colour_topic: str, depth_topic: str) -> Rectified:
    """Which images are rectified, by one of CHOICES: colour and depth each by the name of its topic, or both, or neither."""
    if choice == "auto":
        return Rectified(rectified_topic(colour_topic), rectified_topic(depth_topic))
    return Rectified(choice == "true", choice == "true")


@dataclass(frozen=True)
class Lenses:
    """Of the colour images of a camera and of the depth that is aligned to them. Without its distortion each is the other's."""

    colour: Lens
    depth: Lens


def lenses_of(info: Any, width: int, height: int, rectified: Rectified) -> Lenses:
    """The lenses of images of `width` x `height` that come with a CameraInfo.

    Raises ImageError as `lens_of`, and where one of colour and depth is rectified and the other would be another view.
    """
    lenses = Lenses(*(lens_of(info, width, height, each) for each in (rectified.colour, rectified.depth)))
    if (off := _apart(lenses)) > SAME_PX:
        raise ImageError(
            f"expected K and P of camera_info within {SAME_PX:g} px, because only {'colour' if rectified.colour else 'depth'} is"
            f" rectified, got {off:.1f} px; take rectified images of both (image_rect), or of neither; or set rectified to 'true' or"
            " 'false', if both are, or are not, whatever their topics are called"
        )
    return lenses


def _apart(lenses: Lenses) -> float:
    """[px] by which the corners of the image are elsewhere in the other one, without distortion."""
    right, bottom = lenses.colour.width - 1, lenses.colour.height - 1
    corners = np.array([[0, 0, 1], [right, 0, 1], [0, bottom, 1], [right, bottom, 1]], float).T
    seen = lenses.depth.K @ np.linalg.inv(lenses.colour.K) @ corners
    return float(np.linalg.norm((seen / seen[2] - corners)[:2], axis=0).max())


def lens_of(info: Any, width: int, height: int, rectified: bool = False) -> Lens:
    """The lens of images of `width` x `height` that come with a CameraInfo; `rectified`: these are image_rect, without distortion.

    Raises ImageError for intrinsics that are not calibrated, a size that binning, region of interest or decimation do not explain,
    and an unknown distortion.
    """
    whole = sensor_lens(info, rectified)
    return replace(whole, K=_window(info, width, height).K(whole.K), width=width, height=height)


def sensor_lens(info: Any, rectified: bool = False) -> Lens:
    """The lens of images of the whole sensor, as `lens_of`."""
    size = int(info.width), int(info.height)
    if rectified:
        return Lens(matrix_of(info, rectified), *size)
    return checked_lens(matrix_of(info), *size, info.distortion_model, info.d)


def checked_lens(K: np.ndarray, width: int, height: int, model: str, D: Sequence[float]) -> Lens:
    """A lens of a model that is known; raises ImageError naming another one."""
    D = tuple(map(float, D))
    if not any(D) and model != EQUIDISTANT:  # NaN counts as something
        return Lens(K, width, height)
    if not np.isfinite(D).all():
        raise ImageError(
            f"expected finite distortion coefficients in camera_info, got D = {list(D)}; calibrate the camera"
        )
    if len(D) not in MODELS.get(model, ()):
        models = ", ".join(f"{name} ({' or '.join(map(str, counts))})" for name, counts in MODELS.items())
        raise ImageError(
            f"expected the distortion model {models} in camera_info, got '{model}' with {len(D)} coefficients;"
            " use rectified images (image_rect), or calibrate with one of these"
        )
    return Lens(K, width, height, model, D)


def same_size(K: np.ndarray, size: tuple[int, int], width: int, height: int) -> np.ndarray:
    """Intrinsics of an image of `width` x `height` from those of the same view in another `size` (width, height), as a rig file
    has them; raises ImageError for another shape."""
    window = _resized(0, 0, *size, width, height)
    if window is None:
        raise ImageError(
            f"expected images of the rig's {size[0]} x {size[1]} or of the same shape, got {width} x {height} and no"
            " camera_info; publish it, or write the images' size into the rig"
        )
    return window.K(K)


class Undistortion:
    """Takes the distortion of a lens out of its images: afterwards K alone describes them."""

    def __init__(self, lens: Lens) -> None:
        self._maps = _maps(tuple(lens.K.ravel()), lens.model, lens.D, lens.width, lens.height) if lens.model else None

    def rgb(self, image: np.ndarray) -> np.ndarray:
        """Colour (H, W, 3) uint8, interpolated; black where the camera saw nothing."""
        return image if self._maps is None else cv2.remap(image, *self._maps, cv2.INTER_LINEAR)

    def depth(self, image: np.ndarray) -> np.ndarray:
        """Depth (H, W) float32 [m], of the nearest pixel (means would invent surfaces); 0 where the camera saw nothing."""
        return image if self._maps is None else cv2.remap(image, *self._maps, cv2.INTER_NEAREST)


@lru_cache(maxsize=8)
def _maps(
    K: tuple[float, ...], model: str, D: tuple[float, ...], width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel (H, W) of the ideal image is in the distorted one."""
    make = cv2.fisheye.initUndistortRectifyMap if model == EQUIDISTANT else cv2.initUndistortRectifyMap
    matrix = np.array(K).reshape(3, 3)
    x, y = make(matrix, np.array(D), np.eye(3), matrix, (width, height), cv2.CV_32FC1)
    return x, y


def matrix_of(info: Any, rectified: bool = False) -> np.ndarray:
    """K (3, 3) of the sensor, or of P for rectified images; raises ImageError when it is not calibrated."""
    raw = np.asarray(info.k, float).reshape(3, 3)
    name, K = ("P", np.asarray(info.p, float).reshape(3, 4)[:, :3]) if rectified else ("K", raw)
    if not _calibrated(K):
        remedy = (
            "publish P with the rectified images, or set rectified to 'false'"
            if _calibrated(raw)
            else "calibrate the camera"
        )
        raise ImageError(
            f"expected a calibrated camera_info, finite numbers and focal lengths above 0, got {name} = {K.tolist()}; {remedy}"
        )
    return K


def _calibrated(K: np.ndarray) -> bool:
    return bool(np.isfinite(K).all() and K[0, 0] > 0 and K[1, 1] > 0)


def _window(info: Any, width: int, height: int) -> Window:
    """What binning, region of interest and decimation make of the sensor, where the image's size agrees with it."""
    roi, binning = info.roi, (max(1, int(info.binning_x)), max(1, int(info.binning_y)))
    whole = (0, 0, int(info.width), int(info.height))
    part = (int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height))
    # Rectification has a region of its own, in whole images: where the part does not fit, the whole may.
    parts = [part, whole] if roi.width and roi.height else [whole]
    rules: Sequence[Callable[..., Window | None]] = (
        partial(_binned, binning),
        _decimated,
        _resized,
    )
    for rule in rules:
        for each in parts:
            window = rule(*each, width, height)
            if window is not None:
                return window
    regions = f" region {part[2]} x {part[3]} at ({part[0]}, {part[1]})," if len(parts) > 1 else ""
    raise ImageError(
        f"expected a camera_info that explains an image of {width} x {height}, got {info.width} x {info.height},{regions} binning"
        f" {binning[0]} x {binning[1]}; take the camera_info of the colour camera, in the resolution that it streams"
    )


def _binned(binning: tuple[int, int], x: int, y: int, w: int, h: int, width: int, height: int) -> Window | None:
    bin_x, bin_y = binning
    fits = width in (w // bin_x, -(-w // bin_x)) and height in (h // bin_y, -(-h // bin_y))
    return Window((x, y), (1 / bin_x, 1 / bin_y)) if fits else None


def _decimated(x: int, y: int, w: int, h: int, width: int, height: int) -> Window | None:
    factor = round(w / width)
    fits = factor > 1 and all(n // factor <= m <= -(-n // factor) + PADDING for n, m in ((w, width), (h, height)))
    return Window((x, y), (1 / factor, 1 / factor)) if fits else None


def _resized(x: int, y: int, w: int, h: int, width: int, height: int) -> Window | None:
    fits = w > 0 and h > 0 and abs(h * width / w - height) <= 1
    return Window((x, y), (width / w, height / h)) if fits else None
