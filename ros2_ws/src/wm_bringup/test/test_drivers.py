"""Drivers of arms and cameras as data: the shipped ones, and those of one's own."""

import pytest
import yaml

from wm_bringup import drivers
from wm_bringup.drivers import LAUNCH, load_driver
from wm_bringup.graph_parts import Include
from wm_bringup.graph_real import arm_real
from wm_bringup.launch_arguments import LaunchError
from wm_core.robot import robot_names
from wm_guard.driver_state import DriverState
from wm_guard.node import GuardNode

RIG = {"rig": "one_camera"}
EXAMPLES = [path.parent for path in drivers.examples_dir().glob(f"*/{LAUNCH}")]


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_shipped_drivers_can_be_used(folder):
    driver = load_driver("driver", folder.name)
    assert set(driver.robots) <= set(robot_names())
    declared = {parameter.name: parameter for parameter in GuardNode.PARAMETERS}
    said = [item for file in driver.params_files for item in yaml.safe_load(file.read_text()).items()]
    for node, content in said:
        if node == "/**/wm_guard":
            assert set(content["ros__parameters"]) <= set(declared)
            for text in content["ros__parameters"].get("driver_states", ()):
                DriverState.parse(text)


def test_a_driver_of_ones_own_is_a_folder(tmp_path, everything_installed):
    folder = tmp_path / "cams"
    folder.mkdir()
    (folder / LAUNCH).write_text(
        "{package: p, launch: l.py, install: i, arguments: {name: 'a_{camera}', fast: true}, cameras: {camera_left: {serial_no: '_12'}}}"
    )
    includes = load_driver("camera", str(folder)).includes({}, ("camera_left", "camera_right"))
    assert includes == [
        Include("p", "l.py", {"name": "a_camera_left", "fast": "true", "serial_no": "_12"}),
        Include("p", "l.py", {"name": "a_camera_right", "fast": "true"}),
    ]
    with pytest.raises(LaunchError, match="cameras: expected cameras of the rig .front., got camera_left"):
        load_driver("camera", str(folder)).includes({}, ("front",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{launch: l.py, install: i, arguments: {}}", "package"),
        ("{package: p, launch: l.py, install: i, arguments: {}, robot: ur5e}", "robot"),
        ("{package: p, launch: l.py, install: i, arguments: {ip: '{ip_of_robot}'}}", "ip_of_robot"),
    ],
)
def test_a_driver_that_cannot_be_used_is_refused(tmp_path, everything_installed, text, expected):
    (tmp_path / LAUNCH).write_text(text)
    with pytest.raises(LaunchError, match=expected):
        arm_real({**RIG, "driver": str(tmp_path), "robot_ip": "1.2.3.4"})
