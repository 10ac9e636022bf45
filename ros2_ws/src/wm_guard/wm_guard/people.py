"""How fast the arm may be while a person is near: speed and separation monitoring as in ISO/TS 15066, 5.5.4."""

from dataclasses import dataclass

import numpy as np

NS = 1_000_000_000


@dataclass(frozen=True)
class Separation:
    """What the protective separation distance is made of. Lengths in m, speeds in m/s, times in s."""

    person_speed: float = 1.6  # towards the arm, ISO 13855
    reaction_time: float = 0.2  # from the sensor to the first deceleration
    deceleration: float = 2.0  # [m/s^2] of the tool in a stop
    intrusion: float = 0.2  # reach before a person is detected, and uncertainty of both positions

    def allowed_speed(self, distance: float) -> float:
        """Fastest tool [m/s] with which the arm stands still before a person at `distance` [m] reaches it; 0 where none is.

        Solves distance = v_h (T_r + v/a) + v T_r + v^2 / 2a + C for v, ISO/TS 15066 equation 1 with a stop that takes v/a.
        """
        left = distance - self.intrusion - self.person_speed * self.reaction_time
        if not left > 0:
            return 0.0
        slope = self.reaction_time + self.person_speed / self.deceleration
        return float(self.deceleration * (np.sqrt(slope**2 + 2 * left / self.deceleration) - slope))


class People:
    """The nearest person, as a sensor says. Nobody asks for anything until it spoke once, unless it is `required`."""

    def __init__(self, separation: Separation | None = None, *, required: bool = False, timeout: float = 0.5) -> None:
        """`timeout` [s]: a sensor that is silent for longer says that a person may stand anywhere."""
        self._separation = separation or Separation()
        self._required = required
        self._timeout_ns = int(timeout * NS)
        self._heard_ns: int | None = None
        self._distance = 0.0

    def observe(self, distance: float, now_ns: int) -> None:
        """The nearest person is `distance` [m] away; as in REP 117, inf: nobody in range, -inf: too near to measure. NaN and what is
        negative say that the sensor does not know, which counts as near.
        """
        self._distance = 0.0 if np.isnan(distance) else max(0.0, float(distance))
        self._heard_ns = now_ns

    def allowed_speed(self, now_ns: int) -> tuple[float, str]:
        """Fastest tool [m/s], inf where it does not matter, and why."""
        if self._heard_ns is None:
            return (0.0, "expected the distance of people, heard nothing yet") if self._required else (np.inf, "")
        silent_ns = now_ns - self._heard_ns
        if not 0 <= silent_ns <= self._timeout_ns:
            return (
                0.0,
                f"expected the distance of people every {self._timeout_ns / NS} s, last heard {silent_ns / NS:.2f} s ago",
            )
        if np.isinf(self._distance):
            return np.inf, ""
        return self._separation.allowed_speed(self._distance), f"a person is {self._distance:.2f} m away"
