"""Bundle, task and robot fit together, or are refused with what differs."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from wm_core.bundle import Bundle
from wm_core.compatibility import FitError, check_fit, check_robot
from wm_core.paths import bundles_dir
from wm_core.robot import Range, load_robot, robot_names
from wm_core.specs import ActionSpec
from wm_core.task import load_task, task_path


@pytest.fixture(scope="module")
def bundle():
    return Bundle.load(bundles_dir() / "default")


def test_the_shipped_bundle_pushes(bundle):
    check_fit(load_task("push"), bundle)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda d: d["action"].update(axes={"x": {"scale": 0.03, "unit": "m"}}, groups=[]),
            "action.axes: the task moves x, the bundle x, y",
        ),
        (
            lambda d: d["action"]["axes"].update(yaw={"scale": 0.1, "unit": "rad"}),
            "action.axes: the task moves x, y, yaw, the bundle x, y",
        ),
        (
            lambda d: d["action"]["axes"]["y"].update(scale=0.02),
            "action.axes.y.scale: the task says 0.02, the bundle 0.03 m in a step",
        ),
        (lambda d: d["action"].update(groups=[]), "action.groups: the task says none, the bundle x, y"),
        (lambda d: d.update(rate=20), "rate: the task says 20 Hz, the bundle 10 Hz"),
    ],
)
def test_what_differs_is_named_with_both_sides(bundle, tmp_path, change, expected):
    data = yaml.safe_load(task_path("push").read_text())
    change(data)
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(
        FitError, match=rf"task 'other' .*other.yaml.* and bundle '{bundle.id}' .*do not fit: {expected}"
    ):
        check_fit(load_task(file), bundle)


@pytest.mark.parametrize("name", robot_names())
def test_every_shipped_robot_can_push(name):
    check_robot(load_task("push"), load_robot(name))


def moving(**scale):
    """The task of pushing with other axes."""
    held = {} if "z" in scale else {"z": 0.027}
    return replace(load_task("push"), action=ActionSpec(scale, held=held))


def test_a_robot_lifts_its_tool_as_far_as_its_reach_says():
    arm = load_robot("panda")
    check_robot(moving(x=0.02, y=0.02, z=0.02, yaw=0.1, grip=0.01), arm)
    flat = replace(arm.reach, lower=arm.reach.lower.copy(), upper=arm.reach.upper.copy())
    flat.upper[2] = flat.lower[2]
    with pytest.raises(FitError, match="do not fit: action.axes.z: the robot's tool moves along x, y, yaw"):
        check_robot(moving(x=0.02, y=0.02, z=0.02), replace(arm, reach=flat))


def test_what_a_robot_cannot_do_is_named():
    arm = load_robot("ur5e")
    with pytest.raises(FitError, match="action.axes.grip: .* the robot has none"):
        check_robot(moving(x=0.02, y=0.02, grip=0.01), arm)
    with pytest.raises(FitError, match="action.axes.pitch: the robot's tool moves along x, y, z, yaw"):
        check_robot(moving(x=0.02, pitch=0.1), arm)
    high = replace(arm, tool=replace(arm.tool, height=0.1))
    with pytest.raises(FitError, match="action.held.z: the task holds the tool 0.027 m .* works at 0.1 m"):
        check_robot(load_task("push"), high)
    near = replace(arm, reach=Range(np.array([0.28, -0.2, 0.02, -1.0]), np.array([0.72, 0.32, 0.15, 1.0])))
    with pytest.raises(
        FitError, match="regions.goals.y: goals from -0.26 to 0.26 m, the robot reaches from -0.2 to 0.32 m"
    ):
        check_robot(load_task("push"), near)
