"""Whether a command may be looked at: its form, its age and its times. Pure functions."""

from dataclasses import dataclass

import numpy as np

from wm_guard.limits import Limits, Refusal, Request, parse

NS = 1_000_000_000
# [s] a trajectory may start this far in the future (delay compensation).
MAX_LEAD = 0.5
# [s] to the last point. When everything else has died, the arm goes on to there.
MAX_LENGTH = 5.0
STATUS_VALUES = (0, 1, 2)


@dataclass(frozen=True)
class Asked:
    """What a command still asks for: `positions` (T, n) [rad] in the arm's joint order at `ends_ns` (T,), all in the future.

    The smooth motion comes later than these by the lag of smoothing. A command that is early enough has them so much earlier.
    """

    start_ns: int  # as it came: 0 means now
    ends_ns: np.ndarray
    positions: np.ndarray


def read(
    request: Request,
    names: tuple[str, ...],
    status: int,
    stamp_ns: int,
    now_ns: int,
    newest_ns: int,
    lag_ns: int,
    limits: Limits,
) -> Asked:
    """What a command asks for; raises Refusal.

    `stamp_ns`: of the measurement that it answers; `newest_ns`: the newest of those that were answered, 0 for none; `lag_ns`: of
    smoothing.
    """
    if status not in STATUS_VALUES:
        raise Refusal("status", f"expected a status of {STATUS_VALUES}, got {status}")
    motion = parse(request, names)
    age = (now_ns - stamp_ns) / NS
    if not 0.0 <= age <= limits.max_age:
        raise Refusal("stale", f"expected a measurement at most {limits.max_age} s old, got {age:.3f} s")
    if stamp_ns < newest_ns:
        back = (newest_ns - stamp_ns) / NS
        raise Refusal(
            "time_back", f"expected a measurement no older than the last one answered, got {back:.3f} s older"
        )
    start_ns = motion.start_ns or now_ns
    if start_ns - now_ns > MAX_LEAD * NS:
        raise Refusal("future", f"expected a start within {MAX_LEAD} s, got {(start_ns - now_ns) / NS:.3f} s ahead")
    early_ns = min(max(start_ns - now_ns, 0), lag_ns)
    ends_ns = start_ns + motion.times_ns - early_ns
    coming = ends_ns > now_ns
    if not coming.any():
        raise Refusal("late", f"all points lie in the past, the last by {(now_ns - ends_ns[-1]) / NS:.3f} s")
    if ends_ns[-1] - now_ns > MAX_LENGTH * NS:
        raise Refusal(
            "too_long", f"expected a motion of at most {MAX_LENGTH:g} s, got {(ends_ns[-1] - now_ns) / NS:.1f} s"
        )
    return Asked(motion.start_ns, ends_ns[coming], motion.positions[coming])
