"""Whether a bundle that has just taken over predicts worse than the one before it did: on the moving object, live. Pure: no ROS.

Errors of one step are heavy-tailed and hang together within a push, so they are taken in blocks of consecutive moving steps,
each summed up by its median, which a few wild ones do not move. The logarithms of these medians
before and after the swap are compared as in Welch's test, with a spread that is never taken for smaller than it usually is:
a few blocks show only a gross rise, many a small one. What the bundle's training measured on held-out data counts as some more
blocks from before. Soon after a start or another swap there are few others, and their number does not grow any more: by them alone
four times the error is within what chance does, however long the bundle is watched.

Errors at rest are far smaller: where those on all steps exceed the ones on moving steps from before, something is wrong. A bundle
with which nothing moves any more, because it trusts no plan, has no error to show; it is found by the goals that it fails.
"""

import math
from collections import deque
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np

MOVING = 0.002  # [m] by which the object is seen to move within a step
JUMP = 0.06  # [m] from which on it is another scene
LONGEST_STEP_NS = 250_000_000  # between two observations that are compared
BLOCK = 10  # moving steps
FEWEST = 3  # blocks, on both sides
ENOUGH = 30  # blocks after which a bundle is accepted
FLOOR = 0.001  # [m] below it errors are those of seeing
RISE = 1.5  # times the error before
RISE_AT_REST = 2.0  # times the error on moving steps before, on all steps
# Blocks that the figure of held-out data counts for: alone it allows twice the rise, since those data were others.
METRIC_BLOCKS = 4
SPREAD = 0.4  # of the logarithm of a block's median; see bench/swap_watch.py
SIGMAS = 3.5  # by which a rise must exceed its limit: there are many looks
GOALS = 30  # that are remembered of a bundle
KEPT = 3  # bundles
CHANCE = 1e-3  # of so many failed goals without a change for the worse
WATCHING, WORSE, ACCEPTED = "watching", "worse", "accepted"


@dataclass(frozen=True)
class Finding:
    """What the errors say so far."""

    verdict: str  # WATCHING, WORSE or ACCEPTED
    ratio: float  # of the errors to the reference; NaN before there are enough
    text: str


class LiveErrors:
    """The newest prediction errors [m] of one bundle: on the steps in which the object is seen to move, and on all."""

    def __init__(self) -> None:
        self._seen: tuple[int, float, float] | None = None
        self._moved: dict[int, float] = {}  # stamp -> [m] since the observation before
        self.moving: deque[float] = deque(maxlen=BLOCK * ENOUGH)
        self.all: deque[float] = deque(maxlen=BLOCK * ENOUGH)

    def observe(self, stamp_ns: int, x: float, y: float, visible: bool) -> None:
        """Add where the object is seen [m]."""
        before, self._seen = self._seen, (stamp_ns, x, y) if visible else None
        if before is None or not visible or not 0 < stamp_ns - before[0] <= LONGEST_STEP_NS:
            return
        self._moved[stamp_ns] = math.hypot(x - before[1], y - before[2])
        while len(self._moved) > BLOCK:
            del self._moved[next(iter(self._moved))]

    def add(self, stamp_ns: int, error: float) -> None:
        """Add how far an observation was from its prediction [m]; NaN, of an object out of sight, is left out."""
        moved = self._moved.pop(stamp_ns, 0.0)
        if math.isfinite(error):
            self.all.append(error)
            if MOVING <= moved < JUMP:
                self.moving.append(error)


def blocks(errors: Collection[float]) -> np.ndarray:
    """Logarithms (n,) of the medians of whole blocks of errors [m]."""
    whole = len(errors) // BLOCK * BLOCK
    values = np.maximum(np.array(list(errors), float)[:whole].reshape(-1, BLOCK), FLOOR)
    return np.log(np.median(values, axis=1))


