"""What an observer of the arm tells: when it was at rest, how far it went until then, whether it was beyond a limit. Pure.

Samples are pairs of arrival [s] and wm_msgs/ArmWatch.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

MOVING = 0.05  # [rad/s] fastest joint of an arm that is at work
AT_REST = 0.005
STILL_S = 0.1  # for which an arm must not move to be at rest
TOOL_SPEED = 0.5  # [m/s] as the shipped profiles say
Samples = Sequence[tuple[float, Any]]


def commanded(each: Any) -> float:
    """[rad/s] what the arm's controller was sent."""
    return each.commanded_speed


def true(each: Any) -> float:
    """[rad/s] what the arm does."""
    return each.arm_speed


def rest_after(
    samples: Samples, since: float, speed: Callable[[Any], float] = commanded, still: float = AT_REST
) -> float | None:
    """[s] from `since` until the arm has come to rest, for STILL_S; None: it has not."""
    still_since: float | None = None
    for at, each in samples:
        if at < since:
            continue
        if speed(each) > still:
            still_since = None
            continue
        still_since = at if still_since is None else still_since
        if at - still_since >= STILL_S:
            return still_since - since
    return None


def commanded_far(samples: Samples, since: float, way: float) -> float | None:
    """[s] from `since` until the fastest joint was commanded to go `way` [rad] further; None: it was not."""
    gone, before = 0.0, since
    for at, each in samples:
        if at <= since:
            continue
        gone += commanded(each) * (at - before)
        before = at
        if gone > way:
            return at - since
    return None


def unobserved(samples: Samples, since: float, until: float) -> float:
    """[s] of the longest time between `since` and `until` of which nothing was heard."""
    times = [since, *(at for at, _ in samples if since < at < until), until]
    return max(after - before for before, after in pairwise(times))


def farthest(samples: Samples, since: float, until: float) -> float:
    """[m] that the tool has gone at most: the greatest speed between two samples, for all of the time between them."""
    way, before = 0.0, since
    for at, each in samples:
        if since < at <= until:
            way += each.tool_speed * (at - before)
            before = at
    return way


def exceeded(each: Any) -> bool:
    """Whether the arm was beyond a limit: 1 % of velocity and 1 mrad are the servo's."""
    return each.velocity_share > 1.01 or each.position_excess > 0.001 or each.tool_speed > 1.1 * TOOL_SPEED


def worst(samples: Iterable[tuple[float, Any]]) -> dict[str, Any]:
    """The worst of some samples, as lines of results have it."""
    seen = [each for _, each in samples]
    return {
        "velocity_share": max((each.velocity_share for each in seen), default=None),
        "position_excess": max((each.position_excess for each in seen), default=None),
        "tool_speed": max((each.tool_speed for each in seen), default=None),
        "exceeded": any(exceeded(each) for each in seen),
    }
