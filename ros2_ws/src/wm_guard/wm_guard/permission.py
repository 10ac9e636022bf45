"""Whether the arm may move at all: a person started it, holds the enabling key where one is required, driver and controller are well."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from wm_guard.controller_watch import INACTIVE, ControllerWatch
from wm_guard.driver_state import DriverState
from wm_guard.limits import Refusal

NOT_STARTED, NOT_ENABLED, DRIVER_SILENT = "not_started", "not_enabled", "driver_silent"


class Denied(Refusal):
    """A command that came while the arm may not move."""


class Permission:
    """Wall clock: the hand of a person does not know simulated time.

    `enabled_for` [s]: how long one message of the enabling key holds; 0: no key is required.
    """

    def __init__(
        self,
        started: bool = True,
        enabled_for: float = 0.0,
        driver: Iterable[DriverState] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.started = started
        self.driver = tuple(driver)
        self.controller = ControllerWatch(clock)
        self._enabled_for, self._clock = enabled_for, clock
        self._enabled_s = -float("inf")  # when the key was last said to be held
        self._heard: dict[DriverState, tuple[float, str]] = {}  # when, and the problem

    def enable(self, held: bool) -> None:
        """What the enabling key says."""
        self._enabled_s = self._clock() if held else -float("inf")

    def observe(self, state: DriverState, message: Any) -> None:
        """A message of the driver's; raises DriverStateError where it is of another kind."""
        self._heard[state] = self._clock(), state.problem(state.read(message))

    def missing(self) -> dict[str, str]:
        """What keeps the arm from moving, by reason, with the rest of it in words; empty: it may move."""
        inactive = self.controller.problem()
        if not (self.driver or self._enabled_for or inactive) and self.started:
            return {}
        now_s = self._clock()
        found = {INACTIVE: inactive} if inactive else {}
        for state in self.driver:
            reason, text = self._of(state, now_s)
            if text:
                found[reason] = f"{found[reason]}; {text}" if reason in found else text
        if not self.started:
            found[NOT_STARTED] = "nobody has started the arm; call wm/start (./wm start)"
        if self._enabled_for and now_s - self._enabled_s > self._enabled_for:
            found[NOT_ENABLED] = "nobody holds the enabling key (./wm enable, or wm/enable)"
        return found

    def check(self) -> None:
        """Raises Denied while the arm may not move."""
        for reason, text in self.missing().items():
            raise Denied(reason, text)

    def _of(self, state: DriverState, now_s: float) -> tuple[str, str]:
        if state not in self._heard:
            silent = f"nothing heard on {state.topic} ({state.type})"
            if state.timeout:
                return DRIVER_SILENT, f"{silent}; does the arm's driver run?"
            # Where only changes are published, none may have come yet.
            return DRIVER_SILENT, f"{silent}; does the arm's driver run, or is it {state.reason} since its start?"
        heard_s, problem = self._heard[state]
        if state.timeout and now_s - heard_s > state.timeout:
            return DRIVER_SILENT, f"nothing heard on {state.topic} for {now_s - heard_s:.1f} s"
        return state.reason, problem
