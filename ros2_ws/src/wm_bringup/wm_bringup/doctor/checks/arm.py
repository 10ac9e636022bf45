"""The arm: joint states against the robot's profile, and who takes its trajectories."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from wm_bringup.doctor.finding import ERROR, WARNING, Finding, from_error
from wm_bringup.doctor.observed import INTERPOLATES, TRAJECTORY, Observed
from wm_core.joint_states import JointStateError, read_joints
from wm_core.robot import RobotError, load_robot, robot_names

BEYOND = 0.01  # [rad] that a joint may be past its range
LEAP, LEAP_SPEED = 0.05, 3.0  # [rad], and times the velocity limit: no arm does that between two messages
LISTENERS_ASIDE = ("recorder", "record", "rosbag")  # who hears trajectories and moves nothing


def joints(observed: Observed) -> Iterator[Finding]:
    """Names, numbers and ranges."""
    stream, kinematics = observed.arm, observed.setup.kinematics
    if not stream.kept:
        if observed.stream(stream.topic).kept:
            found = "those of the gripper alone"
            remedy = "start the arm's driver or its joint_state_broadcaster, or set topics.joint_states of the profile"
            yield Finding(ERROR, "joint_names", stream.topic, "joint states of the arm", found, remedy)
        return
    states: list[tuple[int, np.ndarray]] = []
    errors: list[tuple[JointStateError, Sequence[str], Sequence[float]]] = []
    for stamp, message in stream.kept:
        try:
            states.append((stamp, read_joints(kinematics, message.name, message.position, message.velocity)))
        except JointStateError as error:
            errors.append((error, message.name, message.position))
    if states:  # whose names are the arm's; others may say a part of it besides
        errors = [each for each in errors if each[0].reason != "names"]
    if errors:
        yield _unreadable(observed, *errors[0], len(errors) / len(stream.kept))
    if states:
        yield from _out_of_range(observed, np.array([q for _, q in states]))
        yield from _leaps(observed, states)


def controller(observed: Observed) -> Iterator[Finding]:
    """Whether anything takes trajectories, and for these joints."""
    topic, robot = observed.setup.controller_topic, observed.setup.robot
    listening = [each for each in observed.subscriptions(topic) if _may_move(each.node)]
    if not listening:
        others = sorted(
            {
                each.topic
                for each in observed.endpoints
                if not each.publishes and each.type == TRAJECTORY and each.topic != topic and _may_move(each.node)
            }
        )
        remedy = "load and activate its joint_trajectory_controller (ros2 control list_controllers)"
        if others:
            remedy += f"; or is it {others[0]}? Set topics.controller of the profile (--controller-topic here)"
        found = f"nobody; trajectories are taken on {', '.join(others)}" if others else "nobody"
        yield Finding(ERROR, "controller_missing", topic, "a controller that takes trajectories", found, remedy)
    for each in listening:
        if each.type != TRAJECTORY:
            remedy = "use joint_trajectory_controller, or set topics.controller of the profile to its topic"
            yield Finding(ERROR, "controller_type", topic, TRAJECTORY, f"{each.type}, as {each.node} takes", remedy)
    name = topic.rpartition("/")[0].rpartition("/")[2]
    state = observed.stream(observed.setup.controller_state_topic)
    if observed.publishers(state.topic) and state.type and not state.heard:
        remedy = f"activate it: ros2 control switch_controllers --activate {name}; has the robot a protective stop?"
        yield Finding(ERROR, "controller_inactive", topic, f"'{name}' active", "it says nothing of its state", remedy)
    if state.newest is not None and (odd := set(robot.joints) ^ set(state.newest.joint_names)):
        yield Finding(
            ERROR,
            "controller_joints",
            topic,
            f"a controller of the joints {', '.join(robot.joints)}",
            f"one of {', '.join(state.newest.joint_names)}",
            f"set `joints` of '{name}' in controllers.yaml to the profile's, or the profile's prefix; different: {', '.join(sorted(odd))}",
        )

    if observed.controller_parameters.get(INTERPOLATES) is False:
        yield Finding(
            ERROR,
            "controller_interpolation",
            topic,
            f"'{name}' with {INTERPOLATES}: true; wm sends a new trajectory ten times a second, each from where the last one is",
            "false: each begins where the arm is measured, behind the last one, and the arm jerks or lags",
            f"set {INTERPOLATES}: true of '{name}' in the driver's controllers file, and start the driver anew (docs/hardware.md)",
        )


# -- inside --------------------------------------------------------------------------------------------------------------


def _may_move(node: str) -> bool:
    return not any(part in node.rpartition("/")[2] for part in LISTENERS_ASIDE)


def _unreadable(
    observed: Observed, error: JointStateError, names: Sequence[str], positions: Sequence[float], share: float
) -> Finding:
    topic = observed.setup.joint_topic
    remedies = {
        "names": lambda: _of_other_names(observed, names),
        "duplicate": lambda: "let each joint be published by one broadcaster only",
        "impossible": lambda: _of_impossible(observed, names, positions),
        "velocity": lambda: "the driver must publish rad/s; or leave velocities empty",
        "not_finite": lambda: (
            "an encoder or its driver is broken, or the state interface is not claimed: restart the driver"
        ),
        "size": lambda: "mend the driver: one position a name",
    }
    found = from_error(ERROR, f"joint_{error.reason}", topic, error, remedies[error.reason]())
    part = "" if share == 1 else f" ({100 * share:.1f} % of the messages)"
    return Finding(found.severity, found.check, topic, found.expected, found.found + part, found.remedy)


def _of_other_names(observed: Observed, names: Sequence[str]) -> str:
    """A prefix, another robot, or only some of the joints."""
    robot = observed.setup.robot
    bare = [joint.removeprefix(robot.prefix) for joint in robot.joints]
    prefixes = {name.removesuffix(bare[0]) for name in names if name.endswith(bare[0])}
    for prefix in sorted(prefixes, key=len, reverse=True):
        if {prefix + joint for joint in bare} <= set(names):
            return (
                f"write prefix: '{prefix}' into the robot's profile (or set the driver's tf_prefix to '{robot.prefix}')"
            )
    for other in robot_names():
        try:
            if set(load_robot(other).joints) <= set(names):
                return f"these are the joints of '{other}': start with robot:={other}"
        except RobotError:
            continue
    return "take the profile of this robot (./wm robot list), or set topics.joint_states to the arm's topic (--joint-topic here)"


def _of_impossible(observed: Observed, names: Sequence[str], positions: Sequence[float]) -> str:
    given, kinematics = dict(zip(names, positions, strict=True)), observed.setup.kinematics
    q = np.radians([given[joint] for joint in observed.setup.robot.joints])
    if ((q >= kinematics.lower) & (q <= kinematics.upper)).all():
        return "these look like degrees: the driver must publish radians (REP-103)"
    return "is it another robot's topic, or are the joints not referenced? Take this robot's profile, home the arm"


def _out_of_range(observed: Observed, q: np.ndarray) -> Iterator[Finding]:
    """`q` (n, joints) [rad]."""
    kinematics, topic, names = observed.setup.kinematics, observed.setup.joint_topic, observed.setup.robot.joints
    beyond = np.maximum(kinematics.lower - q, q - kinematics.upper).max(0)
    for i in np.flatnonzero(beyond > BEYOND):
        yield Finding(
            ERROR,
            "joint_range",
            topic,
            f"{names[i]} between {kinematics.lower[i]:.2f} and {kinematics.upper[i]:.2f} rad",
            f"{q[np.abs(q[:, i]).argmax(), i]:.2f} rad",
            "bring the arm back by hand or with the pendant; is it turned by a whole turn, or are the profile's limits tighter"
            " than the robot's?",
        )
    if not q.any():
        remedy = (
            "default values of a driver that is not connected, or of joint_state_publisher: end it, connect the robot"
        )
        yield Finding(WARNING, "joint_zeros", topic, "measured joints", "all of them exactly 0", remedy)


def _leaps(observed: Observed, states: list[tuple[int, np.ndarray]]) -> Iterator[Finding]:
    steps = np.abs(np.diff([q for _, q in states], axis=0))
    times = np.abs(np.diff([stamp for stamp, _ in states])) / 1e9
    allowed = LEAP + LEAP_SPEED * times[:, None] * observed.setup.kinematics.velocity
    leaps = (steps > allowed).any(1)
    for stamp, q in _placed(observed):
        for i in np.flatnonzero(leaps):
            (before, _), (after, there) = states[i : i + 2]
            leaps[i] = not (before <= stamp <= after and (np.abs(there - q) < LEAP).all())
    if leaps.any():
        yield Finding(
            ERROR,
            "joint_leaps",
            observed.setup.joint_topic,
            "joints that move as an arm can",
            f"{int(leaps.sum())} leaps, of {steps[leaps].max():.2f} rad at most",
            "two sources publish different arms, or an encoder fails: end the other one (joint_state_publisher, an old driver)",
        )


def _placed(observed: Observed) -> Iterator[tuple[int, np.ndarray]]:
    """When [ns] and where (n,) [rad] the resets of a simulator have put the arm, as it says."""
    for stamp, message in observed.stream(observed.setup.placed_topic).kept:
        with suppress(JointStateError):
            yield stamp, read_joints(observed.setup.kinematics, message.name, message.position)
