"""Messages <-> the guard's types."""

import array

from builtin_interfaces.msg import Duration, Time
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Command, GuardState

from wm_core.conversions import tool_message
from wm_core.stamps import NS_PER_S, to_msg, to_ns
from wm_guard.limits import Motion, Request
from wm_guard.motions import Sent
from wm_guard.states import GuardStatus
from wm_guard.verdicts import Kind, Verdict


def to_request(message: JointTrajectory) -> Request:
    """Positions and times of a trajectory; velocities are dropped: the guard vouches for straight lines only."""
    return Request(
        names=message.joint_names,
        start_ns=to_ns(message.header.stamp),
        times_ns=[p.time_from_start.sec * NS_PER_S + p.time_from_start.nanosec for p in message.points],
        positions=[p.positions for p in message.points],
    )


def to_trajectory(motion: Motion | Sent, joint_names: tuple[str, ...], frame_id: str) -> JointTrajectory:
    """A motion as the arm controller takes it, or as it is commanded, in positions only; stamp 0 starts it on arrival."""
    points = []
    rows = (
        [motion.positions, motion.velocities, motion.accelerations] if isinstance(motion, Sent) else [motion.positions]
    )
    for time_ns, *values in zip(motion.times_ns.tolist(), *rows, strict=True):
        seconds, nanoseconds = divmod(time_ns, NS_PER_S)
        duration = Duration(sec=seconds, nanosec=nanoseconds)
        named = zip(("positions", "velocities", "accelerations"), values, strict=False)
        arrays = {name: array.array("d", row.tobytes()) for name, row in named}
        points.append(JointTrajectoryPoint(time_from_start=duration, **arrays))
    header = Header(stamp=to_msg(motion.start_ns), frame_id=frame_id)
    return JointTrajectory(header=header, joint_names=list(joint_names), points=points)


def to_executed(verdict: Verdict, trajectory: JointTrajectory, command: Command | None) -> Command:
    """What the arm really follows: the command with the guard's times and positions, or a hold (`command` None or refused); a
    hold with an empty trajectory where nothing was sent."""
    passed = command if verdict.kind in (Kind.PASS, Kind.LIMITED) else None
    effective = to_msg(verdict.effective_ns)
    reason = f"{verdict.reason}: {verdict.text}" if verdict.reason else (command.reason if command else "")
    start, end = tool_message(verdict.tool_start), tool_message(verdict.tool_end)
    if passed:  # joints say nothing of the fingers
        start.opening, end.opening = passed.tool_start.opening, passed.tool_end.opening
    return Command(
        header=command.header if command else Header(stamp=effective, frame_id=trajectory.header.frame_id),
        effective=effective,
        action=passed.action if passed else [0.0] * (len(command.action) if command else 2),
        tool_start=start,
        tool_end=end,
        trajectory=trajectory,
        status=passed.status if passed else Command.HOLD,
        reason=reason,
    )


def to_guard_state(status: GuardStatus, stamp: Time, frame_id: str) -> GuardState:
    return GuardState(
        header=Header(stamp=stamp, frame_id=frame_id),
        state=int(status.state),
        reasons=list(status.reasons),
        text=status.text,
        speed_scale=status.speed_scale,
    )
