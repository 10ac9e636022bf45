"""What a camera_info means for an image of whatever size, and straight lines that come out straight."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from wm_core.camera_model import Lens, Undistortion, lens_of, rectified_topic, same_size
from wm_core.images import ImageError

K = np.array([[600.0, 0, 640.0], [0, 610.0, 355.0], [0, 0, 1]])
PLUMB_BOB = [-0.33, 0.12, 0.001, -0.0005, -0.02]  # as of a wide USB camera
RATIONAL = [0.4, -2.5, 0.0007, -0.0001, 1.5, 0.3, -2.3, 1.4]  # as of an Azure Kinect's colour camera
EQUIDISTANT = [0.05, -0.02, 0.004, -0.001]


def info(width=1280, height=720, d=(), model="plumb_bob", **fields):
    p = np.hstack([K, np.zeros((3, 1))])
    return CameraInfo(
        width=width, height=height, k=K.ravel(), p=p.ravel(), d=list(map(float, d)), distortion_model=model, **fields
    )


def pixel_of(matrix, point):
    u, v, w = matrix @ point
    return np.array([u / w, v / w])


@pytest.mark.parametrize(
    ("fields", "size", "expected"),
    [
        ({}, (1280, 720), (600, 610, 640, 355)),
        ({"binning_x": 2, "binning_y": 2}, (640, 360), (300, 305, 319.75, 177.25)),
        ({"binning_x": 4, "binning_y": 2}, (320, 360), (150, 305, 159.625, 177.25)),
        ({"roi": RegionOfInterest(x_offset=100, y_offset=60, width=800, height=600)}, (800, 600), (600, 610, 540, 295)),
        (
            {
                "roi": RegionOfInterest(x_offset=100, y_offset=60, width=800, height=600),
                "binning_x": 2,
                "binning_y": 2,
            },
            (400, 300),
            (300, 305, 269.75, 147.25),
        ),
        ({}, (640, 360), (300, 305, 319.75, 177.25)),  # decimated, and the camera_info left as it was
        ({}, (428, 240), (200, 610 / 3, 640.5 / 3 - 0.5, 355.5 / 3 - 0.5)),  # by 3, padded to a multiple of four
        ({}, (960, 540), (450, 457.5, 479.875, 266.125)),  # resized
        # stereo cameras name the rectified part of whole images
        ({"roi": RegionOfInterest(x_offset=5, y_offset=5, width=900, height=600)}, (1280, 720), (600, 610, 640, 355)),
    ],
)
def test_intrinsics_are_those_of_the_image(fields, size, expected):
    lens = lens_of(info(**fields), *size)
    np.testing.assert_allclose(lens.K[[0, 1, 0, 1], [0, 1, 2, 2]], expected, atol=1e-9)


def test_intrinsics_of_the_images_own_size_are_untouched():
    assert (lens_of(info(), 1280, 720).K == K).all()


@given(factor=st.integers(2, 5), x=st.floats(-0.5, 0.5), y=st.floats(-0.3, 0.3))
def test_what_is_seen_at_a_pixel_of_a_binned_image_was_seen_at_those_it_is_the_mean_of(factor, x, y):
    width, height = 1200 // factor * factor, 600 // factor * factor
    small = lens_of(info(width, height, binning_x=factor, binning_y=factor), width // factor, height // factor)
    whole = pixel_of(K, np.array([x, y, 1.0]))
    np.testing.assert_allclose(pixel_of(small.K, np.array([x, y, 1.0])), (whole + 0.5) / factor - 0.5, atol=1e-6)


@pytest.mark.parametrize("size", [(640, 480), (848, 480), (720, 1280), (1920, 1200)])
def test_a_size_that_nothing_explains_is_refused(size):
    with pytest.raises(ImageError, match=f"explains an image of {size[0]} x {size[1]}, got 1280 x 720.*colour camera"):
        lens_of(info(), *size)


@pytest.mark.parametrize(
    ("given_info", "expected"),
    [
        (info(model="inverse_brown", d=[0.1] * 5), "got 'inverse_brown' with 5 coefficients; use rectified images"),
        (info(d=[0.1] * 3), "plumb_bob.*with 3 coefficients"),
        (info(d=[np.nan] * 5), "finite distortion"),
        (CameraInfo(width=1280, height=720), "calibrated camera_info.*got K"),
        (CameraInfo(k=K.ravel()), "got 0 x 0"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(given_info, expected):
    with pytest.raises(ImageError, match=expected):
        lens_of(given_info, 1280, 720)


def test_rectified_images_have_the_intrinsics_of_p_and_no_distortion():
    lens = lens_of(info(d=PLUMB_BOB), 640, 360, rectified=True)
    assert lens.model == "" and lens.K[0, 0] == 300
    assert rectified_topic("/cam/color/image_rect_color") and rectified_topic("/zed/zed_node/rgb/rect/image")
    assert not rectified_topic("/cam/color/image_raw") and not rectified_topic("/direct/image")
    with pytest.raises(ImageError, match="got P"):
        lens_of(CameraInfo(width=8, height=8, k=K.ravel()), 8, 8, rectified=True)


@pytest.mark.parametrize(
    ("model", "D"), [("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL), ("equidistant", EQUIDISTANT)]
)
@pytest.mark.parametrize("binning", [1, 2])
def test_a_point_is_where_k_alone_says_after_undistortion(model, D, binning):
    """A dot drawn where the distorting lens shows a point; with the distortion left in it was up to 20 pixels off."""
    width, height = 640 // binning, 480 // binning
    matrix = np.array([[500.0, 0, 322], [0, 505, 238], [0, 0, 1]])
    message = CameraInfo(
        width=640, height=480, k=matrix.ravel(), d=D, distortion_model=model, binning_x=binning, binning_y=binning
    )
    lens = lens_of(message, width, height)
    worst = 0.0
    for x, y in [(-0.4, -0.3), (0.42, 0.25), (0.0, 0.0), (0.3, -0.35)]:
        point = np.array([[[x, y, 1.0]]])
        if model == "equidistant":
            shown = cv2.fisheye.projectPoints(point, np.zeros(3), np.zeros(3), lens.K, np.array(D))[0]
        else:
            shown = cv2.projectPoints(point, np.zeros(3), np.zeros(3), lens.K, np.array(D))[0]
        u, v = shown.ravel()
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        dot = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / 8)
        depth = np.where(dot > 0.3, 0.9, 0).astype(np.float32)
        without = Undistortion(lens)
        seen = without.rgb(np.repeat((255 * dot).astype(np.uint8)[..., None], 3, 2))[..., 0].astype(float)
        expected = pixel_of(lens.K, np.array([x, y, 1.0]))
        for weight, tolerance in ((seen, 0.15), (without.depth(depth).astype(float), 1.0)):
            centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
            np.testing.assert_allclose(centre, expected, atol=tolerance)
        assert set(np.unique(without.depth(depth))) <= {0.0, np.float32(0.9)}  # no surface is invented
        worst = max(worst, float(np.linalg.norm([u, v] - expected)))
    assert worst > 1.5  # this is what had been left in


@pytest.mark.parametrize(
    ("model", "D"),
    [("", ()), ("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL), ("equidistant", EQUIDISTANT)],
)
@given(x=st.floats(-0.4, 0.4), y=st.floats(-0.3, 0.3))
def test_the_ray_of_a_pixel_leads_to_the_point_that_is_seen_there(model, D, x, y):
    lens = Lens(K, 1280, 720, model, tuple(D))
    pixels = lens.project(np.array([[2 * x, 2 * y, 2.0], [0, 0, 1.0]]))
    np.testing.assert_allclose(lens.rays(pixels), [[x, y, 1.0], [0, 0, 1.0]], atol=2e-3)
    np.testing.assert_allclose(pixels[1], [640, 355], atol=1e-6)


def test_a_plumb_bob_of_eight_coefficients_is_read_as_opencv_reads_it():
    """As Orbbec's drivers publish it: k4 to k6 follow the five, and are 0 for most of their cameras."""
    points = np.array([[0.4, -0.3, 1.0], [0.2, 0.25, 0.8]])
    five, padded, eight = (lens_of(info(d=d), 1280, 720) for d in (PLUMB_BOB, [*PLUMB_BOB, 0, 0, 0], RATIONAL))
    np.testing.assert_array_equal(padded.project(points), five.project(points))
    rational = lens_of(info(d=RATIONAL, model="rational_polynomial"), 1280, 720)
    np.testing.assert_array_equal(eight.project(points), rational.project(points))
    with pytest.raises(ImageError, match="got 'equidistant' with 8 coefficients"):
        lens_of(info(d=RATIONAL, model="equidistant"), 1280, 720)


