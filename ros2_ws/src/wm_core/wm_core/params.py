"""Parameters of nodes: type, range and description in one place, refused by name when they do not fit."""

from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

_HUGE = 1e300


class ConfigError(ValueError):
    """A configuration that cannot work; raised in `setup`, reported by the node, which stays alive and unconfigured."""


@dataclass(frozen=True)
class Param:
    """One node parameter; its type is that of `default` (lists: string, float or integer arrays)."""

    name: str
    default: Any
    description: str
    lower: float | None = None
    upper: float | None = None
    choices: tuple = ()

    def descriptor(self) -> ParameterDescriptor:
        descriptor = ParameterDescriptor(description=self.description, additional_constraints=self.constraints())
        if isinstance(self.default, bool) or (self.lower is None and self.upper is None):
            return descriptor
        lower = -_HUGE if self.lower is None else self.lower
        upper = _HUGE if self.upper is None else self.upper
        if isinstance(self.default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=int(max(lower, -(2**62))), to_value=int(min(upper, 2**62)), step=0)
            ]
        elif isinstance(self.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(lower), to_value=float(upper), step=0.0)
            ]
        return descriptor

    def constraints(self) -> str:
        return f"one of {', '.join(map(str, self.choices))}" if self.choices else ""

    def check(self, value: Any) -> None:
        """Raise ConfigError, naming the parameter, unless the value is allowed."""
        if self.choices and value not in self.choices:
            raise ConfigError(f"parameter '{self.name}': expected {self.constraints()}, got {value!r}")
        values = value if isinstance(value, list | tuple) else [value]
        for number in values:
            if isinstance(number, int | float) and not isinstance(number, bool):
                below = self.lower is not None and not number >= self.lower
                above = self.upper is not None and not number <= self.upper
                if below or above or number != number:
                    raise ConfigError(f"parameter '{self.name}': expected {self.lower} to {self.upper}, got {number}")
