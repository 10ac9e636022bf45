"""Numbers of learning online; `wm_core.config` lays name=value over them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dynamics:
    """The ensemble that predicts states, and its training."""

    members: int = 3
    hidden: int = 128
    horizon: int = 4  # steps of a training window
    batch: int = 128  # windows for each member
    rate: float = 1e-3
    follow: float = 0.01  # share by which the model that plans follows the one that is trained, at each update


@dataclass(frozen=True)
class Values:
    """What states are worth where the task gives rewards instead of goals."""

    ceiling: float = 1.0  # the largest reward of an environment step; what is missing to it is the cost
    discount: float = 0.99  # per action
    critics: int = 3
    hidden: int = 128
    batch: int = 256
    rate: float = 1e-3
    follow: float = 0.01  # share by which the slow critics follow at each update


@dataclass(frozen=True)
class Plan:
    """The search for actions; see wm_planner.planners."""

    planner: str = "icem"
    horizon: int = 10
    samples: int = 64
    iterations: int = 3
    std: float = 0.6
    noise_beta: float = 2.0
    caution: float = 0.0  # weight of the spread of a plan's cost over the members


@dataclass(frozen=True)
class Explore:
    """What is added to planned actions while collecting."""

    random_steps: int = 200  # environment steps of random motion at the beginning
    noise: float = 0.3  # standard deviation, at the beginning
    noise_end: float = 0.05
    noise_steps: int = 5_000  # environment steps until then


@dataclass(frozen=True)
class OnlineSettings:
    steps: int = 5_000  # of the environment
    repeat: int = 1  # environment steps for each action
    updates: float = 1.0  # training steps for each action
    seed: int = 0
    dynamics: Dynamics = field(default_factory=Dynamics)
    values: Values = field(default_factory=Values)
    plan: Plan = field(default_factory=Plan)
    explore: Explore = field(default_factory=Explore)
