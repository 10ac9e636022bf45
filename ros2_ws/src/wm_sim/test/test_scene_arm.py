"""A scene behind the interface of an ArmSim."""

import numpy as np
import pytest

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_sim.driver import Driver
from wm_sim.scene_arm import SceneArm
from wm_sim.scene_task import load_scene_task
from wm_sim.world import WorldError

RIG = CameraRig.load(rig_path("two_cameras")).only(["camera_left"])


@pytest.fixture(scope="module")
def arm():
    task = load_scene_task("two_poses")
    made = SceneArm(task.world, load_robot(), RIG, task)
    yield made
    made.close()


def test_a_driver_drives_it_and_an_episode_has_a_goal(arm):
    driver = Driver(arm, 0.1, None)
    driver.reset(7)
    assert [part.identity for part in arm.goal.parts] == list(arm.scene.identities)
    before = arm.scene.position.copy()
    while not driver.step().frames:
        pass
    np.testing.assert_allclose(arm.arm_motion()[0], arm.home, atol=0.01)
    np.testing.assert_allclose(arm.scene.position, before, atol=0.002)
    assert arm.render("camera_left")[0].std() > 1


def test_fingers_go_where_they_are_commanded_at_their_own_speed(arm):
    arm.reset(7)
    arm.open_to(0.02)
    openings = []
    for _ in range(120):
        arm.set_target(arm.home)
        arm.step()
        openings.append(2 * arm.joint_state()[1][-1])
    assert openings[0] > 0.07 and openings[-1] == pytest.approx(0.02, abs=0.002)
    assert np.diff(openings).min() > -0.02, "no leap"


def test_objects_are_disturbed_by_name(arm):
    arm.reset(7)
    first, second = arm.scene.identities
    at = arm.scene.position.copy()
    arm.disturb(displacement=(0.0, 0.0, 0.03), hidden=True, name=second)
    np.testing.assert_allclose(arm.scene.position - at, [[0, 0, 0], [0, 0, 0.03]], atol=1e-6)
    assert arm.visibility.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match=f"expected an object out of .*{first}.*, got 'cup'"):
        arm.disturb(name="cup")
    with pytest.raises(ValueError, match="set_object"):
        arm.reset(7, (0.5, 0.0))


def test_a_task_that_begins_in_motion_is_refused():
    task = load_scene_task("stop_sliding")
    with pytest.raises(WorldError, match="bench scenes"):
        SceneArm(task.world, load_robot(), RIG, task)
