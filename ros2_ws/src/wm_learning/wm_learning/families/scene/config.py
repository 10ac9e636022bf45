"""Every number of the family, in one place."""

from dataclasses import dataclass, field, replace

from wm_core.config import SettingError


@dataclass(frozen=True)
class Stage:
    """One stage of training: rollouts of `horizon` steps."""

    steps: int
    horizon: int
    batch: int  # windows for each member
    rate: float
    outline_noise: float = 0.0  # [m] by which outlines are seen wrongly, each place and all together
    turned: float = 0.0  # share of the objects whose frame is turned by any angle: cameras know no other


@dataclass(frozen=True)
class SceneConfig:
    members: int = 4
    hidden: int = 96
    messages: int = 48
    horizon: int = 12  # steps of one call of the exported graph
    effort: float = 1.0  # by which the steps of all stages are multiplied
    short: Stage = field(default_factory=lambda: Stage(12000, 3, 128, 2e-3))
    middle: Stage = field(default_factory=lambda: Stage(11000, 6, 96, 1e-3))
    long: Stage = field(default_factory=lambda: Stage(11000, 10, 72, 7e-4, 0.001, 0.6))
    position_noise: float = 0.003  # [m] standard deviation of what a belief is off
    rotation_noise: float = 0.04  # [rad]
    velocity_noise: float = 0.02  # [m/s]
    unknown: float = 0.35  # share of the windows in which friction and mass are not known
    moving: float = 0.75  # share of the windows in which something moves
    kept: float = 0.7  # share of the first error that may stay: what is seen wrongly is not put right by predicting
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        if self.members < 1 or self.hidden < 1 or not self.effort > 0:
            raise SettingError("expected at least one member and one hidden unit, and an effort above 0")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """With the effort."""
        stages = (self.short, self.middle, self.long)
        return tuple(replace(stage, steps=max(1, round(self.effort * stage.steps))) for stage in stages)
