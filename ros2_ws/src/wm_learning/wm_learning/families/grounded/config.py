"""Numbers of the grounded family; the defaults are those of the shipped bundle."""

from dataclasses import dataclass, field

from wm_learning.families.schedule import Images, Sequences


@dataclass(frozen=True)
class GroundedConfig:
    code: int = 12  # numbers that describe the looks of the object
    members: int = 4
    hidden: int = 96
    images: Images = field(default_factory=lambda: Images(steps=2000, batch=32, horizon=6, rate=1.5e-3))
    sequences: Sequences = field(
        default_factory=lambda: Sequences(steps=7000, batch=192, burn_in=6, horizon=10, rate=1.5e-3)
    )
