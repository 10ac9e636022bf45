"""Delay compensation: plan from where the world will be when the command takes effect."""

from collections import deque

import numpy as np

from wm_core.bundle import Bundle


class DelayEstimator:
    """Running 95 % quantile of the measured time from camera stamp to command, below one step."""

    def __init__(self, initial_s: float, step_s: float, window: int = 50) -> None:
        self._samples: deque[float] = deque([initial_s], maxlen=window)
        self._longest = 0.9 * step_s

    def measured(self, delay_s: float) -> None:
        """Add one measured delay; nonsense (negative, not finite, over a second) is left out."""
        if 0 <= delay_s < 1.0:
            self._samples.append(delay_s)

    @property
    def delay_s(self) -> float:
        return float(min(self._longest, np.quantile(self._samples, 0.95)))


def roll_forward(
    bundle: Bundle,
    mean: np.ndarray,
    variance: np.ndarray,
    action: np.ndarray,
    share: float,
    ee: np.ndarray,
    ee_target: np.ndarray,
) -> np.ndarray:
    """Belief mean (L,) after `share` of a step under the executing `action` (2,), without a new observation.

    Pushing on a table is quasi-static: the object follows the distance that the tool moves, so a share of a step is a
    step with a share of the action. `ee` and `ee_target` (2,) [m]: measured and commanded tool position at that time.
    """
    out = bundle.run(
        "filter",
        mean=np.asarray(mean, np.float32)[None],
        variance=np.asarray(variance, np.float32)[None],
        action=(share * np.asarray(action, np.float32))[None],
        embedding=bundle.unseen(),
        proprio=np.concatenate([ee, ee_target]).astype(np.float32)[None],
    )
    return out["posterior_mean"][0]
