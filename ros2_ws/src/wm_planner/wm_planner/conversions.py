"""Goals and decisions of the planner <-> ROS messages."""

from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Duration, Time
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Belief, Command, Plan
from wm_msgs.msg import Goal as GoalMessage

from wm_core.conversions import tool_message, tool_messages, track_messages
from wm_core.goal import ExploreGoal, Goal, GoalError
from wm_core.stamps import NS_PER_S, to_msg, to_ns
from wm_core.task import Task
from wm_planner.controller import Decision, Outlook
from wm_planner.goal import pose_goal
from wm_planner.tool_path import ToolMotion


def check_kind(message: GoalMessage) -> None:
    """Raises GoalError for a kind of goal that is not pursued."""
    if message.kind not in (GoalMessage.OBJECT_POSE, GoalMessage.EXPLORE):
        kind = {GoalMessage.IMAGE: "image", GoalMessage.TEXT: "text"}.get(message.kind, str(message.kind))
        raise GoalError(
            f"expected a goal of kind OBJECT_POSE or EXPLORE, got '{kind}': this bundle does not pursue such goals"
        )


def goal_of(message: GoalMessage, task: Task, table_frame: str, tolerance: float, seed: int) -> Goal:
    """The goal of a message whose kind is pursued; `tolerance` [m], 0: the task's; `seed`: of exploring. Raises GoalError."""
    if message.kind == GoalMessage.EXPLORE:
        if task.regions.exploring is None:
            raise GoalError(f"expected a task with regions of exploring, '{task.name}' has none; add them")
        return ExploreGoal(seed)
    place = message.object_pose
    pose = {axis: getattr(place.pose.position, axis) for axis in task.goal_axes}
    return pose_goal(pose, place.header.frame_id, table_frame, tolerance, task)


def trajectory_message(names: tuple[str, ...], motion: ToolMotion, stamp: Time) -> JointTrajectory:
    """Joint trajectory of a motion that begins at `stamp`."""
    points = []
    for seconds, joints in zip(motion.times, motion.joints, strict=True):
        nanoseconds = round(float(seconds) * 1e9)
        points.append(
            JointTrajectoryPoint(
                positions=joints.tolist(),
                time_from_start=Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9),
            )
        )
    return JointTrajectory(header=Header(stamp=stamp), joint_names=list(names), points=points)


def command_message(
    belief: Belief, decision: Decision, names: tuple[str, ...], effective_ns: int, status: int
) -> Command:
    motion, effective = decision.motion, to_msg(effective_ns)
    return Command(
        header=belief.header,
        effective=effective,
        action=np.asarray(decision.action, np.float32).tolist(),
        tool_start=tool_message(motion.start),
        tool_end=tool_message(motion.end),
        trajectory=trajectory_message(names, motion, effective),
        status=status,
        reason=motion.reason,
    )


def plan_message(belief: Belief, decision: Decision, outlook: Outlook, step_duration: float) -> Plan:
    """Plan of a decision that planned."""
    result, futures = decision.plan, outlook.futures
    if result is None or decision.latent is None:
        raise ValueError("expected a decision with a plan, got a hold")
    horizon, size = result.actions.shape
    path = _each_step(futures.start[0], futures.readout[:, 0].mean(0), futures.steps)
    every = replace(futures, readout=path, variance=np.full((len(path), futures.variance.shape[-1]), np.nan))
    return Plan(
        header=belief.header,
        model_id=belief.model_id,
        planner=decision.planner,
        step_duration=step_duration,
        horizon=horizon,
        action_size=size,
        actions=result.actions.reshape(-1).tolist(),
        objects=track_messages(every.scene),
        tool=tool_messages(every.tool),
        cost=outlook.cost,
        cost_names=list(outlook.cost_terms),
        cost_values=list(outlook.cost_terms.values()),
        uncertainty=outlook.uncertainty,
        candidates=result.candidates,
        iterations=result.iterations,
        deadline_missed=result.deadline_missed,
        delay=decision.delay,
        plan_ms=decision.plan_ms,
    )


def _each_step(start: np.ndarray, path: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """A path (H, R) known at `steps` (H,), from `start` (R,), at every step: within jumps on straight lines."""
    knots, places = np.concatenate([[0], steps]), np.vstack([start, path])
    every = np.arange(1, steps[-1] + 1)
    return np.stack([np.interp(every, knots, axis) for axis in places.T], 1)


def sent_motion(executed: Command) -> tuple[list[str], int, list[int], list[list[float]]]:
    """What the guard sent: joint names, when the motion begins [ns], and its points: when [ns], where [rad]."""
    begin_ns, trajectory = to_ns(executed.effective), executed.trajectory
    start_ns = to_ns(trajectory.header.stamp) or begin_ns
    times_ns = [start_ns + p.time_from_start.sec * NS_PER_S + p.time_from_start.nanosec for p in trajectory.points]
    return trajectory.joint_names, begin_ns, times_ns, [p.positions for p in trajectory.points]
