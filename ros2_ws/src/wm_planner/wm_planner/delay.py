"""Delay compensation: plan from where the world will be when the command takes effect."""

from collections import deque

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.scene import ToolState


class DelayEstimator:
    """Running 95 % quantile of the measured time from camera stamp to command, below one step."""

    def __init__(self, initial_s: float, step_s: float, window: int = 50) -> None:
        self._samples: deque[float] = deque([initial_s], maxlen=window)
        self._computing: deque[float] = deque([0.3 * initial_s], maxlen=window)
        self._longest = 0.9 * step_s

    def measured(self, delay_s: float, computing_s: float) -> None:
        """Add one measured delay and the part of it after the belief had come; nonsense is left out."""
        if 0 <= computing_s <= delay_s < 1.0:
            self._samples.append(delay_s)
            self._computing.append(computing_s)

    def delay_s(self, age_s: float = 0.0) -> float:
        """What to expect for a belief that is `age_s` old already: more than usual when it comes late."""
        usual = float(min(self._longest, np.quantile(self._samples, 0.95)))
        return max(usual, age_s + float(np.median(self._computing)))


def predict(
    bundle: Bundle,
    mean: np.ndarray,
    variance: np.ndarray,
    tool: ToolState,
    motion: ExecutedMotion,
    stamp_ns: int,
    delay_ns: int,
) -> np.ndarray:
    """Belief mean (L,) at `stamp_ns + delay_ns`, under what was commanded for that time; `tool` (6,): measured at the stamp."""
    # Pushing on a table is quasi-static: the object follows the distance that the tool moves, so a share of a step is a
    # step with a share of the action.
    step_ns = round(bundle.step_duration * 1e9)
    mean, variance = np.asarray(mean, np.float32)[None], np.asarray(variance, np.float32)[None]
    for begin in range(0, delay_ns, step_ns):
        t0, t1 = stamp_ns + begin, stamp_ns + min(begin + step_ns, delay_ns)
        action = motion.action(t0, t1, bundle.action)
        tool = ToolState(tool.values + bundle.action.to_displacement(action))
        target = motion.target(t1) if len(motion) else tool
        mean = bundle.run(
            "filter",
            mean=mean,
            variance=variance,
            action=np.asarray(action, np.float32)[None],
            embedding=bundle.unseen,
            proprio=np.concatenate([each.get(bundle.state.tool) for each in (tool, target)]).astype(np.float32)[None],
        )["posterior_mean"]
    return mean[0]
