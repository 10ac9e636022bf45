"""A task and a robot that nobody has programmed into wm: files in a folder. The task has axes, success, cost term, explorer
and expert of its own, the robot joints, links and a stand of its own."""

import shutil

import numpy as np
import pytest
import yaml

from wm_core.bundle import Bundle
from wm_core.compatibility import FitError, check_fit, check_robot
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir
from wm_core.robot import load_robot
from wm_core.task import TaskError, load_task
from wm_planner.costs import CostModel
from wm_planner.settings import cost_parameters
from wm_planner.tool_path import ToolPath
from wm_tasks.closed_loop import ClosedLoop
from wm_tasks.experts import make_expert
from wm_tasks.explorers import make_explorer

LEFTY = """
name: lefty
description: an arm like the Panda, with other names, beside the table
urdf: lefty.urdf
joints: [lefty_joint1, lefty_joint2, lefty_joint3, lefty_joint4, lefty_joint5, lefty_joint6, lefty_joint7]
base: {frame: lefty_link0, position: [0.0, 0.0, 0.0], rpy_deg: [0, 0, 90]}
tool:
  link: lefty_hand_tcp
  rpy_deg: [180, 0, 0]
  height: 0.027
  boxes: [{position: [0.0, 0.0, -0.0185], size: [0.02, 0.03, 0.053]}]
home: {joints: [-1.5708, 0.3, 0.0, -2.6, 0.0, 2.9, 0.785], tool: [0.32, 0.0]}
reach: {x: [0.28, 0.72], y: [-0.32, 0.32], z: [0.02, 0.3], yaw_deg: [-60, 60]}
workspace: {x: [0.2, 0.8], y: [-0.45, 0.45], z: [0.005, 0.8]}
tool_speed: 0.5
mask: [{links: [lefty_link5, lefty_link6, lefty_link7, lefty_hand, lefty_leftfinger, lefty_rightfinger], margin: 0.008}]
"""
SWEEP = """
schema: 1
description: move an object gently, and stay with it
rate: 10
action: {axes: {x: {scale: 0.03, unit: m}, y: {scale: 0.03, unit: m}}, groups: [[x, y]], held: {z: 0.027}}
goal: {kind: object_pose, axes: [x, y]}
regions:
  goals: {x: [0.36, 0.64], y: [-0.22, 0.22]}
  practice: {x: [0.38, 0.62], y: [-0.20, 0.20]}
  objects: {x: [0.35, 0.65], y: [-0.25, 0.25]}
costs:
  goal: {weight: 10.0}
  fine: {weight: 1.0}
  approach: {weight: 4.0}
  side: {weight: 3.0}
  terminal: {weight: 15.0}
  uncertainty: {weight: 2.0}
  gentle: {weight: 60.0, limit: 0.06}
success: {tolerance: 0.010, cycles: 5, distance: 0.015}
time_limit: 15.0
explorer: {name: circle, radius: 0.05}
expert: {name: wait}
modules: [sweep_parts]
"""
PARTS = '''
from dataclasses import dataclass

import numpy as np

from wm_core.parts import option
from wm_planner.costs import CostTerm, cost_term
from wm_tasks.experts import EXPERTS
from wm_tasks.explorers import EXPLORERS


@cost_term("gentle")
@dataclass(frozen=True)
class Gentle(CostTerm):
    """Speed of the object [m/s] above a limit, the fastest instant of the plan."""

    limit: float = option(0.10, "[m/s] that costs nothing")

    def __call__(self, futures, actions, goal, context):
        steps = np.diff(futures.steps) * context.task.step_duration
        speed = np.linalg.norm(np.diff(futures.mean_object(), axis=1), axis=-1) / steps
        return (speed - self.limit).clip(0.0).max(1)


@EXPLORERS.register("circle")
@dataclass
class Circle:
    task: object
    reach: object
    rng: object
    radius: float = option(0.1, "[m] around the object")

    def action(self, tool, target):
        return (target + [self.radius, 0.0] - tool) / 0.1


@EXPERTS.register("wait")
@dataclass
class Wait:
    task: object

    def __call__(self, tool, target, goal):
        return np.zeros(2)
'''


@pytest.fixture
def sweep(tmp_path):
    """Writes the task into a folder, after `change` of its content; returns its file."""
    (tmp_path / "sweep_parts.py").write_text(PARTS)

    def write(change=lambda data: None, name="sweep"):
        data = yaml.safe_load(SWEEP)
        change(data)
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(data, sort_keys=False))
        return file

    return write


@pytest.fixture
def lefty(tmp_path):
    """Writes the robot into a folder, profile, URDF and meshes; returns its profile."""
    panda = load_robot("panda").file.parent
    folder = tmp_path / "lefty"
    shutil.copytree(panda / "meshes", folder / "meshes")
    (folder / "lefty.urdf").write_text((panda / "panda.urdf").read_text().replace("panda_", "lefty_"))
    (folder / "profile.yaml").write_text(LEFTY)
    return folder / "profile.yaml"


@pytest.fixture(scope="module")
def bundle():
    return Bundle.load(bundles_dir() / "default")


