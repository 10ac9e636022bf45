"""Numbers of the jepa family."""

from dataclasses import dataclass, field

from wm_learning.families.schedule import Images, Sequences


@dataclass(frozen=True)
class JepaConfig:
    state: int = 64
    members: int = 3
    hidden: int = 192
    regulariser: float = 0.05  # weight of SIGReg
    images: Images = field(default_factory=lambda: Images(steps=3500, batch=24, horizon=3, rate=1e-3))
    sequences: Sequences = field(
        default_factory=lambda: Sequences(steps=6000, batch=128, burn_in=6, horizon=10, rate=1e-3)
    )