def judge(after: LiveErrors, before: Collection[float], metric: float | None = None) -> Finding:
    """Compare the errors of a bundle since it took over with those on moving steps before [m].

    `metric` [m]: mean error of one step on held-out data, or None. Nothing is judged by fewer than `FEWEST` blocks in all. A
    bundle is accepted after `ENOUGH` blocks on which its errors have not risen above the limit, and watched on otherwise.
    """
    measured = metric if metric and math.isfinite(metric) else None
    sources = {
        "before": blocks(before),
        "on held-out data": blocks([measured] * BLOCK * METRIC_BLOCKS if measured else []),
    }
    reference = np.concatenate(list(sources.values()))
    source = " and ".join(name for name, known in sources.items() if len(known))
    if len(reference) < FEWEST:
        enough = len(after.moving) >= BLOCK * ENOUGH
        return Finding(ACCEPTED if enough else WATCHING, math.nan, "nothing to compare with")
    for errors, most, where in ((after.all, RISE_AT_REST, ""), (after.moving, RISE, " moving")):
        mine = blocks(errors)
        if len(mine) < FEWEST:
            continue
        rise = float(mine.mean() - reference.mean())
        spread = max(SPREAD, *(float(side.std(ddof=1)) for side in (mine, reference) if len(side) > 1))
        least = rise - SIGMAS * spread * math.sqrt(1 / len(mine) + 1 / len(reference))
        text = (
            f"prediction error {1000 * math.exp(mine.mean()):.1f} mm on {len(mine) * BLOCK}{where} steps, moving {source}"
            f" {1000 * math.exp(reference.mean()):.1f} mm: {math.exp(rise):.2f} times, at least {math.exp(least):.2f},"
            f" {most:g} allowed"
        )
        if least > math.log(most):
            return Finding(WORSE, math.exp(rise), text)
    if len(after.moving) < BLOCK * FEWEST:
        return Finding(WATCHING, math.nan, f"{len(after.moving)} moving steps")
    good = len(mine) >= ENOUGH and rise <= math.log(RISE)
    return Finding(ACCEPTED if good else WATCHING, math.exp(rise), text)


def judge_goals(after: Collection[bool], before: Collection[bool]) -> Finding:
    """Compare goals reached since a swap with those before it: Fisher's exact test, one-sided."""
    good, all_good = sum(after), sum(after) + sum(before)
    count, total = len(after), len(after) + len(before)
    ways = [math.comb(all_good, k) * math.comb(total - all_good, count - k) for k in range(good + 1)]
    chance = sum(ways) / math.comb(total, count)
    text = f"{good} of {count} goals reached, before {sum(before)} of {len(before)}"
    ratio = math.nan if not before or not count else (good / count) / max(sum(before) / len(before), 1e-9)
    return Finding(WORSE if chance < CHANCE else WATCHING, ratio, text)


@dataclass(frozen=True)
class Record:
    """How one bundle has done lately."""

    errors: LiveErrors = field(default_factory=LiveErrors)
    goals: deque[bool] = field(default_factory=lambda: deque(maxlen=GOALS))  # reached or not


@dataclass(frozen=True)
class Watch:
    """Over a bundle that has taken over."""

    id: str
    before: Record  # of the bundle it replaced, until then
    metric: float | None


class Records:
    """How the bundles in the nodes have done lately, by id, and the watch over the one in use. The newest few are kept."""

    def __init__(self) -> None:
        self._of: dict[str, Record] = {}
        self._watch: Watch | None = None

    @property
    def watching(self) -> bool:
        return self._watch is not None

    def watch(self, id: str, before: str, metric: float | None) -> None:
        """Compare what `id` does from now on, and has done since `forget`, with what `before` has done so far."""
        self._watch = Watch(id, deepcopy(self._record(before)), metric)

    def stop_watching(self) -> None:
        self._watch = None

    def forget(self, id: str) -> None:
        """A bundle begins anew."""
        self._of.pop(id, None)

    def observe(self, id: str, stamp_ns: int, x: float, y: float, visible: bool) -> None:
        """Where the object is seen [m] by the encoder of a bundle."""
        self._record(id).errors.observe(stamp_ns, x, y, visible)

    def error(self, id: str, stamp_ns: int, error: float) -> Finding | None:
        """A prediction error [m] -> what is found of the watched bundle, whenever one more block of steps is known."""
        errors = self._record(id).errors
        errors.add(stamp_ns, error)
        if self._watch is None or id != self._watch.id or len(errors.all) % BLOCK:
            return None
        return judge(errors, self._watch.before.errors.moving, self._watch.metric)

    def goal(self, id: str, reached: bool) -> Finding | None:
        """The end of a goal -> what is found of the watched bundle."""
        goals = self._record(id).goals
        goals.append(reached)
        if self._watch is None or id != self._watch.id:
            return None
        return judge_goals(goals, self._watch.before.goals)

    def _record(self, id: str) -> Record:
        record = self._of.pop(id, None) or Record()
        self._of[id] = record  # the newest last
        while len(self._of) > KEPT:
            del self._of[next(iter(self._of))]
        return record
