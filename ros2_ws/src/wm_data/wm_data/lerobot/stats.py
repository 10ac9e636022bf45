"""Statistics as LeRobot normalises by them: of each episode, and put together (`lerobot.datasets.compute_stats`).

Of images every pixel counts, where LeRobot samples some; of numbers what is not finite is left out.
"""

from collections.abc import Sequence

import numpy as np

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
Stats = dict[str, np.ndarray]


def names() -> list[str]:
    return [f"q{round(100 * q):02d}" for q in QUANTILES]


def of_numbers(values: np.ndarray) -> Stats:
    """Statistics (d,) of values (n, d) or (n,); count (1,)."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    rows = columns[np.isfinite(columns).all(1)]
    count = len(rows)
    if not count:  # without weight
        rows = np.zeros_like(columns[:1])
    stats = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    return {
        **stats,
        "count": np.array([count]),
        **dict(zip(names(), np.quantile(rows, QUANTILES, axis=0), strict=True)),
    }


class ImageStats:
    """Of an episode's images of one camera, by the histogram of each channel."""

    def __init__(self, channels: int, values: int, scale: float) -> None:
        """Pixels are 0..`values` - 1; statistics are of pixels divided by `scale`."""
        self._counts = np.zeros((channels, values), np.int64)
        self._scale, self._frames = scale, 0

    def add(self, image: np.ndarray) -> None:
        """An image (H, W, channels) of unsigned integers."""
        self._frames += 1
        for channel, counts in enumerate(self._counts):
            counts += np.bincount(image[..., channel].ravel(), minlength=len(counts))

    def result(self) -> Stats:
        """Statistics (channels, 1, 1); count (1,) of frames."""
        values = np.arange(self._counts.shape[1]) / self._scale
        rows = []
        for counts in self._counts:
            seen = values[counts > 0]
            share = counts / counts.sum()
            mean = share @ values
            std = np.sqrt(share @ (values - mean) ** 2)
            quantiles = values[np.searchsorted(np.cumsum(counts), np.array(QUANTILES) * counts.sum())]
            rows.append([seen[0], seen[-1], mean, std, *quantiles])
        shaped = np.array(rows).T[..., None, None]
        return {
            **dict(zip(("min", "max", "mean", "std", *names()), shaped, strict=True)),
            "count": np.array([self._frames]),
        }


def together(parts: Sequence[Stats]) -> Stats:
    """Of several episodes; like LeRobot's, quantiles are bounds: the least of the lower ones, the greatest of the upper ones."""
    counts = np.concatenate([part["count"] for part in parts])
    total = counts.sum()
    weights = (counts / total if total else np.full(len(parts), 1 / len(parts))).reshape(
        -1, *[1] * parts[0]["mean"].ndim
    )
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0] if name != "count"}
    if total:
        stacked |= {name: values[counts > 0] for name, values in stacked.items() if name not in ("mean", "std")}
    mean = (weights * stacked["mean"]).sum(0)
    variance = (weights * (stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2)).sum(0)
    bounds = {
        name: stacked[name].min(0) if q <= 0.5 else stacked[name].max(0)
        for name, q in zip(names(), QUANTILES, strict=True)
    }
    return {
        "min": stacked["min"].min(0),
        "max": stacked["max"].max(0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([total]),
        **bounds,
    }
