"""Numbers of the rssm family; free bits and unimix are those of DreamerV3 (Hafner et al. 2023)."""

from dataclasses import dataclass, field

from wm_learning.families.schedule import Images, Sequences


@dataclass(frozen=True)
class Balance:
    """Weights of the two divergences between posterior and prior."""

    dynamics: float = 0.3  # the prior learns to foresee the posterior
    representation: float = 0.1  # the posterior stays where the prior can follow
    free: float = 1.0  # [nat] of a step below which neither counts


@dataclass(frozen=True)
class RssmConfig:
    features: int = 32  # of the encoder, about the looks of the object
    deterministic: int = 64
    groups: int = 8  # categorical variables of the stochastic state
    classes: int = 8  # of each
    members: int = 3  # samples of the stochastic state
    hidden: int = 96
    pictures: int = 8  # drawn in a step of the second phase
    balance: Balance = field(default_factory=Balance)
    images: Images = field(default_factory=lambda: Images(steps=2000, batch=16, horizon=3, rate=1e-3))
    sequences: Sequences = field(
        default_factory=lambda: Sequences(steps=6000, batch=96, burn_in=6, horizon=10, rate=1e-3)
    )
