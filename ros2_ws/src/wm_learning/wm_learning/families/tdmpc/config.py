"""Numbers of the tdmpc family; weights of the losses are those of TD-MPC2 (Hansen et al. 2024)."""

from dataclasses import dataclass, field, replace

from wm_learning.families.schedule import Images, Sequences


@dataclass(frozen=True)
class Values:
    """Learning what a state is worth."""

    discount: float = 0.9  # per step
    critics: int = 3
    hidden: int = 128
    follow: float = 0.01  # share by which the slow critics follow at each step
    weight: float = 0.1  # of the losses of reward and value

    def in_steps(self, share: float) -> "Values":
        """With the same discount of a second in steps of which `share` take as long as one of these."""
        return replace(self, discount=self.discount ** (1 / share))


@dataclass(frozen=True)
class TdmpcConfig:
    state: int = 64
    features: int = 128  # of the encoder, before they are normalised to a state
    members: int = 3
    hidden: int = 128
    consistency: float = 20.0
    values: Values = field(default_factory=Values)
    images: Images = field(default_factory=lambda: Images(steps=3500, batch=24, horizon=3, rate=1e-3))
    sequences: Sequences = field(
        default_factory=lambda: Sequences(steps=6000, batch=128, burn_in=6, horizon=10, rate=1e-3)
    )