def test_a_fisheye_without_coefficients_is_no_pinhole():
    """Its radius grows with the angle, not with the tangent."""
    lens = lens_of(info(d=[0.0] * 4, model="equidistant"), 1280, 720)
    assert lens.model == "equidistant"
    np.testing.assert_allclose(lens.project(np.array([[1.0, 0, 1.0]])), [[640 + 600 * np.pi / 4, 355]])
    with pytest.raises(ImageError, match="got 'equidistant' with 0 coefficients"):
        lens_of(info(model="equidistant"), 1280, 720)


def test_an_ideal_lens_leaves_images_alone():
    lens = lens_of(info(d=[0.0] * 5), 1280, 720)
    image = np.zeros((720, 1280, 3), np.uint8)
    assert Undistortion(lens).rgb(image) is image
    assert Lens(K, 1280, 720, "plumb_bob", (0.1,) * 5).resized(320, 180).K[0, 0] == 150


def test_without_a_camera_info_the_rigs_intrinsics_are_scaled_to_the_image():
    np.testing.assert_allclose(same_size(K, (1280, 720), 320, 180)[0, 0], 150)
    with pytest.raises(ImageError, match="rig's 1280 x 720 or of the same shape, got 640 x 480 and no camera_info"):
        same_size(K, (1280, 720), 640, 480)
