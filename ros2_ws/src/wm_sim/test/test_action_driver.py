"""Moving the simulated tool by actions."""

import numpy as np
import pytest

from wm_core.kinematics import KinematicsError
from wm_sim.action_driver import ActionDriver

SCALE, PERIOD = 0.03, 0.1


@pytest.fixture
def driver(block):
    block.reset(3)
    return ActionDriver(block, SCALE, PERIOD)


def tool(driver):
    return driver.sim.kinematics.fk(driver.joints())[0][:2]


def test_an_action_moves_the_tool_by_its_scale_in_one_control_period(driver):
    start, begin_ns = driver.commanded, driver.sim.time_ns
    assert np.allclose(driver.act(np.array([0.5, -1.0])), [0.5, -1.0])
    assert np.allclose(driver.commanded - start, [0.015, -0.03])
    assert driver.sim.time_ns - begin_ns == 100_000_000
    driver.act(np.zeros(2))
    assert np.allclose(tool(driver), driver.commanded, atol=2e-3)


def test_each_axis_may_have_its_own_scale(block):
    block.reset(3)
    driver = ActionDriver(block, np.array([0.02, 0.01]), PERIOD)
    start = driver.commanded
    assert np.allclose(driver.act(np.array([1.0, 1.0])), 1.0)
    assert np.allclose(driver.commanded - start, [0.02, 0.01])


def test_at_the_end_of_the_reach_it_says_what_was_executed(driver):
    executed = [driver.act(np.array([0.0, 1.0])) for _ in range(12)]
    assert np.allclose(executed[0], [0.0, 1.0]) and np.allclose(executed[-1], 0.0)
    assert driver.commanded[1] == driver.sim.robot.reach.upper[1]


def test_where_the_arm_has_no_solution_it_stays(driver, monkeypatch):
    def nowhere(*_):
        raise KinematicsError("no solution")

    monkeypatch.setattr(driver.sim.kinematics, "ik", nowhere)
    start = driver.commanded
    assert np.allclose(driver.act(np.array([1.0, 0.0])), 0.0)
    assert np.array_equal(driver.commanded, start)


def test_what_else_could_have_happened_leaves_no_trace(driver):
    start, object_before = driver.commanded, driver.sim.object_pose()[0]
    with driver.saved() as restore:
        ends = []
        for action in ([1.0, 0.0], [0.0, 1.0], [1.0, 0.0]):
            driver.act(np.array(action))
            ends.append(tool(driver))
            restore()
    assert np.array_equal(ends[0], ends[2]) and not np.allclose(ends[0], ends[1], atol=5e-3)
    assert np.array_equal(driver.commanded, start)
    assert np.array_equal(driver.sim.object_pose()[0], object_before)


def test_a_control_period_is_a_whole_number_of_physics_steps(block):
    with pytest.raises(ValueError, match="multiple of 1/240 s, got 0.011"):
        ActionDriver(block, SCALE, 0.011)
