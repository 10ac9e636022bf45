"""A bag's images become those of the rig's cameras: binned, undistorted, with depth aligned and in metres."""

from dataclasses import replace

import numpy as np
import pytest
import steps_of_bag

from wm_bags.steps.profile import Profile
from wm_core.camera_model import Lens, Undistortion

DEPTH, INFO, steps_of = steps_of_bag.DEPTH, steps_of_bag.INFO, steps_of_bag.steps_of

DISTORTION = [-0.33, 0.12, 0.001, -0.0005, -0.02]


def frames_by(robot, profile, tmp_path, change):
    steps, check = steps_of(robot.record(tmp_path / "bag", 1.0, change=change), profile, robot)
    return [step.frames["cam"] for _, step in steps], check


def of_info(topic_change):
    def change(topic, i, message):
        if topic == INFO:
            topic_change(message)
        return message

    return change


def test_a_camera_info_of_the_whole_sensor_serves_the_binned_images(robot, profile, tmp_path):
    """It was refused for its size."""

    def sensor(info):
        info.width, info.height, info.binning_x, info.binning_y = 128, 96, 2, 2
        info.k = np.array([[120.0, 0, 63.5], [0, 120, 47.5], [0, 0, 1]]).ravel()

    frames, _ = frames_by(robot, profile, tmp_path, of_info(sensor))
    np.testing.assert_allclose(frames[0].K, [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])


def test_a_camera_info_of_another_resolution_is_refused(robot, profile, tmp_path):
    def other(info):
        info.width, info.height = 128, 72

    frames, check = frames_by(robot, profile, tmp_path, of_info(other))
    assert not frames and "explains an image of 64 x 48, got 128 x 72" in check.why_nothing()


def test_lens_distortion_is_taken_out_of_colour_and_depth(robot, profile, tmp_path):
    def distorted(info):
        info.d = np.array(DISTORTION)

    plain, _ = frames_by(robot, profile, tmp_path / "plain", lambda topic, i, message: message)
    frames, _ = frames_by(robot, profile, tmp_path / "lens", of_info(distorted))
    expected = Undistortion(Lens(plain[0].K, 64, 48, "plumb_bob", tuple(DISTORTION)))
    np.testing.assert_array_equal(frames[0].rgb, expected.rgb(plain[0].rgb))
    np.testing.assert_array_equal(frames[0].depth, expected.depth(plain[0].depth))
    assert (frames[0].rgb != plain[0].rgb).any()


def test_images_that_are_rectified_keep_what_they_show_although_camera_info_has_the_distortion(
    robot, profile, tmp_path
):
    def of_whole_camera(info):
        info.d = np.array(DISTORTION)
        info.p = np.hstack([np.array(info.k).reshape(3, 3), np.zeros((3, 1))]).ravel()

    plain, _ = frames_by(robot, profile, tmp_path / "plain", lambda topic, i, message: message)
    profile = replace(profile, rectified="true")
    frames, _ = frames_by(robot, profile, tmp_path / "rectified", of_info(of_whole_camera))
    np.testing.assert_array_equal(frames[0].rgb, plain[0].rgb)
    np.testing.assert_array_equal(frames[0].depth, plain[0].depth)


@pytest.mark.parametrize("said", ["true", "'true'", "auto"])
def test_a_profile_says_whether_images_are_rectified(profile_file, said):
    profile_file.write_text(profile_file.read_text() + f"\nrectified: {said}\n")
    assert Profile.load(profile_file).rectified == said.strip("'")


def test_depth_of_another_camera_is_refused_with_the_remedy(robot, profile, tmp_path):
    def change(topic, i, message):
        if topic == DEPTH:
            message.header.frame_id = "cam_depth_optical_frame"
        return message

    frames, check = frames_by(robot, profile, tmp_path, change)
    assert not frames
    assert frames_by(robot, replace(profile, aligned_depth=True), tmp_path / "nevertheless", change)[0]
    assert (
        "colour image's frame 'frame', got frame_id 'cam_depth_optical_frame'; record depth aligned"
        in check.why_nothing()
    )


def test_the_rigs_depth_unit_goes_for_every_encoding(robot, profile, tmp_path):
    def change(topic, i, message):
        if topic == DEPTH:
            values = message.data.view("<u2").astype("<f4")  # millimetres, as floats
            return robot.image(message.header, "32FC1", 4, values.view(np.uint8))
        return message

    rig = tmp_path / "unit.yaml"
    rig.write_text(profile.rig.read_text().replace("name: cam,", "name: cam, depth_unit: 0.001,"))
    plain, _ = frames_by(robot, profile, tmp_path / "plain", lambda topic, i, message: message)
    frames, _ = frames_by(robot, replace(profile, rig=rig), tmp_path / "floats", change)
    np.testing.assert_allclose(frames[0].depth, plain[0].depth, atol=1e-6)
