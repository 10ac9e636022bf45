"""Whether the arm pushes against something that it should not, by the efforts that its joint states tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NS = 1_000_000_000
HARDER = 0.5  # share of what is left up to its effort limit by which a joint that was excused may push harder
AT_LIMIT = 0.99  # share of the limit that no joint may push with for long, excused or not
LONG_S = 1.0


@dataclass(frozen=True)
class Thresholds:
    """When efforts say contact. `share`: of each joint's effort limit, whatever the arm does; `rise`: the same above its slow mean.

    `confirm`: joint states in a row; `mean_time` [s]: time constant of the mean.
    """

    share: float = 0.9
    rise: float = 0.5
    confirm: int = 3
    mean_time: float = 0.5


class Contact:
    """Watches efforts [N m]. Joint states without them, or with NaN, say nothing."""

    def __init__(self, limits: np.ndarray, joint_names: Sequence[str], thresholds: Thresholds | None = None) -> None:
        """`limits` (n,) [N m]: of the joints, above 0."""
        self._limits = np.asarray(limits, float)
        self._excused, self._excused_ns = np.zeros_like(self._limits), 0
        self._names = tuple(joint_names)
        self._thresholds = thresholds or Thresholds()
        self.forget()

    def forget(self) -> None:
        """The arm was moved otherwise: what was measured before says nothing of now."""
        self._mean: np.ndarray | None = None
        self._stamp_ns = 0
        self._count = 0
        self._newest: np.ndarray | None = None

    def excuse(self) -> None:
        """A person has looked: what the arm pushes with now is no contact until it pushes harder, or has let go. It must be able to
        move away.
        """
        now = np.zeros_like(self._limits) if self._newest is None else np.abs(self._newest)
        harder = now + HARDER * np.maximum(self._limits - now, 0.0)
        self._excused = np.where(now > self._thresholds.share * self._limits, harder, 0.0)
        self._mean, self._count, self._excused_ns = None, 0, self._stamp_ns

    def observe(self, efforts: np.ndarray, stamp_ns: int) -> str:
        """What touches, once efforts (n,) [N m] of enough joint states in a row say so; else empty."""
        efforts = np.asarray(efforts, float)
        if efforts.shape != self._limits.shape or not np.isfinite(efforts).all():
            self._count = 0
            return ""
        self._newest = efforts
        allowed = self._thresholds.share * self._limits
        self._excused[np.abs(efforts) < allowed] = 0.0
        if (self._excused > 0).any() and stamp_ns - self._excused_ns > LONG_S * NS:
            self._excused[np.abs(efforts) > AT_LIMIT * self._limits] = 0.0  # it had its time to let go
        if self._mean is None:
            self._mean, self._stamp_ns = efforts.copy(), stamp_ns
        self._mean = np.where(self._excused > 0, efforts, self._mean)
        high = np.abs(efforts) - np.maximum(allowed, self._excused)
        rise = np.abs(efforts - self._mean) - self._thresholds.rise * self._limits
        elapsed = max(0, stamp_ns - self._stamp_ns) / NS
        self._mean += (1 - np.exp(-elapsed / self._thresholds.mean_time)) * (efforts - self._mean)
        self._stamp_ns = stamp_ns
        excess = np.maximum(high, rise) / self._limits
        self._count = self._count + 1 if (excess > 0).any() else 0
        if self._count < self._thresholds.confirm:
            return ""
        joint = int(excess.argmax())
        return (
            f"{self._names[joint]} pushes with {efforts[joint]:.1f} N m, expected at most"
            f" {self._thresholds.share * self._limits[joint]:.1f}, and {self._thresholds.rise * self._limits[joint]:.1f} more than before"
        )
