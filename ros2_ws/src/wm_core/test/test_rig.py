"""Camera rigs: geometry of the optical frames, and files that are refused by field."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig, RigError
from wm_core.robot import load_robot
from wm_core.sensor_spec import SensorSpec

ENTRY = {
    "name": "cam",
    "width": 64,
    "height": 48,
    "fov_y_deg": 60.0,
    "position": [0.5, 0.6, 0.7],
    "look_at": [0.5, 0.0, 0.0],
}


def write(tmp_path, *cameras):
    file = tmp_path / "rig.yaml"
    file.write_text(yaml.safe_dump({"frame_id": "table", "cameras": list(cameras)}))
    return file


@pytest.mark.parametrize("name", ["two_cameras", "one_camera"])
def test_shipped_rigs_load(name):
    assert CameraRig.load(rigs_dir() / f"{name}.yaml").frame_id == "table"


def test_what_is_looked_at_is_in_the_middle_of_the_image(tmp_path):
    camera = CameraRig.load(write(tmp_path, ENTRY)).cameras[0]
    in_camera = np.linalg.inv(camera.T_table_optical) @ np.array([0.5, 0.0, 0.0, 1.0])
    u, v, depth = camera.K @ in_camera[:3]
    assert u / depth == pytest.approx((camera.width - 1) / 2)
    assert v / depth == pytest.approx((camera.height - 1) / 2)
    assert depth > 0


def test_up_is_up(tmp_path):
    camera = CameraRig.load(write(tmp_path, ENTRY)).cameras[0]
    below, above = ((np.linalg.inv(camera.T_table_optical) @ np.array([0.5, 0.0, z, 1.0]))[1] for z in (0.0, 0.1))
    assert above < below  # y of an optical frame points down


def test_a_rotation_may_be_given_as_a_quaternion(tmp_path):
    entry = {key: value for key, value in ENTRY.items() if key != "look_at"} | {"orientation": [1.0, 0.0, 0.0, 0.0]}
    camera = CameraRig.load(write(tmp_path, entry)).cameras[0]
    np.testing.assert_allclose(camera.T_table_optical[:3, 2], [0, 0, -1], atol=1e-12)  # looks down


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fov_y_deg": 400}, "fov_y_deg"),
        ({"width": "wide"}, "width"),
        ({"position": [0, 1]}, "position"),
        ({"look_at": None}, "cameras"),
        ({"near": 3.0, "far": 1.0}, "near < far"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_fields_are_refused_by_name(tmp_path, change, expected):
    with pytest.raises(RigError, match=expected):
        CameraRig.load(write(tmp_path, {**ENTRY, **change}))


def test_two_cameras_of_one_name_are_refused(tmp_path):
    with pytest.raises(RigError, match="different camera names"):
        CameraRig.load(write(tmp_path, ENTRY, ENTRY))


def test_choosing_cameras(tmp_path):
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    assert [camera.name for camera in rig.only(["camera_right"]).cameras] == ["camera_right"]
    with pytest.raises(RigError, match="camera_back"):
        rig.only(["camera_back"])


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(RigError, match=r"nothing\.yaml"):
        CameraRig.load(tmp_path / "nothing.yaml")


def test_a_rig_in_the_base_frame_of_a_robot_is_converted(tmp_path):
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    robot = load_robot("iiwa")  # on a pedestal
    based = replace(rig, frame_id=robot.base_frame).in_table_frame(robot)
    assert based.frame_id == robot.table_frame
    for camera, own in zip(based.cameras, rig.cameras, strict=True):
        np.testing.assert_allclose(camera.T_table_optical, robot.T_table_base @ own.T_table_optical)
    renamed = replace(robot, table_frame="bench")
    assert rig.in_table_frame(renamed).frame_id == "bench"
    with pytest.raises(RigError, match="table frame 'bench' or the base frame 'lbr_iiwa_link_0' .*got 'floor'"):
        replace(rig, frame_id="floor").in_table_frame(renamed)


def test_a_sensor_model_is_that_of_the_rig_or_the_cameras_own(tmp_path):
    own = ENTRY | {"name": "cam_b", "sensor": {"latency": 0.06}}
    file = write(tmp_path, ENTRY, own)
    assert CameraRig.load(file)["cam"].sensor is None  # absent: an ideal camera
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"sensor": {"depth_noise": 0.002}}))
    rig = CameraRig.load(file)
    assert rig["cam"].sensor == SensorSpec(depth_noise=0.002)
    assert rig["cam_b"].sensor == SensorSpec(latency=0.06)
    assert rig.with_sensor(SensorSpec())["cam_b"].sensor == SensorSpec()


@pytest.mark.parametrize("wrong", [{"depth_nois": 1}, {"depth_noise": -1}, {"distortion": [0.1]}, {"edge_holes": 1.5}])
def test_a_wrong_sensor_model_is_refused_by_field(tmp_path, wrong):
    with pytest.raises(RigError, match=next(iter(wrong))):
        CameraRig.load(write(tmp_path, ENTRY | {"sensor": wrong}))
