"""Image messages: every supported encoding gives the same picture, everything else is refused with the reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sensor_msgs.msg import Image

from wm_perception.images import ImageError, colour_image, depth_image

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


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"encoding": "yuv422"}, "yuv422"),
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
