"""Camera profiles: what each driver publishes, and what of it is refused."""

import numpy as np
import pytest
import yaml
from sensor_msgs.msg import Image

from wm_core.camera_model import lens_of
from wm_core.images import colour_image, depth_image
from wm_core.paths import camera_profile_path
from wm_core.sensor_spec import SensorSpec
from wm_core.stamps import to_msg
from wm_sim.arm_sim import physics_steps
from wm_sim.camera_profile import CameraProfileError, load_camera_profile
from wm_sim.conversions import CameraMessages

DRIVERS = ("realsense", "zed", "orbbec", "azure_kinect")
DISTORTION = (-0.06, 0.02, 0.0002, -0.0002, 0.0)


@pytest.mark.parametrize("name", DRIVERS)
def test_a_drivers_images_are_read_back_as_they_were_seen(name, rig):
    """Through the readers of perception: colour, depth in metres, intrinsics and distortion."""
    profile = load_camera_profile(name)
    camera = profile.applied(rig.with_sensor(SensorSpec(distortion=DISTORTION)))["camera_left"]
    messages = CameraMessages(camera, profile.of("camera_left"))
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (camera.height, camera.width, 3), np.uint8)
    depth = rng.uniform(0.3, 2.0, rgb.shape[:2]).astype(np.float32)
    depth[:3] = 0.0
    messages.fill(to_msg(5), rgb, depth)
    np.testing.assert_array_equal(colour_image(messages.colour), rgb)
    read = depth_image(messages.depth)
    np.testing.assert_allclose(getattr(read, "depth", read), depth, atol=6e-4)
    lens = lens_of(messages.info, camera.width, camera.height, profile.rectified)
    np.testing.assert_allclose(lens.K, camera.K)
    assert bool(lens.D) != profile.rectified and (profile.rectified or lens.D[:5] == DISTORTION)
    assert messages.colour.header.frame_id == messages.depth.header.frame_id == messages.info.header.frame_id


@pytest.mark.parametrize("name", DRIVERS)
def test_sizes_and_rates_are_what_two_cores_can_do(name, rig):
    profile = load_camera_profile(name)
    assert [physics_steps(1 / profile.rate(count)) for count in (1, 2, 3)] == [8, 16, 16]  # 30 and 15 Hz
    small, large = profile.applied(rig)["camera_left"], profile.applied(rig, 848)["camera_left"]
    assert (small.width, small.height) == profile.size and large.width == 848
    np.testing.assert_allclose(large.K[0, 0] / small.K[0, 0], large.height / small.height, rtol=1e-9)
    assert (small.T_table_optical == rig["camera_left"].T_table_optical).all()
    assert profile.of("cam").colour.topic.startswith("cam/")


def test_the_simulators_own_profile_leaves_the_rig_as_it_is(rig):
    profile = load_camera_profile("sim")
    assert profile.rate(1) is None
    for before, after in zip(rig.cameras, profile.applied(rig).cameras, strict=True):
        assert (before.K == after.K).all() and (before.width, before.height) == (after.width, after.height)
    larger = profile.applied(rig, 256)["camera_left"]
    assert larger.height == 256 and larger.K[0, 0] == pytest.approx(2 * rig["camera_left"].K[0, 0])
    assert larger.K[0, 2] == 127.5


def test_depth_in_a_unit_of_its_own(rig, tmp_path):
    """0.1 mm, as some drivers have it: the reader must know."""
    data = yaml.safe_load(camera_profile_path("realsense").read_text())
    data["depth"]["unit"] = 0.0001
    file = tmp_path / "fine.yaml"
    file.write_text(yaml.safe_dump(data))
    profile = load_camera_profile(file)
    messages = CameraMessages(rig["camera_left"], profile.of("camera_left"))
    messages.fill(to_msg(0), np.zeros((128, 128, 3), np.uint8), np.full((128, 128), 0.5, np.float32))
    assert np.frombuffer(messages.depth.data, np.uint16)[0] == 5000
    assert isinstance(messages.depth, Image) and profile.encoded("32FC1").depth_unit == 1.0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": {"topic": "cam/image", "encoding": "rgb8", "frame_id": "a"}}, "camera"),
        ({"colour": {"topic": "{cam}/image", "encoding": "rgb8", "frame_id": "a"}}, "camera"),
        ({"depth": {"topic": "{camera}/d", "encoding": "8UC1", "frame_id": "a"}}, "encoding"),
        ({"rates": []}, "rates"),
        ({"siz": [1, 2]}, "siz"),
    ],
)
def test_a_wrong_profile_is_refused_by_field(tmp_path, change, field):
    data = yaml.safe_load(camera_profile_path("realsense").read_text()) | change
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(CameraProfileError, match=field):
        load_camera_profile(file)
    with pytest.raises(CameraProfileError, match="realsense"):
        load_camera_profile("no_such_camera")
