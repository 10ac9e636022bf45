"""Each shipped robot in the simulator: it stands at its home and follows its tool's path."""

import numpy as np
import pytest

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import PROFILE, load_robot, robot_names
from wm_sim.arm_sim import ArmSim
from wm_sim.envs import PushEnv
from wm_sim.world import WorldError, load_world

WORLD = load_world("tabletop_block")
RIG = CameraRig.load(rig_path(WORLD.rig))


def simulated(robot):
    sim = ArmSim(WORLD, RIG, robot=robot)
    sim.reset(3)
    return sim


def tool(sim):
    names, positions, _ = sim.joint_state()
    return sim.kinematics.fk(sim.kinematics.arm_joints(names, positions))


@pytest.mark.parametrize("name", robot_names())
def test_a_robot_goes_where_it_is_sent(name):
    sim = simulated(load_robot(name))
    robot = sim.robot
    np.testing.assert_allclose(tool(sim)[0], robot.home.position, atol=1e-3)
    q = sim.home
    for step in range(8):  # 2 cm in a tenth of a second each, as a planner sends it
        place = robot.home.position + [0.02 * (step + 1), 0.01 * (step + 1), 0.0]
        start, q = q, sim.kinematics.ik(place, robot.tool.rotation, q)
        for i in range(1, 25):
            sim.set_target(start + (q - start) * i / 24)
            sim.step()
        np.testing.assert_allclose(tool(sim)[0], place, atol=3e-3)
    rgb, depth = sim.render("camera_left")
    assert rgb.std() > 10 and (depth > 0).any()
    sim.close()


def test_a_renamed_arm_on_a_turned_base_starts_at_the_same_place(tmp_path):
    text = load_robot("panda").file.read_text()
    text = text.replace("urdf: panda.urdf", f"urdf: {load_robot('panda').urdf}\nprefix: left_")
    text = text.replace("rpy_deg: [0, 0, 0]}", "rpy_deg: [0, 0, 90]}", 1)
    (tmp_path / PROFILE).write_text(text)
    sim = simulated(load_robot(tmp_path))
    assert sim.joint_names[0] == "left_panda_joint1" and sim.joint_names[-1] == "left_panda_finger_joint2"
    np.testing.assert_allclose(tool(sim)[0], sim.robot.home.position, atol=1e-3)
    sim.close()


def test_a_world_out_of_reach_is_refused():
    robot = load_robot("xarm6")
    robot.reach.upper[0] = 0.6
    with pytest.raises(WorldError, match="start: expected a region within the reach of robot 'xarm6', .*0.6.*, got"):
        ArmSim(WORLD, RIG, robot=robot)


def test_an_environment_takes_a_robot():
    env = PushEnv("tabletop_block", images=False, robot="ur5e")
    observation, _ = env.reset(seed=1)
    assert observation["joints"].shape == (6,)
    env.step(np.array([1.0, 0.0]))
    env.close()
