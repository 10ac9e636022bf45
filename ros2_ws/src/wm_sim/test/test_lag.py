"""The lag of an arm: nothing changes without one, dead time and time constant are as said."""

import numpy as np
import pytest

from wm_sim.lag import ArmLag

HZ = 240


def response(delay: float, lag: float, steps: int = 240) -> np.ndarray:
    """Of one joint to a step from 0 to 1."""
    arm = ArmLag(delay, lag, HZ)
    arm.reset(np.zeros(1))
    return np.array([arm.follow(np.ones(1))[0] for _ in range(steps)])


def test_without_lag_the_command_passes_as_it_is():
    arm, command = ArmLag(0.0, 0.0, HZ), np.array([0.1, 0.2])
    assert arm.follow(command) is command


def test_dead_time_is_whole_steps():
    moved = response(0.05, 0.0)
    assert (moved[:12] == 0).all() and (moved[12:] == 1).all()


@pytest.mark.parametrize("lag", [0.025, 0.1])
def test_a_first_order_lag_is_at_63_percent_after_its_time(lag):
    assert response(0.0, lag)[round(lag * HZ) - 1] == pytest.approx(1 - np.exp(-1), abs=0.01)
    assert response(0.05, lag)[round((lag + 0.05) * HZ) - 1] == pytest.approx(1 - np.exp(-1), abs=0.01)


def test_after_a_reset_the_arm_stands():
    arm = ArmLag(0.05, 0.05, HZ)
    arm.reset(np.zeros(1))
    for _ in range(30):
        arm.follow(np.ones(1))
    arm.reset(np.array([0.3]))
    assert [arm.follow(np.array([0.3]))[0] for _ in range(20)] == pytest.approx([0.3] * 20)
