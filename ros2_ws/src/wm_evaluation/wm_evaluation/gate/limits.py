"""The gate before a bundle is promoted: what was measured of it and of the promoted one, against limits. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from wm_evaluation.stats import Estimate, difference, ratio

NEW, OLD = "new", "old"  # domains
BETTER, SAME, WORSE, SHOWN = "better", "same", "worse", "shown"  # of one measure; shown: not judged


@dataclass(frozen=True)
class Limits:
    """What the gate asks for."""

    success_drop: float = 0.02  # share of the goals
    error_rise: float = 0.10  # share of the open-loop error
    # Of 90 % intervals, in each domain: what holds in a new world is wide in the old one, which costs caution, not safety.
    coverage: tuple[float, float] = (0.85, 0.98)
    latency_ms: float = 50.0  # encode, filter and plan together, 95 % quantile of CPU time


@dataclass(frozen=True)
class Goals:
    """The same goals given to both bundles in the worlds of a domain; arrays (n,)."""

    world: np.ndarray  # name
    reached: dict[str, np.ndarray]  # OLD (the promoted bundle), NEW (the candidate) -> whether
    seconds: dict[str, np.ndarray]  # to the goal; where it was missed, all the time there was


@dataclass(frozen=True)
class Predictions:
    """Imagined and real motion of the object in one set of held-out data."""

    name: str
    error: dict[str, np.ndarray]  # OLD, NEW -> (n,) [m] after `steps`, the same moving windows
    episode: np.ndarray  # (n,)
    steps: int
    coverage: dict[str, Estimate | None]  # of 90 % intervals over all windows; None: not calibrated


@dataclass(frozen=True)
class Domain:
    """All that was measured on one side."""

    goals: Goals | None
    predictions: Sequence[Predictions]


@dataclass(frozen=True)
class Criterion:
    """A row of the verdict."""

    domain: str
    measure: str
    promoted: str
    candidate: str
    change: str
    limit: str
    verdict: str
    passed: bool

    def json(self) -> dict[str, Any]:
        return asdict(self)


def judge(new: Domain, old: Domain, latency_ms: dict[str, float], limits: Limits) -> list[Criterion]:
    """All criteria; the bundle passes when every one does."""
    gains = [*_success(NEW, new.goals, limits), *_time(NEW, new.goals), *_errors(NEW, new.predictions, limits)]
    worse = any(row.verdict == WORSE for row in gains)
    found = [row.measure for row in gains if row.verdict == BETTER]
    summary = Criterion(
        NEW,
        "better in one, worse in none",
        "",
        "",
        "",
        "interval of the change beyond 0",
        f"better: {', '.join(found)}" if found else "no better",
        bool(found) and not worse,
    )
    kept = [*_success(OLD, old.goals, limits), *_time(OLD, old.goals), *_errors(OLD, old.predictions, limits)]
    covered = [*_coverage(NEW, new.predictions, limits), *_coverage(OLD, old.predictions, limits)]
    return [*gains, summary, *kept, *covered, _latency(latency_ms, limits)]


def _success(domain: str, goals: Goals | None, limits: Limits) -> list[Criterion]:
    """Of all worlds together; beside it, if there are several, of each."""
    if goals is None:
        return []
    rows = [_success_row(domain, "goals reached within 2 cm [%]", goals, np.ones(len(goals.world), bool), limits)]
    worlds = np.unique(goals.world)
    for world in worlds if len(worlds) > 1 else ():
        rows.append(_success_row(domain, f"  of these in {world}", goals, goals.world == world, None))
    return rows


def _success_row(domain: str, name: str, goals: Goals, mine: np.ndarray, limits: Limits | None) -> Criterion:
    reached = {side: goals.reached[side][mine].astype(float) for side in (OLD, NEW)}
    change = difference(reached[NEW], reached[OLD], np.flatnonzero(mine))
    verdict = SHOWN
    if limits is not None:
        verdict = BETTER if change.low > 0 else WORSE if change.value < -limits.success_drop - 1e-9 else SAME
    shares = {
        side: f"{100 * values.mean():.1f} ({int(values.sum())}/{len(values)})" for side, values in reached.items()
    }
    limit = "" if limits is None else f"at most {100 * limits.success_drop:g} points less"
    return Criterion(domain, name, shares[OLD], shares[NEW], _signed(change, 1, 100), limit, verdict, verdict != WORSE)


def _time(domain: str, goals: Goals | None) -> list[Criterion]:
    """Time to the goal: a reason to promote in the new domain, shown in the old one."""
    if goals is None:
        return []
    change = difference(goals.seconds[NEW], goals.seconds[OLD], np.arange(len(goals.world)))
    verdict = SHOWN
    if domain == NEW:
        verdict = BETTER if change.high < 0 else WORSE if change.low > 0 else SAME
    means = {side: f"{values.mean():.2f}" for side, values in goals.seconds.items()}
    text = _signed(change, 2)
    return [Criterion(domain, "time to the goal [s]", means[OLD], means[NEW], text, "", verdict, verdict != WORSE)]


def _errors(domain: str, predictions: Sequence[Predictions], limits: Limits) -> list[Criterion]:
    rows = []
    for each in predictions:
        change = ratio(each.error[NEW] - each.error[OLD], each.error[OLD], each.episode)
        verdict = BETTER if change.high < 0 else WORSE if change.value > limits.error_rise else SAME
        means = {side: f"{1000 * values.mean():.1f}" for side, values in each.error.items()}
        name = f"error after {each.steps} steps, {each.name} [mm]"
        limit = f"at most {100 * limits.error_rise:g} % more"
        rows.append(
            Criterion(
                domain, name, means[OLD], means[NEW], f"{_signed(change, 1, 100)} %", limit, verdict, verdict != WORSE
            )
        )
    return rows


def _coverage(domain: str, predictions: Sequence[Predictions], limits: Limits) -> list[Criterion]:
    low, high = limits.coverage
    rows = []
    for each in predictions:
        mine = each.coverage[NEW]
        held = mine is not None and low <= mine.value <= high
        texts = {
            side: "not calibrated" if found is None else found.text(1, 100) for side, found in each.coverage.items()
        }
        limit, verdict = f"from {100 * low:g} to {100 * high:g}", "calibrated" if held else "not calibrated"
        name = f"intervals of 90 % hold, {each.name} [%]"
        rows.append(Criterion(domain, name, texts[OLD], texts[NEW], "", limit, verdict, held))
    return rows


def _latency(latency_ms: dict[str, float], limits: Limits) -> Criterion:
    fits = latency_ms[NEW] <= limits.latency_ms
    return Criterion(
        "both",
        "encode, filter and plan, p95 of CPU time [ms]",
        f"{latency_ms[OLD]:.1f}",
        f"{latency_ms[NEW]:.1f}",
        "",
        f"at most {limits.latency_ms:g}",
        "in time" if fits else "too slow",
        fits,
    )


def _signed(change: Estimate, digits: int, scale: float = 1.0) -> str:
    """'+4.5 [+4.1, +4.9]'."""
    value, low, high = (f"{scale * number:+.{digits}f}" for number in (change.value, change.low, change.high))
    return f"{value} [{low}, {high}]"
