"""How the arm is stopped: slowed down on the way that it was commanded, then held where that ends."""

import numpy as np

from wm_core.joint_path import JointPath

NS = 1_000_000_000
POINTS = 8  # of a stop


def stop(path: JointPath, now_ns: int, acceleration: float, hold_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Stop from the motion on `path`: when (k,) [ns] to be at points[1:], and the points (k+1, n) [rad], the first at `now_ns`.

    The stop stays on what was commanded, all of which was checked, and never goes beyond its end. Speed falls by a smooth step
    within `acceleration` [rad/s^2] of the fastest joint, sooner only where the commanded motion ends sooner. Lasts `hold_ns` at least.
    """
    here = path.at(now_ns)
    speed = float(np.abs(path.speed(now_ns)).max())
    # The mean of a smooth step is 1/2, its steepest slope 3/2: in T seconds the arm comes as far as at full speed in T/2.
    stopping_ns = min(int(1.5 * speed / acceleration * NS), 2 * max(0, path.end_ns - now_ns))
    if stopping_ns < POINTS:
        return np.array([now_ns + hold_ns]), np.vstack([here, here])
    share = np.arange(1, POINTS + 1) / POINTS
    progress = share - share**3 + share**4 / 2
    ends_ns = now_ns + (stopping_ns * share).astype(np.int64)
    points = [here, *(path.at(now_ns + int(stopping_ns * part)) for part in progress)]
    if stopping_ns < hold_ns:
        ends_ns, points = np.append(ends_ns, now_ns + hold_ns), [*points, points[-1]]
    return ends_ns, np.array(points)
