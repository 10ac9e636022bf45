"""Intervals that mean what they say: the imagined spread times multipliers that were fitted to held-out outcomes.

Split conformal prediction with the error over the predicted deviation as score (Angelopoulos and Bates 2021, 2.2), by
horizon and in two classes, objects that are predicted to stay and to move (Mondrian: Vovk et al. 2005).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_core.bundle import Bundle, BundleError
from wm_core.futures import Futures

LEVEL = 0.9  # of the intervals that are published and planned with


@dataclass(frozen=True)
class Calibration:
    """Multipliers of the predicted deviation, by class (stays, moves), horizon and level."""

    levels: tuple[float, ...]  # (K,) shares of outcomes that an interval is to hold
    steps: tuple[int, ...]  # (S,) horizons, increasing
    moved: float  # [m] an object predicted to move farther belongs to the second class
    floor: float  # [m] added to the predicted deviation in squares: what no model knows better
    multipliers: np.ndarray  # (2, S, K)

    @staticmethod
    def of(bundle: Bundle, macro: bool = False) -> "Calibration | None":
        """The calibration that a bundle brings, of its steps or (`macro`) of its jumps.

        Raises BundleError for one that does not fit together.
        """
        block = (bundle.spec["macro"] if macro else bundle.spec).get("calibration")
        if block is None:
            return None
        try:
            return Calibration.parse(block)
        except ValueError as error:
            where = "macro.calibration" if macro else "calibration"
            raise BundleError(f"{bundle.path}/bundle.yaml: {where}: {error}; run wm calibrate again") from error

    @staticmethod
    def parse(block: Mapping[str, Any]) -> "Calibration":
        """From the `calibration` block of a bundle.yaml (its types are verified when the bundle is loaded)."""
        levels, steps = tuple(block["levels"]), tuple(block["steps"])
        multipliers = np.array([block["still"], block["moving"]], float)
        if multipliers.shape != (2, len(steps), len(levels)):
            raise ValueError(
                f"expected multipliers for {len(steps)} steps and {len(levels)} levels, got {multipliers.shape[1:]}"
            )
        if not (np.isfinite(multipliers).all() and (multipliers > 0).all()):
            raise ValueError("expected positive finite multipliers")
        if list(steps) != sorted(set(steps)):
            raise ValueError(f"expected increasing steps, got {list(steps)}")
        return Calibration(levels, steps, float(block["moved"]), float(block["floor"]), multipliers)

    def block(self) -> dict[str, Any]:
        """As in bundle.yaml."""
        still, moving = (np.round(table, 4).tolist() for table in self.multipliers)
        return {
            "levels": list(self.levels),
            "steps": list(self.steps),
            "moved": self.moved,
            "floor": self.floor,
            "still": still,
            "moving": moving,
        }

    def half_width(self, futures: Futures, level: float = LEVEL) -> np.ndarray:
        """Half widths (N, H, 2) [m] of intervals around the predicted object x, y that hold a share `level` of the outcomes.

        Raises ValueError for a level that was not calibrated.
        """
        if level not in self.levels:
            raise ValueError(f"expected a level out of {list(self.levels)}, got {level}")
        tables = self.multipliers[:, :, self.levels.index(level)]
        wide = deviation(futures, self.floor)
        still, moving = (np.interp(futures.steps, self.steps, table) for table in tables)
        return np.where(motion(futures) > self.moved, moving, still)[..., None] * wide


def deviation(futures: Futures, floor: float) -> np.ndarray:
    """Predicted standard deviation (N, H, 2) [m] of the object: ensemble spread, predictive variance and `floor` [m]."""
    return np.sqrt(futures.object().var(0) + futures.object_variance().mean(0) + floor**2)


def motion(futures: Futures) -> np.ndarray:
    """How far (N, H) [m] the object is predicted to have moved."""
    return np.linalg.norm(futures.mean_object() - futures.object_start()[:, None], axis=-1)
