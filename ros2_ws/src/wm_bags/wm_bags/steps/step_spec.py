"""What a step is in which bags are read: how long it lasts and what its action moves. Tasks and bundles say that of theirs."""

from dataclasses import dataclass, field
from typing import Protocol

from wm_bags.steps.sync import JITTER
from wm_core.compatibility import SAME
from wm_core.specs import ActionSpec
from wm_core.task import load_task

_DEFAULT = load_task()


class Stepped(Protocol):
    """A task or a bundle."""

    @property
    def step_duration(self) -> float: ...

    @property
    def action(self) -> ActionSpec: ...


@dataclass(frozen=True)
class StepSpec:
    """Of the task that is pursued by default, unless others are given."""

    duration: float = _DEFAULT.step_duration  # [s]
    action: ActionSpec = field(default_factory=lambda: _DEFAULT.action)

    @staticmethod
    def of(what: Stepped) -> "StepSpec":
        """The steps of a task, or those that a bundle was trained on."""
        return StepSpec(what.step_duration, what.action)

    @property
    def ns(self) -> int:
        """[ns] of a step."""
        return round(1e9 * self.duration)

    @property
    def reach(self) -> float:
        """[m] that the tool may be commanded to move in a step that was as long as it may be."""
        return (1 + JITTER) * max(self.action.scale.values())

    def mismatch(self, other: "StepSpec") -> str | None:
        """What differs, in words; None: nothing."""
        if abs(self.duration - other.duration) > SAME:
            return f"expected steps of {self.duration:g} s, got {other.duration:g} s"
        return self.action.mismatch(other.action)


DEFAULT_STEPS = StepSpec()