def fastest(result):
    """[m/s] of the true object."""
    path = np.array([step.object_xy for step in result.trace])
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).max() / 0.1)


def test_the_arm_does_the_task_by_its_own_costs_and_success(sweep):
    """The same start and goal as a push, with the same bundle: more gently, and held within 1 cm for five cycles."""
    pushed = ClosedLoop.load("tabletop_block").episode(9001)
    swept = ClosedLoop.load("tabletop_block", task=sweep()).episode(9001)
    assert swept.reached and swept.final_distance_m < load_task(sweep()).success.distance
    assert fastest(swept) < 0.8 * fastest(pushed)
    close = [np.linalg.norm(step.believed_xy - swept.goal) < 0.01 for step in swept.trace]
    assert close[-5:] == [True] * 5 and not any(all(close[i : i + 5]) for i in range(len(close) - 5))


def test_another_robot_does_the_task_as_well(sweep, lefty):
    """Both from files: the robot has other joint names and stands turned by 90 degrees, the task is not pushing."""
    loop = ClosedLoop.load("tabletop_block", task=sweep(), robot=lefty)
    result = loop.episode(9001)
    assert loop.kinematics.joint_names[0] == "lefty_joint1"
    assert result.reached and result.final_distance_m < loop.task.success.distance


def test_a_robot_that_cannot_do_the_task_is_refused_by_name(sweep, lefty):
    lefty.write_text(LEFTY.replace("height: 0.027", "height: 0.05"))
    with pytest.raises(FitError, match=r"'sweep' .* robot 'lefty' .*do not fit: action.held.z: .* 0.027 m .* 0.05 m"):
        ClosedLoop.load("tabletop_block", task=sweep(), robot=lefty)


def test_its_term_is_a_parameter_of_the_planner_and_a_line_of_every_plan(sweep, bundle):
    task = load_task(sweep())
    (gentle,) = (param for param in cost_parameters(task) if param.name == "cost.gentle")
    assert gentle.default == 60.0 and "Speed of the object" in gentle.description
    assert list(CostModel.of(bundle, task, load_robot().reach_region).weights) == list(task.costs)
    assert "gentle" not in load_task("push").costs


def test_its_explorer_and_expert_are_found(sweep):
    task = load_task(sweep())
    explorer = make_explorer(task, load_robot().reach_region, np.random.default_rng(0))
    np.testing.assert_allclose(explorer.action(np.array([0.5, 0.0]), np.array([0.5, 0.0])), [0.5, 0.0])
    assert make_expert(task)(np.zeros(2), np.zeros(2), np.ones(2)).tolist() == [0, 0]


def test_other_scales_than_the_bundle_s_are_refused_by_name(sweep):
    file = sweep(lambda data: data["action"]["axes"]["x"].update(scale=0.05))
    with pytest.raises(FitError, match=r"sweep.*action.axes.x.scale: the task says 0.05, the bundle 0.03"):
        ClosedLoop.load("tabletop_block", task=file)


def test_a_task_that_lifts_the_tool_moves_the_arm_up_and_down(sweep, bundle):
    """No shipped bundle imagines z: the task says so by name. The arm follows its actions all the same."""

    def lift(data):
        data["action"] = {
            "axes": {axis: {"scale": 0.02, "unit": "m"} for axis in ("x", "y", "z")},
            "groups": [["x", "y", "z"]],
        }

    task = load_task(sweep(lift, "lift"))
    with pytest.raises(FitError, match="action.axes: the task moves x, y, z, the bundle x, y"):
        check_fit(task, bundle)
    robot = load_robot()
    check_robot(task, robot)
    arm, height = Kinematics(robot), robot.tool.height
    home = arm.ik(np.array([0.45, 0.0, height]), robot.tool.rotation, robot.home.joints)
    path = ToolPath(arm, task.step_duration, axes=task.action.axes)
    path.anchor(home)
    action = task.action.clip(np.array([0.0, 3.0, 4.0]))  # too long: shortened to the unit ball
    motion = path.move(task.action.select(task.action.to_displacement(action.astype(float))))
    np.testing.assert_allclose(motion.end.position - motion.start.position, [0.0, 0.012, 0.016], atol=1e-6)
    np.testing.assert_allclose(arm.fk(motion.joints[-1])[0], [0.45, 0.012, height + 0.016], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d["costs"].update(gentel={"weight": 1.0}), "costs.gentel: expected a cost term out of .*gentle"),
        (lambda d: d["costs"]["gentle"].update(limit="low"), "costs.gentle.limit: expected a number"),
        (
            lambda d: d["costs"]["gentle"].update(limits=1.0),
            r"costs.gentle: .*options out of \['limit'\], got 'limits'",
        ),
        (lambda d: d.pop("modules"), "costs.gentle: expected a cost term out of"),
        (lambda d: d.update(modules=["elsewhere"]), "modules: cannot import 'elsewhere'"),
    ],
)
def test_mistakes_in_the_files_are_named(sweep, bundle, change, expected):
    with pytest.raises(TaskError, match=rf"sweep.yaml: {expected}"):
        CostModel.of(bundle, load_task(sweep(change)), load_robot().reach_region)
