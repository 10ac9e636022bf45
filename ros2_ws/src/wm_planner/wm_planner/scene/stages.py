"""The stages of what a hand does to an object that it holds."""

from enum import Enum


class Stage(Enum):
    APPROACH = "approach"
    CLOSE = "close"
    LIFT = "lift"
    CARRY = "carry"
    TURN = "turn"
    LOWER = "lower"
    RELEASE = "release"
    RETREAT = "retreat"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (Stage.DONE, Stage.FAILED)
