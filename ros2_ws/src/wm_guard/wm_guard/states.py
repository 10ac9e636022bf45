"""What the guard does with commands, for people and programs."""

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """Values of wm_msgs/GuardState.state."""

    RUNNING = 0
    SLOWED = 1
    HOLDING = 2
    STOPPED = 3


@dataclass(frozen=True)
class GuardStatus:
    """`reasons`: short codes; `text`: the rest; `speed_scale`: the share of the commanded speed that is left."""

    state: State
    reasons: tuple[str, ...]
    text: str
    speed_scale: float
