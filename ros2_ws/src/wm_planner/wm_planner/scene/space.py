"""Where a robot may bring objects."""

import numpy as np

FARTHEST = 0.04  # [m] objects may be brought from the edge of the tool's reach


def region_within(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (2,) [m] of where objects may be brought, for bounds (6,) of tool states."""
    return lower[:2] + FARTHEST, upper[:2] - FARTHEST
