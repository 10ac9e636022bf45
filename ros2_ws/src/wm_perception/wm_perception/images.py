"""sensor_msgs/Image -> arrays, for the encodings that common RGB-D drivers publish."""

from dataclasses import dataclass
from typing import Any

import numpy as np

# encoding -> (bytes per pixel, channel order that makes RGB)
_COLOUR: dict[str, tuple[int, tuple[int, int, int]]] = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
}
_DEPTH: dict[str, tuple[int, str]] = {"16UC1": (2, "u2"), "32FC1": (4, "f4")}


class ImageError(ValueError):
    """An image that cannot be used: says what was expected and what came."""


@dataclass(frozen=True)
class DepthImage:
    """Depth (H, W) float32 [m], 0 = no reading; `invalid`: how many pixels were NaN, infinite or negative."""

    depth: np.ndarray
    invalid: int


def colour_image(message: Any) -> np.ndarray:
    """RGB (H, W, 3) uint8 of an Image message in rgb8, bgr8, rgba8, bgra8 or mono8; raises ImageError."""
    if message.encoding not in _COLOUR:
        raise ImageError(f"expected a colour image in {', '.join(_COLOUR)}, got encoding '{message.encoding}'")
    size, order = _COLOUR[message.encoding]
    pixels = _rows(message, size).reshape(message.height, message.width, size)
    if order == (0, 1, 2) and size == 3:
        return pixels
    return np.ascontiguousarray(pixels[..., list(order)])


def depth_image(message: Any) -> DepthImage:
    """Depth of an Image message in 16UC1 (mm) or 32FC1 (m), as REP-118 says; raises ImageError."""
    if message.encoding not in _DEPTH:
        raise ImageError(f"expected a depth image in {', '.join(_DEPTH)}, got encoding '{message.encoding}'")
    size, kind = _DEPTH[message.encoding]
    order = ">" if message.is_bigendian else "<"
    values = np.ascontiguousarray(_rows(message, size)).view(order + kind).reshape(message.height, message.width)
    if kind == "u2":
        return DepthImage(values.astype(np.float32) / np.float32(1000), 0)
    depth = values.astype(np.float32)
    invalid = ~np.isfinite(depth) | (depth < 0)
    count = int(invalid.sum())
    if count:
        depth[invalid] = 0
    return DepthImage(depth, count)


def _rows(message: Any, pixel_bytes: int) -> np.ndarray:
    """The image's bytes (H, width * pixel_bytes) without row padding."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * pixel_bytes
    if height <= 0 or width <= 0:
        raise ImageError(f"expected an image with pixels, got {width} x {height}")
    if step < row:
        raise ImageError(
            f"expected a step of at least {row} bytes for {width} pixels of {message.encoding}, got {step}"
        )
    data = np.frombuffer(message.data, np.uint8)
    if data.size != step * height:
        raise ImageError(f"expected {step * height} bytes for {height} rows of {step}, got {data.size}")
    return data.reshape(height, step)[:, :row]
