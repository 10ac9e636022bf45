"""Figures with intervals, and statistics of ranks."""

from dataclasses import dataclass

import numpy as np

from wm_tasks.report import wilson

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}

    def text(self, digits: int = 1, scale: float = 1.0) -> str:
        """'4.5 [4.1, 4.9]'."""
        value, low, high = (f"{scale * number:.{digits}f}" for number in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"


def mean(values: np.ndarray, groups: np.ndarray) -> Estimate:
    """Mean of values (n,) with an interval over groups (n,): what is measured in one episode hangs together.

    A share of exactly none or all, of which a bootstrap would be certain, has Wilson's interval for that many groups.
    """
    if len(values) and np.all(values == values[0]) and values[0] in (0, 1):
        count = len(np.unique(groups))
        return Estimate(float(values[0]), *wilson(count * int(values[0]), count))
    return ratio(values, np.ones(len(values)), groups)


def ratio(numerator: np.ndarray, denominator: np.ndarray, groups: np.ndarray) -> Estimate:
    """Sum of `numerator` (n,) over that of `denominator` (n,); percentile bootstrap of whole groups (Efron 1979), seeded.

    NaN without values; the interval is NaN with fewer than two groups.
    """
    if not len(numerator):
        return Estimate(np.nan, np.nan, np.nan)
    _, member = np.unique(groups, return_inverse=True)
    above, below = np.bincount(member, numerator), np.bincount(member, denominator)
    value = float(above.sum() / below.sum())
    if len(above) < 2:
        return Estimate(value, np.nan, np.nan)
    drawn = np.random.default_rng(0).integers(len(above), size=(RESAMPLES, len(above)))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = above[drawn].sum(1) / below[drawn].sum(1)
    low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def difference(new: np.ndarray, old: np.ndarray, groups: np.ndarray) -> Estimate:
    """Mean of the paired differences new - old (n,), interval over groups (n,) as in `mean`.

    Where no pair differs, which a bootstrap would be certain of, up to Wilson's share of them may differ by the largest value.
    """
    change = np.asarray(new, float) - np.asarray(old, float)
    if len(change) and not change.any():
        most = wilson(0, len(np.unique(groups)))[1] * float(np.abs(new).max(initial=0.0))
        return Estimate(0.0, -most, most)
    return ratio(change, np.ones(len(change)), groups)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (n,) from 0; equal values share the mean of theirs."""
    _, member, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2)[member]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of two sets of values (n,) (Spearman 1904); NaN where one does not vary."""
    if len(a) < 2:
        return float("nan")
    x, y = (ranks(np.asarray(values, float)) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else float("nan")


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive scores above a negative, ties half (Hanley and McNeil 1982); NaN without one of them."""
    if not len(positive) or not len(negative):
        return float("nan")
    found = ranks(np.concatenate([positive, negative]))[: len(positive)]
    return float((found.sum() - len(positive) * (len(positive) - 1) / 2) / (len(positive) * len(negative)))
