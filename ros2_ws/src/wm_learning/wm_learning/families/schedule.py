"""Numbers of the two phases in which families are trained; see families/training.py."""

from dataclasses import dataclass, replace
from typing import Any

MEANT_FOR = 0.1  # [s] of a step: horizons and discounts of the families' defaults


def in_steps_of(config: Any, duration: float) -> Any:
    """A family's defaults with as many steps of `duration` [s] as take as long."""
    share = MEANT_FOR / duration
    return replace(
        config,
        **{name: part.in_steps(share) for name, part in vars(config).items() if hasattr(part, "in_steps")},
    )


def steps(count: int, share: float) -> int:
    """`count` steps in others, of which `share` take as long as one of these: at least one."""
    return max(1, round(share * count))


@dataclass(frozen=True)
class Images:
    """Numbers of the first phase."""

    steps: int
    batch: int
    horizon: int
    rate: float

    def in_steps(self, share: float) -> "Images":
        """With as long a horizon in steps of which `share` take as long as one of these."""
        return replace(self, horizon=steps(self.horizon, share))


@dataclass(frozen=True)
class Sequences:
    """Numbers of the second phase."""

    steps: int
    batch: int
    burn_in: int
    horizon: int
    rate: float
    validate_every: int = 500
    patience: int = 6  # validations

    def in_steps(self, share: float) -> "Sequences":
        """With as long sequences in steps of which `share` take as long as one of these."""
        return replace(self, burn_in=steps(self.burn_in, share), horizon=steps(self.horizon, share))
