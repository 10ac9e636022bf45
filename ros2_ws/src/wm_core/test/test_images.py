"""Image messages: every supported encoding gives the same picture, everything else is refused with the reason."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sensor_msgs.msg import CompressedImage, Image

from wm_core.images import ImageError, colour_image, depth_image

pictures = arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)))


def message(pixels, encoding, padding=0, bigendian=0):
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.hstack([rows, np.full((height, padding), 7, np.uint8)])
    return Image(
        height=height, width=width, encoding=encoding, step=rows.shape[1], is_bigendian=bigendian, data=rows.tobytes()
    )


@given(pictures, st.integers(0, 5))
def test_all_colour_encodings_give_the_same_picture(rgb, padding):
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    for encoding, pixels in {
        "rgb8": rgb,
        "bgr8": rgb[..., ::-1],
        "rgba8": np.concatenate([rgb, alpha], 2),
        "bgra8": np.concatenate([rgb[..., ::-1], alpha], 2),
    }.items():
        np.testing.assert_array_equal(colour_image(message(pixels, encoding, padding)), rgb)


def test_grey_becomes_three_equal_channels():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(colour_image(message(grey, "mono8")), np.repeat(grey[..., None], 3, 2))


@given(arrays.arrays(np.uint16, st.tuples(st.integers(1, 6), st.integers(1, 6))), st.booleans(), st.integers(0, 3))
def test_millimetres_become_metres(depth, bigendian, padding):
    values = depth.astype(">u2" if bigendian else "<u2")
    found = depth_image(message(values, "16UC1", padding, int(bigendian)))
    np.testing.assert_allclose(found.depth, depth / 1000, atol=1e-6)


def test_missing_readings_in_metres_become_zero_and_are_counted():
    depth = np.array([[1.0, np.nan], [np.inf, -1.0]], "<f4")
    found = depth_image(message(depth, "32FC1"))
    np.testing.assert_array_equal(found.depth, [[1, 0], [0, 0]])
    assert found.invalid == 3


BAYER = {"bayer_rggb8": "RGGB", "bayer_bggr8": "BGGR", "bayer_gbrg8": "GBRG", "bayer_grbg8": "GRBG"}
colours = st.tuples(*[st.integers(0, 255)] * 3)


@given(colours, st.sampled_from(sorted(BAYER)), st.integers(0, 3))
def test_a_bayer_pattern_of_one_colour_becomes_that_colour(colour, encoding, padding):
    tile = np.array([colour["RGB".index(letter)] for letter in BAYER[encoding]], np.uint8).reshape(2, 2)
    found = colour_image(message(np.tile(tile, (4, 4)), encoding, padding))
    np.testing.assert_array_equal(found, np.broadcast_to(np.uint8(colour), (8, 8, 3)))


@given(
    st.tuples(st.integers(16, 235), st.integers(16, 240), st.integers(16, 240)),
    st.sampled_from(["yuv422", "uyvy", "yuv422_yuy2", "yuyv"]),
    st.integers(0, 3),
)
def test_yuv422_in_both_orders_becomes_the_colour(yuv, encoding, padding):
    y, u, v = yuv
    luma, blue, red = 1.164 * (y - 16), u - 128, v - 128  # ITU-R BT.601
    expected = [luma + 1.596 * red, luma - 0.813 * red - 0.391 * blue, luma + 2.018 * blue]
    pair = [u, y, v, y] if encoding in ("yuv422", "uyvy") else [y, u, y, v]
    found = colour_image(message(np.tile(np.uint8(pair).reshape(1, 2, 2), (3, 2, 1)), encoding, padding))
    np.testing.assert_allclose(found, np.broadcast_to(np.clip(expected, 0, 255), (3, 4, 3)), atol=2)


@given(pictures)
def test_png_keeps_the_picture(rgb):
    data = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
    for text in ("png", "rgb8; png compressed bgr8"):
        np.testing.assert_array_equal(colour_image(CompressedImage(format=text, data=data)), rgb)


def test_jpeg_comes_close_to_the_picture():
    rgb = np.broadcast_to(np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None] // [1, 2, 4], (64, 48, 3)).astype(
        np.uint8
    )
    data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    found = colour_image(CompressedImage(format="rgb8; jpeg compressed bgr8", data=data))
    assert np.abs(found.astype(int) - rgb).max() < 12


def compressed_depth(values, kind, a=0.0, b=0.0, suffix=" png"):
    data = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", values)[1].tobytes()
    return CompressedImage(format=f"{kind}; compressedDepth{suffix}", data=data)


@given(arrays.arrays(np.uint16, st.tuples(st.integers(1, 6), st.integers(1, 6))), st.sampled_from(["", " png"]))
def test_compressed_millimetres_become_metres(depth, suffix):
    expected = depth_image(message(depth, "16UC1")).depth
    np.testing.assert_array_equal(depth_image(compressed_depth(depth, "16UC1", suffix=suffix)).depth, expected)
    plain = CompressedImage(format="16UC1; png compressed", data=cv2.imencode(".png", depth)[1].tobytes())
    np.testing.assert_array_equal(depth_image(plain).depth, expected)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0.5, 8, width=32)))
def test_compressed_metres_come_back_as_fine_as_they_were_quantised(depth):
    a = 100.0 * 101.0  # compressed_depth_image_transport's default: depth_quantization 100, depth_max 10 m
    b = 1 - a / 10.0
    values = np.rint(a / depth + b).astype(np.uint16)
    values[0, 0] = 0  # no reading
    found = depth_image(compressed_depth(values, "32FC1", a, b))
    assert found.invalid == 1
    assert found.depth[0, 0] == 0
    np.testing.assert_allclose(found.depth.ravel()[1:], depth.ravel()[1:], atol=0.5 * 10 * 10 / a * 1.1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": "16UC1; compressedDepth rvl"}, "expected compressed depth in PNG"),
        ({"data": b"short"}, "a header of 12 bytes"),
        ({"data": bytes(40)}, "expected a JPEG or PNG"),
        ({"format": "jpeg", "data": cv2.imencode(".jpg", np.zeros((4, 4), np.uint8))[1].tobytes()}, "16 bits a pixel"),
    ],
)
def test_broken_compressed_depth_is_refused(change, expected):
    fields = {
        "format": "16UC1; compressedDepth png",
        "data": compressed_depth(np.ones((2, 2), np.uint16), "16UC1").data,
    }
    with pytest.raises(ImageError, match=expected):
        depth_image(CompressedImage(**(fields | change)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"encoding": "nv21"}, "nv21"),
        ({"step": 2}, "step of at least"),
        ({"data": b"123"}, "bytes"),
        ({"height": 0, "data": b""}, "with pixels"),
    ],
)
def test_broken_images_are_refused(change, expected):
    fields = {"height": 2, "width": 2, "encoding": "rgb8", "step": 6, "data": bytes(12)} | change
    with pytest.raises(ImageError, match=expected):
        colour_image(Image(**fields))


def test_colour_where_depth_is_expected_is_refused():
    with pytest.raises(ImageError, match="16UC1"):
        depth_image(Image(height=1, width=1, encoding="rgb8", step=3, data=bytes(3)))
