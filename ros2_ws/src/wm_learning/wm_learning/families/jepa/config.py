"""Numbers of the jepa family."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Represent:
    """Phase 1: encoder and predictor from maps, without labels; probes beside them."""

    steps: int = 3000
    batch: int = 48
    horizon: int = 4
    rate: float = 1e-3
    regulariser: float = 0.05  # weight of SIGReg


@dataclass(frozen=True)
class Predict:
    """Phase 2: predictor and probes on sequences of embeddings."""

    steps: int = 6000
    batch: int = 128
    burn_in: int = 6
    horizon: int = 10
    rate: float = 1e-3
    validate_every: int = 500
    patience: int = 6  # validations


@dataclass(frozen=True)
class JepaConfig:
    state: int = 64
    members: int = 3
    hidden: int = 192
    represent: Represent = field(default_factory=Represent)
    predict: Predict = field(default_factory=Predict)
