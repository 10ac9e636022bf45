"""Messages <-> the guard's types."""

import array

from builtin_interfaces.msg import Duration
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Command

from wm_core.conversions import tool_message
from wm_core.stamps import NS_PER_S, to_msg, to_ns
from wm_guard.guard import Kind, Verdict
from wm_guard.limits import Motion, Request


def to_request(message: JointTrajectory) -> Request:
    """Positions and times of a trajectory; velocities are dropped: the guard vouches for straight lines only."""
    return Request(
        names=message.joint_names,
        start_ns=to_ns(message.header.stamp),
        times_ns=[p.time_from_start.sec * NS_PER_S + p.time_from_start.nanosec for p in message.points],
        positions=[p.positions for p in message.points],
    )


def to_trajectory(motion: Motion, joint_names: tuple[str, ...], frame_id: str) -> JointTrajectory:
    """A motion as the arm controller takes it; stamp 0 starts it on arrival."""
    points = []
    for time_ns, positions in zip(motion.times_ns.tolist(), motion.positions, strict=True):
        seconds, nanoseconds = divmod(time_ns, NS_PER_S)
        duration = Duration(sec=seconds, nanosec=nanoseconds)
        points.append(JointTrajectoryPoint(positions=array.array("d", positions.tobytes()), time_from_start=duration))
    header = Header(stamp=to_msg(motion.start_ns), frame_id=frame_id)
    return JointTrajectory(header=header, joint_names=list(joint_names), points=points)


def to_executed(verdict: Verdict, trajectory: JointTrajectory, command: Command | None) -> Command:
    """What was really sent: the command with the guard's times and positions, or a hold (`command` None or refused); a hold
    with an empty trajectory where nothing was."""
    passed = command if verdict.kind in (Kind.PASS, Kind.LIMITED) else None
    effective = to_msg(verdict.effective_ns)
    reason = f"{verdict.reason}: {verdict.text}" if verdict.reason else (command.reason if command else "")
    return Command(
        header=command.header if command else Header(stamp=effective, frame_id=trajectory.header.frame_id),
        effective=effective,
        action=passed.action if passed else [0.0] * (len(command.action) if command else 2),
        tool_start=tool_message(verdict.tool_start),
        tool_end=tool_message(verdict.tool_end),
        trajectory=trajectory,
        status=passed.status if passed else Command.HOLD,
        reason=reason,
    )
