"""Numbers of the two phases in which families are trained; see families/training.py."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Images:
    """Numbers of the first phase."""

    steps: int
    batch: int
    horizon: int
    rate: float


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
