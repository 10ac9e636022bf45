"""Numbers of the grounded family; the defaults are those of the shipped bundle."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Joint:
    """Phase 1: encoder, dynamics and decoder from images."""

    steps: int = 2000
    batch: int = 32
    horizon: int = 6
    rate: float = 1.5e-3


@dataclass(frozen=True)
class Sequence:
    """Phase 2: belief filter and dynamics on sequences of embeddings."""

    steps: int = 7000
    batch: int = 192
    burn_in: int = 6
    horizon: int = 10
    rate: float = 1.5e-3
    validate_every: int = 500
    patience: int = 6  # validations


@dataclass(frozen=True)
class GroundedConfig:
    code: int = 12  # numbers that describe the looks of the object
    members: int = 4
    hidden: int = 96
    joint: Joint = field(default_factory=Joint)
    sequence: Sequence = field(default_factory=Sequence)
