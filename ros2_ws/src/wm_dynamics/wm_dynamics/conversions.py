"""Belief and futures <-> ROS messages."""

import array
from dataclasses import replace

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from wm_msgs.msg import Belief, Branch, Command, Drift, Future, Observation, PredictionError

from wm_core.bundle import Bundle
from wm_core.conversions import object_messages, tool_message, tool_messages, tool_state, track_messages
from wm_core.executed import ExecutedMotion, nothing_sent
from wm_core.futures import Futures
from wm_core.scene import ToolState
from wm_core.specs_schema import TOOL_FIELDS
from wm_core.stamps import to_msg, to_ns
from wm_dynamics.belief import BeliefState
from wm_dynamics.calibration import Calibration
from wm_dynamics.drift import DriftState


def belief_message(header: Header, bundle: Bundle, state: BeliefState, observation: Observation) -> Belief:
    """What is believed after an observation; of the commanded tool what the bundle uses, the rest is as measured."""
    slots = state.scene.slots
    target, used = state.tool.values.copy(), [TOOL_FIELDS.index(name) for name in bundle.state.tool]
    target[used] = state.target.values[used]
    return Belief(
        header=header,
        model_id=bundle.id,
        mean=state.mean.tolist(),
        variance=state.variance.tolist(),
        objects=object_messages(state.scene, [state.visibility] * slots, [state.time_unseen] * slots),
        tool=observation.tool,
        tool_target=tool_message(ToolState(target)),
        surprise=state.surprise,
        encode_ms=observation.encode_ms,
        filter_ms=state.filter_ms,
    )


def error_message(header: Header, model_id: str, state: BeliefState) -> PredictionError:
    return PredictionError(
        header=header,
        model_id=model_id,
        error=state.error,
        normalised=state.normalised_error,
        surprise=state.surprise,
        surprising=state.surprise > 1,
        novelty=state.novelty.value,
        novelty_cause=state.novelty.cause,
    )


def drift_message(header: Header, model_id: str, state: DriftState) -> Drift:
    return Drift(
        header=header,
        model_id=model_id,
        level=state.level,
        drifting=state.level > 1,
        since=to_msg(state.since_ns),
        error=state.error,
        expected=state.expected,
        steps=state.steps,
        cause="prediction" if state.level > 1 else "",
    )


def record_executed(motion: ExecutedMotion, command: Command) -> None:
    """Add an executed command to the motion, if it moved the arm; raises ValueError when it is not usable."""
    if nothing_sent(command):
        return
    points = command.trajectory.points
    duration_ns = to_ns(points[-1].time_from_start) if points else 0
    motion.record(to_ns(command.effective), duration_ns, tool_state(command.tool_start), tool_state(command.tool_end))


def branch_message(
    actions: np.ndarray, futures: Futures, index: int, interval: np.ndarray | None, cost: float = float("nan")
) -> Branch:
    """Branch `index` of futures under actions (N, H, A); `interval` (N, H, 2) [m]: half widths, None without calibration."""
    part = slice(index, index + 1)
    one = replace(futures, readout=futures.readout[:, part], variance=futures.variance[:, part])
    mean = replace(one, readout=one.readout[:, 0].mean(0), variance=one.variance[:, 0].mean(0))
    slots = range(futures.state.objects)
    spread = np.stack([one.total_std(slot)[0] for slot in slots], -1)
    wide = None if interval is None else np.stack([interval[index].max(-1)] * len(slots), -1)
    return Branch(
        actions=actions[index].reshape(-1).tolist(),
        objects=track_messages(mean.scene, spread, wide),
        tool=tool_messages(mean.tool),
        cost=cost,
    )


def future_message(
    header: Header,
    model_id: str,
    step_duration: float,
    actions: np.ndarray,
    futures: Futures,
    images: np.ndarray,
    steps: list[int],
    calibration: Calibration | None,
) -> Future:
    interval = None if calibration is None else calibration.half_width(futures)
    branches = [branch_message(actions, futures, i, interval) for i in range(len(actions))]
    pictures = [image_message(header, image) for image in images]
    return Future(
        header=header,
        model_id=model_id,
        step_duration=step_duration,
        branches=branches,
        images=pictures,
        image_steps=steps,
    )


def image_message(header: Header, image: np.ndarray) -> Image:
    """rgb8 image of (H, W, 3) uint8."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(image).tobytes())
    height, width = image.shape[:2]
    return Image(header=header, height=height, width=width, encoding="rgb8", is_bigendian=0, step=3 * width, data=data)


def stamp_header(stamp_ns: int, frame: str) -> Header:
    return Header(stamp=to_msg(stamp_ns), frame_id=frame)
