"""sensor_msgs/Image and CompressedImage -> arrays, for the encodings that common RGB-D drivers publish."""

import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

# encoding -> (bytes per pixel, channel order that makes RGB)
_COLOUR: dict[str, tuple[int, tuple[int, int, int]]] = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
}
# encoding -> (bytes per pixel, conversion of OpenCV); OpenCV names a Bayer pattern by its second row, from the second column on
_CONVERTED: dict[str, tuple[int, int]] = {
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUYV),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUYV),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
}
COLOUR_ENCODINGS = (*_COLOUR, *_CONVERTED)
_DEPTH: dict[str, tuple[int, str]] = {"16UC1": (2, "u2"), "32FC1": (4, "f4")}


class ImageError(ValueError):
    """An image that cannot be used: says what was expected and what came."""


@dataclass(frozen=True)
class DepthImage:
    """Depth (H, W) float32 [m], 0 = no reading; `invalid`: how many pixels were NaN, infinite or negative."""

    depth: np.ndarray
    invalid: int


def colour_image(message: Any) -> np.ndarray:
    """RGB (H, W, 3) uint8 of an Image in one of COLOUR_ENCODINGS, or of a CompressedImage (JPEG, PNG); raises ImageError."""
    if hasattr(message, "format"):
        return _decoded(message, message.data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if message.encoding in _CONVERTED:
        return _converted(message)
    if message.encoding not in _COLOUR:
        raise ImageError(f"expected a colour image in {', '.join(COLOUR_ENCODINGS)}, got encoding '{message.encoding}'")
    size, order = _COLOUR[message.encoding]
    pixels = _rows(message, size).reshape(message.height, message.width, size)
    if order == (0, 1, 2) and size == 3:
        return pixels
    return np.ascontiguousarray(pixels[..., list(order)])


def in_metres(message: Any) -> bool:
    """Whether REP-118 has this depth in metres (32FC1), and not in whole millimetres."""
    return "32FC1" in (message.format if hasattr(message, "format") else message.encoding)


def depth_image(message: Any, unit: float | None = None) -> DepthImage:
    """Depth of an Image in 16UC1 (mm) or 32FC1 (m), as REP-118 says, or of a CompressedImage: 16-bit PNG (mm), or what
    compressed_depth_image_transport makes of either; raises ImageError. `unit` [m]: of a driver that has another."""
    found = _by_rep_118(message)
    if unit is None:
        return found
    return DepthImage(found.depth * np.float32(unit / (1.0 if in_metres(message) else 0.001)), found.invalid)


def _by_rep_118(message: Any) -> DepthImage:
    if hasattr(message, "format"):
        return _compressed_depth(message)
    if message.encoding not in _DEPTH:
        raise ImageError(f"expected a depth image in {', '.join(_DEPTH)}, got encoding '{message.encoding}'")
    size, kind = _DEPTH[message.encoding]
    order = ">" if message.is_bigendian else "<"
    values = np.ascontiguousarray(_rows(message, size)).view(order + kind).reshape(message.height, message.width)
    return _millimetres(values) if kind == "u2" else _metres(values.astype(np.float32))


def _millimetres(values: np.ndarray) -> DepthImage:
    return DepthImage(values.astype(np.float32) / np.float32(1000), 0)


def _metres(depth: np.ndarray) -> DepthImage:
    """What is no reading becomes 0, in place."""
    invalid = ~np.isfinite(depth) | (depth < 0)
    count = int(invalid.sum())
    if count:
        depth[invalid] = 0
    return DepthImage(depth, count)


def _converted(message: Any) -> np.ndarray:
    size, conversion = _CONVERTED[message.encoding]
    rows = np.ascontiguousarray(_rows(message, size))
    if message.width % 2 or (size == 1 and message.height % 2):
        raise ImageError(
            f"expected an even number of pixels in {message.encoding}, got {message.width} x {message.height}"
        )
    pixels = rows.reshape(message.height, message.width, size) if size > 1 else rows
    return cv2.cvtColor(pixels, conversion)


def _decoded(message: Any, data: Any, flags: int) -> np.ndarray:
    """The picture in a JPEG or PNG."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(f"expected a JPEG or PNG, got {len(data)} other bytes of format '{message.format}'")
    return pixels


# Of compressed_depth_image_transport: a format, and A and B of the quantised inverse depth: depth = A / (value - B).
_CONFIG = struct.Struct("<iff")


def _compressed_depth(message: Any) -> DepthImage:
    """Format "16UC1; compressedDepth png" and the like; source: compressed_depth_image_transport's codec.cpp."""
    kind, _, transport = (part.strip() for part in message.format.partition(";"))
    data = bytes(memoryview(message.data))
    if "rvl" in transport.lower():
        raise ImageError(f"expected compressed depth in PNG, got format '{message.format}'; record it as png")
    a = b = 0.0
    if "compressedDepth" in message.format:
        if len(data) <= _CONFIG.size:
            raise ImageError(f"expected a header of {_CONFIG.size} bytes and a PNG, got {len(data)} bytes")
        _, a, b = _CONFIG.unpack_from(data)
        data = data[_CONFIG.size :]
    values = _decoded(message, data, cv2.IMREAD_UNCHANGED)
    if values.dtype != np.uint16 or values.ndim != 2:
        raise ImageError(
            f"expected depth of 16 bits a pixel, got {values.dtype} {values.shape} of format '{message.format}'; JPEG cannot"
            " hold depth"
        )
    if kind != "32FC1":
        return _millimetres(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(values, np.float32(a) / (values.astype(np.float32) - np.float32(b)), np.float32(np.nan))
    return _metres(depth.astype(np.float32))


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
