"""Images of a flat printed plate as a camera with lens distortion sees it, ray by ray.

TinyRenderer has a pinhole and no antialiasing. Here the rays of each pixel are traced to the plate, so that edges lie where they
belong to a hundredth of a pixel; nothing is shared with what solves for cameras.
"""

from dataclasses import dataclass

import numpy as np

_ITERATIONS = 8  # of the inverse of the distortion
_FISHEYE_ITERATIONS = 30
_WHITE_BORDER = 0.15  # of the plate's height, around the print


@dataclass(frozen=True)
class Look:
    """Of an image: `samples` rays across a pixel, each way; `blur` [px], `noise` (grey levels): standard deviations."""

    samples: int = 4
    blur: float = 0.5
    noise: float = 2.0
    black: float = 35.0
    white: float = 205.0
    background: float = 110.0


def rays(K: np.ndarray, D: np.ndarray, pixels: np.ndarray, fisheye: bool = False) -> np.ndarray:
    """Directions (n, 3), z = 1, of pixels (n, 2); `D` (5,): k1, k2, p1, p2, k3 (Brown 1966), of a `fisheye` (4,): k1 to k4 (Kannala and
    Brandt 2006). Inverted by fixed-point iteration.
    """
    seen = (pixels - K[[0, 1], [2, 2]]) / K[[0, 1], [0, 1]]
    if fisheye:
        angle = radius = np.maximum(np.hypot(*seen.T), 1e-12)
        for _ in range(_FISHEYE_ITERATIONS):
            angle = radius / _stretch(D, angle)
        return np.c_[seen * (np.tan(angle) / radius)[:, None], np.ones(len(seen))]
    k1, k2, p1, p2, k3 = D
    at = seen.copy()
    for _ in range(_ITERATIONS):
        x, y = at.T
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        tangential = np.stack([2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], 1)
        at = (seen - tangential) / radial[:, None]
    return np.c_[at, np.ones(len(at))]


def _stretch(D: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """By how much a fisheye's radius is larger than the angle [rad] from the axis."""
    return 1 + np.polynomial.polynomial.polyval(angle**2, [0.0, *D])


def image_of(
    pattern: np.ndarray,
    size: np.ndarray,
    pose: np.ndarray,
    K: np.ndarray,
    D: np.ndarray,
    shape: tuple[int, int],
    rng: np.random.Generator,
    look: Look | None = None,
    fisheye: bool = False,
) -> np.ndarray:
    """Colour image (H, W, 3) uint8 of `shape` (H, W) of a plate with a printed `pattern` (h, w) bool, True black, of `size` (2,) [m].

    `pose` (4, 4): of the plate in the optical frame, origin in the pattern's upper left corner, x right, y down; `K`, `D`, `fisheye`:
    of the lens, as in `rays`.
    """
    look = look or Look()
    v, u = np.mgrid[0 : shape[0], 0 : shape[1]].astype(float)
    grey = look.background + 25 * np.sin(u / 37.0) * np.cos(v / 53.0)  # no plain background
    border = _WHITE_BORDER * size[1]
    near = np.hypot(*_seen_near(size, border, pose, K, D if fisheye else None, u, v))
    window = np.flatnonzero(near.reshape(-1) <= 1)
    pixels = np.stack([u, v], -1).reshape(-1, 2)[window]
    drawn = np.zeros(len(window))
    offsets = (np.arange(look.samples) + 0.5) / look.samples - 0.5
    for shift in np.stack(np.meshgrid(offsets, offsets), -1).reshape(-1, 2):
        drawn += _values(
            pattern, size, border, pose, rays(K, D, pixels + shift, fisheye), look, grey.reshape(-1)[window]
        )
    grey.reshape(-1)[window] = drawn / look.samples**2
    grey = _blurred(grey, look.blur) + rng.normal(0.0, look.noise, shape)
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _seen_near(
    size: np.ndarray,
    border: float,
    pose: np.ndarray,
    K: np.ndarray,
    fisheye: np.ndarray | None,
    u: np.ndarray,
    v: np.ndarray,
) -> np.ndarray:
    """Distance (2, H, W) of pixels from the plate's middle, in units of a circle around all of it and what the lens may move it by."""
    ends = np.array([[x, y, 0] for x in (-border, size[0] + border) for y in (-border, size[1] + border)])
    points = ends @ pose[:3, :3].T + pose[:3, 3]
    plain = points[:, :2] / points[:, 2:]
    if fisheye is not None:
        radius = np.maximum(np.hypot(*plain.T), 1e-12)
        angle = np.arctan(radius)
        plain *= (angle * _stretch(fisheye, angle) / radius)[:, None]
    plain = plain * K[[0, 1], [0, 1]] + K[[0, 1], [2, 2]]
    middle = plain.mean(0)
    reach = 1.1 * np.linalg.norm(plain - middle, axis=1).max() + 0.05 * u.shape[1]
    return np.stack([u - middle[0], v - middle[1]]) / reach


def _values(
    pattern: np.ndarray,
    size: np.ndarray,
    border: float,
    pose: np.ndarray,
    directions: np.ndarray,
    look: Look,
    background: np.ndarray,
) -> np.ndarray:
    """Grey (n,) of what rays (n, 3) meet."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (pose[:3, 2] @ pose[:3, 3]) / (directions @ pose[:3, 2])
        places = (directions * distance[:, None] - pose[:3, 3]) @ pose[:3, :2]
    on_plate = (distance > 0) & ((places > -border) & (places < size + border)).all(1)
    cells = np.floor(np.where(on_plate[:, None], places, -1.0) / size * pattern.shape[::-1]).astype(int)
    printed = on_plate & ((cells >= 0) & (cells < pattern.shape[::-1])).all(1)
    values = np.where(on_plate, look.white, background)
    values[np.flatnonzero(printed)[pattern[cells[printed, 1], cells[printed, 0]]]] = look.black
    return values


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    if sigma <= 0:
        return image
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        image = sum(weight * np.take(padded, range(i, i + image.shape[axis]), axis) for i, weight in enumerate(kernel))
    return image
