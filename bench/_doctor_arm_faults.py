"""Faults of the arm, its controller and the machine that can be planted into a record, their parameters drawn."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from _doctor_plant import endpoints, fault, rewrite, set_fields

from wm_bringup.doctor.observed import INTERPOLATES, Observed
from wm_core.robot import load_robot, robot_names

Rng = np.random.Generator

# -- arm -----------------------------------------------------------------------------------------------------------------


def _arm_messages(observed: Observed) -> list[SimpleNamespace]:
    names = set(observed.setup.robot.joints)
    kept = observed.streams[observed.setup.joint_topic].kept
    return list({id(m): m for _, m in kept if names <= set(m.name)}.values())


@fault("joint_names", "write prefix:")
def joint_prefix(observed: Observed, rng: Rng) -> str:
    prefix = str(rng.choice(["left_", "robot1_", "arm/"]))
    for message in _arm_messages(observed):
        message.name = [prefix + name for name in message.name]
    return observed.setup.joint_topic


@fault("joint_names", "start with robot:=")
def another_robot(observed: Observed, rng: Rng) -> str:
    others = [name for name in robot_names() if name != observed.setup.robot.name]
    other = load_robot(str(rng.choice(others)))
    for message in _arm_messages(observed):
        message.name, message.position = list(other.joints), [0.1] * len(other.joints)
    return observed.setup.joint_topic


@fault("joint_impossible", "degrees")
def joints_in_degrees(observed: Observed, rng: Rng) -> str:
    for message in _arm_messages(observed):
        message.position = np.degrees(message.position).tolist()
    return observed.setup.joint_topic


@fault("joint_not_finite", "encoder")
def joint_not_a_number(observed: Observed, rng: Rng) -> str:
    joint, share = int(rng.integers(len(observed.setup.robot.joints))), rng.uniform(0.01, 1)
    messages = _arm_messages(observed)
    for message in messages[: max(1, round(share * len(messages)))]:
        message.position[joint] = float("nan")
    return observed.setup.joint_topic


@fault("joint_range", "by hand")
def joint_past_its_range(observed: Observed, rng: Rng) -> str:
    joint, kinematics = int(rng.integers(len(observed.setup.robot.joints))), observed.setup.kinematics
    value = kinematics.upper[joint] + rng.uniform(0.02, 0.19)
    for message in _arm_messages(observed):
        message.position[joint] = float(value)
    return observed.setup.joint_topic


@fault("joint_leaps", "joint_state_publisher")
def zeros_beside_the_truth(observed: Observed, rng: Rng) -> str:
    every = int(rng.integers(2, 20))
    for message in _arm_messages(observed)[::every]:
        message.position = [0.0] * len(message.position)
    return observed.setup.joint_topic


@fault("joint_zeros", "default values")
def default_joints(observed: Observed, rng: Rng) -> str:
    for message in _arm_messages(observed):
        message.position = [0.0] * len(message.position)
    return observed.setup.joint_topic


def _controller(observed: Observed) -> str:
    return observed.setup.controller_topic.rpartition("/")[0]


@fault("controller_missing", "list_controllers")
def no_controller(observed: Observed, rng: Rng) -> str:
    endpoints(observed, lambda e: e.node == _controller(observed))
    return observed.setup.controller_topic


@fault("controller_missing", "_joint_controller/joint_trajectory")
def controller_of_another_name(observed: Observed, rng: Rng) -> str:
    node, name = _controller(observed), rng.choice(["scaled", "passthrough"])
    other = f"/{name}_joint_controller/joint_trajectory"
    endpoints(observed, lambda e: e.node == node and not e.publishes, topic=other)
    return observed.setup.controller_topic


@fault("controller_type", "joint_trajectory_controller")
def controller_of_another_type(observed: Observed, rng: Rng) -> str:
    node = _controller(observed)
    endpoints(observed, lambda e: e.node == node and not e.publishes, type="std_msgs/msg/Float64MultiArray")
    return observed.setup.controller_topic


@fault("controller_inactive", "--activate")
def inactive_controller(observed: Observed, rng: Rng) -> str:
    state = observed.streams[observed.setup.controller_state_topic]
    state.heard, state.kept = [], []
    return observed.setup.controller_topic


@fault("controller_joints", "controllers.yaml")
def controller_of_other_joints(observed: Observed, rng: Rng) -> str:
    joints = list(observed.setup.robot.joints)
    joints.pop(int(rng.integers(len(joints))))
    rewrite(observed.streams[observed.setup.controller_state_topic], set_fields(joint_names=joints))
    return observed.setup.controller_topic


@fault("controller_interpolation", "interpolate_from_desired_state: true")
def controller_from_measured_state(observed: Observed, rng: Rng) -> str:
    observed.controller_parameters[INTERPOLATES] = False
    return observed.setup.controller_topic


# -- machine -------------------------------------------------------------------------------------------------------------


@fault("shared_memory", "--shm-size")
def small_shared_memory(observed: Observed, rng: Rng) -> str:
    observed.machine = replace(observed.machine, shm_free=rng.uniform(0, 4e8))
    return "/dev/shm"


@fault("load", "end what else runs")
def overloaded(observed: Observed, rng: Rng) -> str:
    observed.machine = replace(observed.machine, load=observed.machine.cores * rng.uniform(1.6, 5))
    return "machine"


@fault("memory", "swapping")
def no_memory(observed: Observed, rng: Rng) -> str:
    observed.machine = replace(observed.machine, memory_free=rng.uniform(0, 0.04))
    return "machine"


@fault("governor", "performance")
def slow_governor(observed: Observed, rng: Rng) -> str:
    observed.machine = replace(observed.machine, governors=("powersave",) * observed.machine.cores)
    return "machine"


@fault("ntp", "chrony")
def clock_not_synchronised(observed: Observed, rng: Rng) -> str:
    observed.machine = replace(observed.machine, synchronised=False)
    return "machine"
