"""Moves the arm slowly from pose to pose, by commands to a guard of its own: nothing reaches the arm past it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectoryPoint
from wm_msgs.msg import Command

from wm_bringup.calibration.streams import Streams
from wm_bringup.calibration.topics import Topics
from wm_bringup.embedded import Runner
from wm_bringup.graph_parts import Graph
from wm_bringup.graph_parts import Node as Process
from wm_core.kinematics import Kinematics
from wm_core.qos import STATE
from wm_core.rotations import pose_of
from wm_core.services import await_answers
from wm_guard.collisions import Box, Collisions
from wm_perception.calibration.board import Board
from wm_perception.calibration.poses import board_is_clear, way

PERIOD_S = 0.1  # of commands
AHEAD = 2  # periods that a command reaches ahead
JOINT_SHARE = 0.2  # of the joints' velocity limits
TOOL_SPEED = 0.1  # [m/s]
ARRIVED = 0.01  # [rad] from the pose, any joint
PATIENCE_S = 5.0  # after the time that the way should take
START_S = 60.0  # for the guard
BOARD = "board"
BOARD_BORDER, BOARD_THICK = 0.02, 0.01  # [m] around the print
BOARD_MARGIN = 0.01  # [m] between the board and links
LISTEN_S = 1.0  # that it listens to the joints before it believes them
GUARD = "wm_guard"


class ArmError(ValueError):
    """An arm that cannot be moved, or does not go where it is sent: says why."""


def collision_free(kinematics: Kinematics, board: Board) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Whether the arm may go straight between joints (n,): as the guard sees it (itself, the table, what is kept out), and with the
    board clear of the table and of the links before the tool's.
    """
    collisions = Collisions(kinematics)
    size = np.append(board.size + 2 * BOARD_BORDER, BOARD_THICK)
    middle = pose_of(np.eye(3), np.append(board.size / 2, 0.0))

    def clear(q: np.ndarray) -> bool:
        position, rotation = kinematics.fk(q)
        collisions.place([Box(BOARD, pose_of(rotation, position) @ board.mounted @ middle, size)])
        return all(
            away > BOARD_MARGIN
            for pair, away in zip(collisions.pairs, collisions.distances(q), strict=True)
            if BOARD in pair
        )

    def free(here: np.ndarray, there: np.ndarray) -> bool:
        if not board_is_clear(kinematics, board, here, there):
            return False
        places = way(here, there)
        if not all(clear(q) for q in places):
            return False
        collisions.place([])
        return all(collisions.approach(a, b).scale > 0 for a, b in zip(places, places[1:], strict=False))

    return free


@contextmanager
def guarded_arm(
    node: Node,
    spin: Callable[[float], object],
    streams: Streams,
    kinematics: Kinematics,
    robot: Mapping[str, str],
    topics: Topics,
) -> Iterator["GuardedArm"]:
    """A guard in a process of its own, for as long as the block lasts, and who moves the arm through it.

    `robot`: the guard's parameters that say which it is; `topics`: of joint states and of who takes trajectories.
    Raises ArmError where somebody else commands the arm.
    """
    busy = [topic for topic in ("wm/command", topics.controller) if node.count_publishers(topic)]
    if busy:
        raise ArmError(
            f"expected nobody else who moves the arm, somebody publishes on {', '.join(busy)}: end ./wm launch first"
        )
    parameters = {
        **robot,
        "tool_speed": 2 * TOOL_SPEED,
        "joint_topic": topics.joints,
        "trajectory_topic": topics.controller,
    }
    process = Process("wm_guard", "wm_guard", "wm_guard.node", GUARD, parameters)
    graph = Graph((process,), (), node.get_namespace().strip("/"), "error", {})
    with Runner(graph).started():
        _activate(node, spin)
        yield GuardedArm(node, spin, streams, kinematics)


def _activate(node: Node, spin: Callable[[float], object]) -> None:
    change = node.create_client(ChangeState, f"{GUARD}/change_state")
    if not await_answers(node.create_client(GetState, f"{GUARD}/get_state"), spin, START_S):
        raise ArmError(f"expected {GUARD} within {START_S:g} s, it did not answer; its messages stand above")
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        future = change.call_async(ChangeState.Request(transition=Transition(id=transition)))
        deadline = time.monotonic() + START_S
        while not future.done() and time.monotonic() < deadline:
            spin(0.05)
        if not future.done() or not future.result().success:
            raise ArmError(f"expected {GUARD} to be configured and activated, it refused; its messages stand above")
    deadline = time.monotonic() + LISTEN_S
    while time.monotonic() < deadline:
        spin(0.05)


class GuardedArm:
    """Sends the arm along straight lines in joint space; see `guarded_arm`. When it stops sending, the guard holds the arm."""

    def __init__(self, node: Node, spin: Callable[[float], object], streams: Streams, kinematics: Kinematics) -> None:
        self._node, self._spin, self._streams, self._kinematics = node, spin, streams, kinematics
        self._commands = node.create_publisher(Command, "wm/command", STATE)
        self._said = ""
        node.create_subscription(Command, "wm/executed", self._on_executed, STATE)

    def go(self, target: np.ndarray) -> None:
        """To joints `target` (n,) [rad]; raises ArmError when the arm does not get there, with the guard's reason."""
        start = self._streams.joints
        if start is None:
            raise ArmError("expected joint states, none came")
        seconds, began, self._said = self._duration(start, target), time.monotonic(), ""
        while (passed := time.monotonic() - began) < seconds + PATIENCE_S:
            self._send([_between(start, target, (passed + k * PERIOD_S) / seconds) for k in range(1, AHEAD + 1)])
            until = time.monotonic() + PERIOD_S
            while time.monotonic() < until:
                self._spin(0.01)
            here = self._streams.joints
            if passed > seconds and here is not None and np.abs(here - target).max() < ARRIVED:
                return
        said = f": the guard says: {self._said}" if self._said else "; is its controller active?"
        raise ArmError(f"the arm did not get to its pose within {seconds + PATIENCE_S:.0f} s{said}")

    def _duration(self, start: np.ndarray, target: np.ndarray) -> float:
        """[s] with a profile whose fastest moment is 1.5 times its mean."""
        tool = np.array([self._kinematics.fk(q)[0] for q in way(start, target)])
        length = float(np.linalg.norm(np.diff(tool, axis=0), axis=1).sum())
        joints = float((np.abs(target - start) / (JOINT_SHARE * self._kinematics.velocity)).max())
        return 1.5 * max(joints, length / TOOL_SPEED, PERIOD_S)

    def _send(self, points: list[np.ndarray]) -> None:
        now = self._node.get_clock().now().to_msg()
        message = Command(action=[], status=Command.ACTIVE)
        message.header.stamp = message.effective = now
        message.header.frame_id = self._kinematics.robot.table_frame
        for k, q in enumerate(points, 1):
            point = JointTrajectoryPoint(positions=q.tolist())
            point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(k * PERIOD_S * 1e9), 10**9)
            message.trajectory.points.append(point)
        message.trajectory.joint_names = list(self._kinematics.joint_names)
        self._commands.publish(message)

    def _on_executed(self, message: Command) -> None:
        self._said = message.reason or self._said


def _between(start: np.ndarray, target: np.ndarray, share: float) -> np.ndarray:
    """On the line from joints to joints (n,), slowly at both ends: Hermite's cubic."""
    share = min(1.0, max(0.0, share))
    return start + (target - start) * share * share * (3 - 2 * share)
