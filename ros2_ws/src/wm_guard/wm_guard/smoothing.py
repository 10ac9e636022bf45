"""Commanded joint paths made smooth: a piecewise linear path filtered by two moving averages.

FIR trajectory generation (Biagiotti and Melchiorri 2012, "FIR filters for online trajectory planning with time- and frequency-domain
specifications"). The result never leaves the hull of the path, is never faster than it, changes its velocity within the first
average and its acceleration within the second, and rests `first + second` after the path ends.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class States:
    """A motion at some times: position, velocity, acceleration, jerk, each (m, n) [rad, s]."""

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray


def smooth(times: np.ndarray, points: np.ndarray, at: np.ndarray, first: float, second: float) -> States:
    """The path through `points` (k, n) at ascending `times` (k,) [s], at rest before and after, smoothed; at times `at` (m,).

    `first`, `second` [s]: lengths of the averages, both above 0. Jerk is that just after a time.
    """
    slopes = (points[1:] - points[:-1]) / (times[1:] - times[:-1])[:, None]
    bends = np.zeros_like(points)  # (k, n): change of velocity at each point
    bends[:-1] += slopes
    bends[1:] -= slopes
    # A bend is a ramp, its average twice over the difference of four cubics.
    since = at[:, None] - times - np.array([0.0, first, second, first + second])[:, None, None]
    parts = np.empty((4, *since.shape))  # cubic and its derivatives
    np.maximum(since, 0.0, out=parts[2])
    np.multiply(parts[2], parts[2], out=parts[1])
    np.multiply(parts[1], parts[2], out=parts[0])
    parts[0] /= 6
    parts[1] /= 2
    np.greater_equal(since, 0.0, out=parts[3])
    cubic, square, line, step = (parts[:, 0] - parts[:, 1] - parts[:, 2] + parts[:, 3]) @ bends / (first * second)
    return States(points[0] + cubic, square, line, step)


def corners(times: np.ndarray, first: float, second: float) -> np.ndarray:
    """When the jerk of the smoothed path changes [s]: between these times its acceleration is a straight line."""
    return (times + np.array([0.0, first, second, first + second])[:, None]).ravel()
