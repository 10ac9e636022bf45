"""Steps of a bag that wm did not make, and ways to spoil its messages."""

import numpy as np

from wm_bags.steps.check import BagCheck
from wm_bags.storage.reading import Bag

COLOUR, DEPTH, INFO = "/cam/color/image_raw", "/cam/aligned_depth_to_color/image_raw", "/cam/color/camera_info"
START_NS, SPEED = 1_700_000_000_000_000_000, 0.1  # as in conftest.py
JOINTS, COMMANDS = "/joint_states", "/arm_controller/joint_trajectory"


def steps_of(bag, profile, robot):
    """All steps with their episodes, and the check."""
    check = BagCheck(bag, profile)
    with Bag(bag) as opened:
        return list(check.steps_of(opened, robot.kinematics)), check


def without(*topics, since, until):
    """Nothing of these topics from one image to another."""
    return lambda topic, i, message: None if topic in topics and since <= i < until else message


def spoilt(what, since, until, **fields):
    def change(topic, i, message):
        if topic == what and since <= i < until:
            for name, value in fields.items():
                setattr(message, name, value(getattr(message, name)))
        return message

    return change


def nan(values):
    return np.full_like(values, np.nan)
