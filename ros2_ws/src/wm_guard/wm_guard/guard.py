"""The guard: decides whether a command reaches the arm, holds the arm on silence, latches stops."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wm_core.joint_states import JointStateError, read_joints
from wm_core.kinematics import Kinematics
from wm_guard.arm import Arm
from wm_guard.latches import E_STOP, Latches
from wm_guard.limits import Limits, Refusal, Request
from wm_guard.permission import Denied, Permission
from wm_guard.requests import NS, read
from wm_guard.states import GuardStatus, State
from wm_guard.surroundings import Surroundings
from wm_guard.verdicts import Kind, Mode, Verdict, Why

# Commands that do not know yet that the arm was placed elsewhere are refused for these, and no news for so long [s].
PLACED_REFUSALS = ("jump", "no_state", "not_following", "stale", "late", "time_back")
PLACED_S = 1.0


class Guard:
    """Stateful core of the guard. All times are integer nanoseconds of one clock (simulated time in lockstep).

    `arm.slowing` takes further reasons to go slower; `latch` stops the arm for others than those that are known here.
    """

    def __init__(
        self,
        kinematics: Kinematics,
        limits: Limits,
        step_duration: float = 0.1,
        surroundings: Surroundings | None = None,
    ) -> None:
        """`step_duration` [s]: length of a hold trajectory. Raises ValueError for an arm without velocity limits."""
        self.limits = limits
        self.surroundings = surroundings
        self.permission = Permission()
        self.mode = Mode.WAITING
        self.reason = ""  # why the mode is HOLDING or STOPPED
        self.counts: Counter[str] = Counter()  # verdicts and rejected joint states by reason
        self.arm = Arm(kinematics, limits, int(step_duration * NS))
        if surroundings is not None:
            self.arm.slowing |= {"collision": surroundings.collision, "person": surroundings.person}
        self.latches = Latches(kinematics)
        self._kinematics = kinematics
        self._now_ns = 0
        self._command_ns = 0
        self._answered_ns = 0  # stamp of the newest measurement that a command answered
        self._placed_ns: int | None = None  # until the next command that passes
        self._slowed = (
            "",
            1.0,
        )  # why the last command that passed was slowed, and the share of its speed that was left

    @property
    def lag_s(self) -> float:
        """How long the arm is behind what is commanded: a command that takes effect so much later is not."""
        return self.arm.motions.lag_ns / NS

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._kinematics.joint_names

    @property
    def status(self) -> GuardStatus:
        """What it does with commands just now."""
        if self.mode is Mode.STOPPED:
            return GuardStatus(State.STOPPED, tuple(self.latches.held), "; ".join(self.latches.held.values()), 0.0)
        if missing := self.permission.missing():
            return GuardStatus(State.HOLDING, tuple(missing), "; ".join(missing.values()), 0.0)
        if self.mode is not Mode.PASSING:
            return GuardStatus(State.HOLDING, (self.reason or "no_command_yet",), "", 0.0)
        reason, share = self._slowed
        return GuardStatus(State.SLOWED, (reason,), "", share) if reason else GuardStatus(State.RUNNING, (), "", 1.0)

    def place(self, q: np.ndarray, stamp_ns: int, now_ns: int) -> None:
        """Somebody else has put the arm to joints `q` (n,) [rad], such as the reset of a simulator: see JointStates.place."""
        self._advance(now_ns)
        self.arm.place(q, stamp_ns)
        self.latches.placed()
        self._placed_ns, self._answered_ns = stamp_ns, 0

    def observe(
        self,
        names: Sequence[str],
        positions: Sequence[float],
        stamp_ns: int,
        now_ns: int,
        velocities: Sequence[float] = (),
    ) -> bool:
        """Take a joint state; extra joints (fingers) are fine. False, counted and ignored when it cannot be trusted."""
        self._advance(now_ns)
        try:
            measured = read_joints(self._kinematics, names, positions, velocities)
            if self.permission.controller.measured(measured, stamp_ns):
                self.arm.controller_began()
            now_ns = max(now_ns, stamp_ns) if stamp_ns - now_ns <= self.limits.max_age * NS else now_ns
            if abs(now_ns - stamp_ns) > self.arm.state_age_ns:
                oldest = self.arm.state_age_ns / NS
                raise JointStateError("stale", f"expected a joint state at most {oldest:g} s old")
            self.arm.measured(measured, stamp_ns)
        except JointStateError as error:
            self.counts[f"state_{error.reason}"] += 1
            return False
        self.latches.measured(measured, stamp_ns)
        return True

    def check(self, request: Request, stamp_ns: int, now_ns: int, status: int = 1) -> Verdict:
        """Judge one command; always answers with one trajectory: the request, the request slowed, or a hold.

        `stamp_ns`: time of the measurement that the command answers; `status`: the command's status field.
        """
        self._advance(now_ns)
        self._before = self.counts.copy(), self.mode, self.reason
        self.latches.remember()
        self.arm.remember()
        # A measurement cannot come from the future: a slightly newer stamp says that the clock message is on its way.
        if 0 < stamp_ns - now_ns <= self.limits.max_age * NS:
            now_ns = stamp_ns
        try:
            verdict = self._judge(request, stamp_ns, now_ns, status)
        except Denied as denied:
            return self._deny(denied, now_ns)
        except Refusal as refusal:
            # Stamped like the command, so that a simulator in lockstep sees which of its frames is answered.
            answers_ns = stamp_ns if 0 <= now_ns - stamp_ns <= self.limits.max_age * NS else 0
            hold = self._hold(Kind.REFUSED, refusal.reason, str(refusal), now_ns, answers_ns)
            placed = self._just_placed(now_ns) and refusal.reason in PLACED_REFUSALS
            return replace(hold, expected=placed or refusal.reason in self.latches.held)
        self.counts[verdict.kind.value if verdict.kind is Kind.PASS else verdict.reason] += 1
        self.mode, self.reason, self._slowed = Mode.PASSING, "", (verdict.reason, verdict.speed_scale)
        self._command_ns, self._answered_ns = now_ns, stamp_ns
        expected = verdict.kind is Kind.LIMITED and self._just_placed(now_ns)  # planned from where the arm was before
        self._placed_ns = None
        return replace(verdict, expected=expected)

    def withdraw(self) -> None:
        """The verdict on the last command does not go to the arm, for it is too late."""
        self.counts, self.mode, self.reason = self._before
        self.counts["withdrawn"] += 1
        self.latches.forget_since()
        self.arm.forget_since()

    def watchdog(self, now_ns: int) -> Verdict | None:
        """Call every `limits.watchdog_period`: a hold once when commands or joint states stay away, or the arm does not do what
        it is sent; else None.
        """
        self._advance(now_ns)
        if self.mode is not Mode.STOPPED and (found := self.latches.found(now_ns)):
            return self.latch(*found, now_ns)
        if self.mode is not Mode.PASSING:
            return None
        for reason, text in self.permission.missing().items():
            return self._hold(Kind.HOLD, reason, text, now_ns)
        if self.surroundings is not None and (why := self.surroundings.must_hold(now_ns)):
            return self._hold(Kind.HOLD, "person", why, now_ns)
        # Held now when the next look would be too late.
        next_ns = now_ns + round(self.limits.watchdog_period * NS)
        if next_ns - self._command_ns > self.limits.timeout * NS:
            hold = self._hold(Kind.HOLD, "no_command", f"no valid command for {self.limits.timeout} s", now_ns)
        elif not self.arm.known(next_ns):
            refusal = self.arm.unknown()
            hold = self._hold(Kind.HOLD, refusal.reason, str(refusal), now_ns)
        else:
            return None
        return replace(hold, expected=self._just_placed(now_ns))

    def e_stop(self, now_ns: int) -> Verdict:
        """Hold at once and refuse everything until `reset_e_stop`."""
        return self.latch(E_STOP, "emergency stop", now_ns, self.limits.stop_category == 0)

    def reset_e_stop(self) -> None:
        """Leave the emergency stop; the arm stays held until the next valid command."""
        self._release(E_STOP)

    def latch(self, reason: str, text: str, now_ns: int, halt: bool = False) -> Verdict:
        """Hold, and refuse everything until the latch is cleared; `halt`: at once, as abruptly as the arm can."""
        self.latches.held[reason] = text
        self.mode, self.reason = Mode.STOPPED, reason
        return self._hold(Kind.HOLD, reason, text, now_ns, 0, halt)

    def clear(self, now_ns: int) -> str:
        """Clear all latches but the emergency stop; the arm stays held until the next valid command. Returns why it cannot."""
        self._advance(now_ns)
        if self.arm.states.jumped:
            self.arm.accept_jump(now_ns)
            self.latches.placed()
            seconds = self.limits.confirm_time
            return f"joint states jumped: believed now, if they agree for {seconds} s; call wm/clear again after that"
        if not self.arm.known(now_ns):
            return f"not while it is unknown where the arm is: {self.arm.unknown()}"
        for reason in set(self.latches.held) - {E_STOP}:
            self._release(reason)
        return "the emergency stop is set; call wm/e_stop_reset" if self.latches.held else ""

    def hold(self, reason: str, now_ns: int) -> Verdict:
        """Hold for a reason from outside, such as deactivation; the next valid command moves the arm again."""
        return self._hold(Kind.HOLD, reason, reason, now_ns)

    # -- inside --------------------------------------------------------------------------------------------------

    def _advance(self, now_ns: int) -> None:
        """Forget what was known when time goes back: a clock was set, or a simulation restarted."""
        if now_ns < self._now_ns - self.limits.max_age * NS:
            self.arm.time_went_back(self._now_ns)
            self.latches.placed()
            self._placed_ns, self._answered_ns = None, 0
            if self.mode is Mode.PASSING:
                self.mode = Mode.WAITING
        self._now_ns = now_ns

    def _just_placed(self, now_ns: int) -> bool:
        return self._placed_ns is not None and now_ns - self._placed_ns <= PLACED_S * NS

    def _release(self, reason: str) -> None:
        self.latches.held.pop(reason, None)
        if self.mode is Mode.STOPPED and not self.latches.held:
            self.mode = Mode.HOLDING

    def _judge(self, request: Request, stamp_ns: int, now_ns: int, status: int) -> Verdict:
        if self.latches.held:
            raise self.latches.refusal()
        self.permission.check()
        self.latches.check_wait(now_ns)
        if self.surroundings is not None:
            self.surroundings.at(now_ns)
        lag_ns = self.arm.motions.lag_ns
        asked = read(request, self.joint_names, status, stamp_ns, now_ns, self._answered_ns, lag_ns, self.limits)
        return self.arm.follow(asked, now_ns)

    def _deny(self, denied: Denied, now_ns: int) -> Verdict:
        """A hold once; then nothing is sent to an arm that may not move, which a person may be moving."""
        if self.mode is Mode.PASSING:
            return replace(self._hold(Kind.REFUSED, denied.reason, str(denied), now_ns), expected=True)
        self.counts[denied.reason] += 1
        self.mode, self.reason = Mode.HOLDING, denied.reason
        return replace(self.arm.nothing(Why(Kind.REFUSED, denied.reason, str(denied)), now_ns), expected=True)

    def _hold(self, kind: Kind, reason: str, text: str, now_ns: int, stamp_ns: int = 0, halt: bool = False) -> Verdict:
        self._advance(now_ns)
        self.counts[reason] += 1
        if self.mode is not Mode.STOPPED:
            if (self.mode, self.reason) != (Mode.HOLDING, reason):
                self.latches.held_for(reason, now_ns)
            self.mode, self.reason = Mode.HOLDING, reason
        return self.arm.hold(Why(kind, reason, text), now_ns, stamp_ns, halt)
