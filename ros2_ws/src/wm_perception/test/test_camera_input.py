"""Messages of drivers as they are: other sizes, distortion, depth of another camera, units of their own."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from wm_core.camera_model import rectified_of
from wm_core.images import ImageError
from wm_core.rig import Camera, looking_at
from wm_core.rotations import pose_of
from wm_core.specs import BevSpec
from wm_perception.bev import Projector
from wm_perception.camera_input import CameraInput

WIDTH, HEIGHT = 320, 240
K = np.array([[300.0, 0, 159.5], [0, 300, 119.5], [0, 0, 1]])
PLACE = np.array([0.5, 0.6, 0.7])
CAMERA = Camera("cam", WIDTH, HEIGHT, K, pose_of(looking_at(PLACE, np.array([0.5, 0.0, 0.0])), PLACE), 0.1, 3.0)
D = [-0.33, 0.12, 0.001, -0.0005, -0.02]  # as of a wide USB camera


def table_depth(lens=None):
    """Depth (H, W) [m] of the bare table, as a lens with distortion shows it."""
    pixels = np.mgrid[0:HEIGHT, 0:WIDTH][::-1].reshape(2, -1).T.astype(float)
    ideal = cv2.undistortPoints(pixels[:, None], K, np.array(lens or [0.0] * 5))[:, 0]
    rays = np.column_stack([ideal, np.ones(len(ideal))])
    return (PLACE[2] / -(rays @ CAMERA.T_table_optical[2, :3])).reshape(HEIGHT, WIDTH).astype(np.float32)


def depth_message(metres, unit=0.001, encoding="16UC1", frame="optical"):
    values = np.rint(metres / unit).astype("<u2") if encoding == "16UC1" else (metres / unit).astype("<f4")
    height, width = metres.shape
    step = values.dtype.itemsize * width
    return Image(
        header=Header(frame_id=frame), height=height, width=width, encoding=encoding, step=step, data=values.tobytes()
    )


def colour_message(frame="optical", width=WIDTH, height=HEIGHT):
    data = bytes(3 * width * height)
    return Image(header=Header(frame_id=frame), height=height, width=width, encoding="rgb8", step=3 * width, data=data)


def info_message(frame="optical", **fields):
    fields = {"width": WIDTH, "height": HEIGHT, "k": K.ravel(), "distortion_model": "plumb_bob", **fields}
    return CameraInfo(header=Header(frame_id=frame), **fields)


def frame_of(camera, depth, colour=None, info=None):
    if info is not None:
        camera.info(info)
    rgb = camera.colour(colour or colour_message())
    return camera.frame(rgb, camera.depth(depth).depth)


def table_heights(frame):
    """Heights [m] of what a frame of the bare table shows."""
    height, width = frame.depth.shape
    return Projector(frame.K, CAMERA.T_table_optical, height, width, BevSpec()).points(frame.depth)[0][:, 2]


@pytest.mark.parametrize("lens", [None, D])
def test_the_table_is_flat_through_any_lens(lens):
    """With the distortion left in, the table was up to 3 cm high at the image's corners."""
    frame = frame_of(CameraInput(CAMERA), depth_message(table_depth(lens)), info=info_message(d=lens or [0.0] * 5))
    assert np.abs(table_heights(frame)).max() < 0.006
    if lens:
        wrong = frame_of(CameraInput(CAMERA), depth_message(table_depth(lens)), info=info_message())
        assert np.abs(table_heights(wrong)).max() > 0.015


RAW, RECT = "/cam/color/image_raw", "/cam/depth_registered/image_rect"
P = np.hstack([K, np.zeros((3, 1))]).ravel()


@pytest.mark.parametrize(
    ("choice", "colour", "depth", "lens"),
    [
        ("auto", RAW, RECT, None),  # depth_image_proc's, beside the driver's colour
        ("auto", RAW, "/cam/aligned_depth_to_color/image_raw", D),
        ("auto", "/cam/color/image_rect_color", "/cam/aligned_depth_to_color/image_raw", D),
        ("auto", "/cam/color/image_rect_color", RECT, None),
        ("true", "/cam/left", "/cam/depth", None),  # whose camera_info has D nevertheless
        ("false", "/cam/rectangle", RECT, D),
    ],
)
def test_distortion_is_taken_out_once_of_those_images_that_have_it(choice, colour, depth, lens):
    """Undistorted once more, the rectified table was bent by up to 3 cm."""
    camera = CameraInput(CAMERA, rectified_of(choice, colour, depth))
    frame = frame_of(camera, depth_message(table_depth(lens)), info=info_message(d=D, p=P))
    assert np.abs(table_heights(frame)).max() < 0.006


