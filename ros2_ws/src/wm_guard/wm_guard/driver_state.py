"""What a driver says of its arm: which topic, which field of its messages, and which values let the arm move."""

from dataclasses import dataclass
from typing import Any

import yaml

KEYS = {"topic", "type", "field", "allowed", "at_least", "timeout", "reason"}
EXAMPLE = (
    "{topic: robot_program_running, type: std_msgs/msg/Bool, field: data, allowed: [true], reason: program_stopped}"
)


class DriverStateError(ValueError):
    """A description that cannot be used: what was expected, and what came."""


@dataclass(frozen=True)
class DriverState:
    """The arm may move while `field` of the newest message is one of `allowed`, or a number of `at_least` so much.

    `reason`: short code of a hold, as in wm/guard_state. `timeout` [s]: silence that holds the arm too; 0: none, for topics that
    are published only when something changes.
    """

    topic: str
    type: str  # package/msg/Name
    field: str  # of the message; of a message in it: a.b
    reason: str
    allowed: tuple[Any, ...] = ()
    at_least: float | None = None
    timeout: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "DriverState":
        """From YAML in one line, see EXAMPLE; raises DriverStateError."""
        try:
            given = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise DriverStateError(f"expected YAML as {EXAMPLE}, got '{text}'") from error
        if not isinstance(given, dict):
            raise DriverStateError(f"expected YAML as {EXAMPLE}, got '{text}'")
        unknown = sorted(map(str, set(given) - KEYS))
        if unknown:
            raise DriverStateError(f"unknown key '{unknown[0]}'; known are {', '.join(sorted(KEYS))}")
        for key in ("topic", "type", "field", "reason"):
            if not isinstance(given.get(key), str) or not given[key]:
                raise DriverStateError(f"'{key}': expected text, got {given.get(key)!r} in '{text}'")
        if len(given["type"].split("/")) != 3 or given["type"].split("/")[1] != "msg":
            raise DriverStateError(f"'type': expected package/msg/Name, got '{given['type']}'")
        if ("allowed" in given) == ("at_least" in given):
            raise DriverStateError(f"expected one of 'allowed' and 'at_least' in '{text}'")
        allowed = given.get("allowed", [0])
        if not (isinstance(allowed, list) and allowed and all(isinstance(each, int | float | str) for each in allowed)):
            raise DriverStateError(f"'allowed': expected a list of numbers or words, got {given['allowed']!r}")
        for key in ("at_least", "timeout"):
            if key in given and (isinstance(given[key], bool) or not isinstance(given[key], int | float)):
                raise DriverStateError(f"'{key}': expected a number, got {given[key]!r}")
        if not given.get("timeout", 0.0) >= 0:
            raise DriverStateError(f"'timeout': expected at least 0 s, got {given['timeout']}")
        return cls(**{**given, "allowed": tuple(given.get("allowed", ()))})

    def check(self, message: Any) -> None:
        """Raises DriverStateError where no message of this kind could ever say that the arm may move."""
        value = self.read(message)
        if self.at_least is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise DriverStateError(
                f"{self.topic}: 'at_least': expected '{self.field}' to be a number, it is a {type(value).__name__}"
            )
        others = [each for each in self.allowed if type(each) is not type(value)]
        if others:
            kind = f"a {type(value).__name__}, as '{self.field}' is"
            raise DriverStateError(f"{self.topic}: 'allowed': expected values of {kind} ({value!r}), got {others[0]!r}")

    def read(self, message: Any) -> Any:
        """The field of a message; raises DriverStateError where it has none."""
        value = message
        for name in self.field.split("."):
            if not hasattr(value, name):
                fields = ", ".join(getattr(value, "get_fields_and_field_types", dict)())
                has = f"; there are {fields}" if fields else ""
                raise DriverStateError(f"{self.topic}: {self.type} has no field '{self.field}'{has}")
            value = getattr(value, name)
        return value

    def problem(self, value: Any) -> str:
        """Why the arm may not move with this value; empty: it may."""
        if self.at_least is not None:
            enough = isinstance(value, int | float) and value >= self.at_least  # NaN is not
            return "" if enough else f"{self.topic} says {value}, expected at least {self.at_least:g}"
        if any(type(value) is type(each) and value == each for each in self.allowed):
            return ""
        return f"{self.topic} says {value}, expected {' or '.join(map(str, self.allowed))}"