def test_rectified_depth_beside_colour_of_another_view_is_refused_with_the_remedy():
    other = np.hstack([K + [[0, 0, 4.0], [0] * 3, [0] * 3], np.zeros((3, 1))]).ravel()
    camera = CameraInput(CAMERA, rectified_of("auto", RAW, RECT))
    with pytest.raises(ImageError, match="only depth is rectified, got 4.0 px; take rectified images of both"):
        frame_of(camera, depth_message(table_depth()), info=info_message(d=D, p=other))
    both = CameraInput(CAMERA, rectified_of("true", RAW, RECT))
    assert frame_of(both, depth_message(table_depth()), info=info_message(d=D, p=other)).K[0, 2] == K[0, 2] + 4


def test_a_camera_info_of_the_whole_sensor_serves_decimated_images():
    twice = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
    frame = frame_of(
        CameraInput(CAMERA), depth_message(table_depth()), info=info_message(width=640, height=480, k=twice.ravel())
    )
    np.testing.assert_allclose(frame.K, K, atol=1e-9)
    with pytest.raises(ImageError, match="explains an image of 320 x 240, got 640 x 360"):
        frame_of(CameraInput(CAMERA), depth_message(table_depth()), info=info_message(width=640, height=360))


def test_an_uncalibrated_camera_info_leaves_the_one_before_and_an_unknown_lens_is_refused():
    camera = CameraInput(CAMERA)
    camera.info(info_message(d=D))
    with pytest.raises(ImageError, match="calibrated camera_info"):
        camera.info(info_message(k=np.zeros(9)))
    assert frame_of(camera, depth_message(table_depth(D))).K[0, 0] == 300
    with pytest.raises(ImageError, match="got 'inverse_brown' with 5 coefficients; use rectified images"):
        frame_of(camera, depth_message(table_depth()), info=info_message(d=D, distortion_model="inverse_brown"))


def test_without_a_camera_info_the_rig_must_fit():
    other = replace(CAMERA, width=640, height=360)
    with pytest.raises(ImageError, match="rig's 640 x 360"):
        frame_of(CameraInput(other), depth_message(table_depth()))


def test_depth_of_another_camera_is_refused_with_the_remedy():
    depth = depth_message(table_depth(), frame="cam_depth_optical_frame")
    with pytest.raises(ImageError, match="depth in the colour image's frame 'optical'.*align_depth.enable:=true"):
        frame_of(CameraInput(CAMERA), depth)
    assert frame_of(CameraInput(CAMERA, aligned=True), depth).depth.shape == (HEIGHT, WIDTH)
    with pytest.raises(ImageError, match="camera_info in the colour image's frame.*got frame_id 'depth'"):
        frame_of(CameraInput(CAMERA), depth_message(table_depth()), info=info_message("depth"))


@pytest.mark.parametrize(
    ("encoding", "unit", "times", "remedy"),
    [
        ("16UC1", 0.0001, "10", "0.0001"),
        ("16UC1", 0.00025, "4", "0.00025"),
        ("16UC1", 0.01, "0.1", "0.01"),
        ("32FC1", 0.001, "1000", "0.001"),
    ],
)
def test_a_unit_that_cannot_be_is_noticed_and_mended_in_the_rig(encoding, unit, times, remedy):
    depth = depth_message(table_depth(), unit, encoding)
    camera = CameraInput(CAMERA)
    frame_of(camera, depth)
    assert (
        f"got {times} times as much" in camera.implausible and f"depth_unit: {remedy} for 'cam'" in camera.implausible
    )
    mended = CameraInput(replace(CAMERA, depth_unit=unit))
    frame = frame_of(mended, depth)
    assert mended.implausible == ""
    np.testing.assert_allclose(frame.depth, table_depth(), atol=0.006)


def test_a_hand_before_the_table_is_plausible_and_a_wall_before_the_camera_is_not():
    camera, depth = CameraInput(CAMERA), table_depth()
    depth[60:180, 80:240] *= 0.6
    frame_of(camera, depth_message(depth))
    assert camera.implausible == ""
    frame_of(camera, depth_message(np.full_like(depth, 0.15)))
    assert "check the camera's pose" in camera.implausible or "unit" in camera.implausible
    frame_of(camera, depth_message(np.zeros_like(depth)))  # sees nothing: that is another fault
    assert camera.implausible == ""
