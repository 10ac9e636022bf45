"""The guard: decides whether a command reaches the arm, holds the arm on silence, latches the emergency stop."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from wm_core.joint_states import JointStateError, JointStates, read_joints
from wm_core.kinematics import Kinematics
from wm_core.scene import ToolState
from wm_core.specs_schema import TOOL_FIELDS
from wm_guard.holds import stop
from wm_guard.limits import Limits, Motion, Refusal, Request, check_jump, check_positions, parse, shortest_durations

NS = 1_000_000_000
# [s] a trajectory may start this far in the future (delay compensation).
MAX_LEAD = 0.5
# [s] of joint states without one that is believed after which commands are refused: they must not run ahead of the arm.
DOUBTED_S = 0.1
LONGEST_HOLD_S = 10.0
SLOWLY = 4  # times as long as the velocity limits ask for
# Commands that do not know yet that the arm was placed elsewhere are refused for these, and no news for so long [s].
PLACED_REFUSALS = ("jump", "no_state", "not_following", "stale", "late")
PLACED_S = 1.0
STATUS_VALUES = (0, 1, 2)


class Kind(Enum):
    PASS = "pass"
    LIMITED = "limited"  # slowed so that the speed limits hold
    REFUSED = "refused"  # a command answered with a hold
    HOLD = "hold"  # sent by the guard itself: watchdog, emergency stop, deactivation


class Mode(Enum):
    WAITING = "waiting"  # no command yet: the guard has nothing to hold
    PASSING = "passing"
    HOLDING = "holding"  # until the next valid command
    STOPPED = "stopped"  # emergency stop: until it is reset


@dataclass(frozen=True)
class Verdict:
    """What goes to the arm. `motion` is None only when no joint position is known, so that not even a hold can be sent.

    `reason`: short code, empty for PASS; `text`: the rest. `effective_ns`: when the motion starts; `tool_start`,
    `tool_end` (6,): commanded tool then and at the end, NaN where it is not known. `expected`: no news, for the arm was just
    placed elsewhere or is stopped already.
    """

    kind: Kind
    reason: str
    text: str
    motion: Motion | None
    effective_ns: int
    tool_start: ToolState
    tool_end: ToolState
    expected: bool = False


class Guard:
    """Stateful core of the guard. All times are integer nanoseconds of one clock (simulated time in lockstep)."""

    def __init__(self, kinematics: Kinematics, limits: Limits, step_duration: float = 0.1) -> None:
        """`step_duration` [s]: length of a hold trajectory. Raises ValueError for an arm without velocity limits."""
        if not ((kinematics.velocity > 0) & np.isfinite(kinematics.velocity)).all():
            raise ValueError(
                f"expected a velocity limit above 0 for each joint, got {kinematics.velocity.tolist()} rad/s;"
                " give limits.velocity in the robot profile"
            )
        self.limits = limits
        self.mode = Mode.WAITING
        self.reason = ""  # why the mode is HOLDING or STOPPED
        self.counts: Counter[str] = Counter()  # verdicts and rejected joint states by reason
        self._kinematics = kinematics
        self._step_ns = int(step_duration * NS)
        self._lower = kinematics.lower + limits.position_margin
        self._upper = kinematics.upper - limits.position_margin
        self._now_ns = 0
        self._command_ns = 0
        self._placed_ns: int | None = None  # until the next command that passes
        self._states = JointStates(
            kinematics,
            tolerance=limits.follow_tolerance,
            lag=limits.follow_lag,
            confirm=limits.confirm_time,
        )

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._kinematics.joint_names

    def place(self, q: np.ndarray, stamp_ns: int, now_ns: int) -> None:
        """Somebody else has put the arm to joints `q` (n,) [rad], such as the reset of a simulator: see JointStates.place."""
        self._advance(now_ns)
        self._states.place(q, stamp_ns)
        self._placed_ns = stamp_ns

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
            now_ns = max(now_ns, stamp_ns) if stamp_ns - now_ns <= self.limits.max_age * NS else now_ns
            if abs(now_ns - stamp_ns) > self.limits.timeout * NS:
                raise JointStateError("stale", f"expected a joint state at most {self.limits.timeout} s old")
            self._states.judge(measured, stamp_ns)
        except JointStateError as error:
            self.counts[f"state_{error.reason}"] += 1
            return False
        return True

    def check(self, request: Request, stamp_ns: int, now_ns: int, status: int = 1) -> Verdict:
        """Judge one command; always answers with one trajectory: the request, the request slowed, or a hold.

        `stamp_ns`: time of the measurement that the command answers; `status`: the command's status field.
        """
        self._advance(now_ns)
        # A measurement cannot come from the future: a slightly newer stamp says that the clock message is on its way.
        if 0 < stamp_ns - now_ns <= self.limits.max_age * NS:
            now_ns = stamp_ns
        try:
            verdict = self._judge(request, stamp_ns, now_ns, status)
        except Refusal as refusal:
            # Stamped like the command, so that a simulator in lockstep sees which of its frames is answered.
            answers_ns = stamp_ns if 0 <= now_ns - stamp_ns <= self.limits.max_age * NS else 0
            hold = self._hold(Kind.REFUSED, refusal.reason, str(refusal), now_ns, answers_ns)
            placed = self._just_placed(now_ns) and refusal.reason in PLACED_REFUSALS
            return replace(hold, expected=placed or refusal.reason == "e_stop")
        self.counts[verdict.kind.value if verdict.kind is Kind.PASS else verdict.reason] += 1
        self.mode, self.reason = Mode.PASSING, ""
        self._command_ns = now_ns
        expected = verdict.kind is Kind.LIMITED and self._just_placed(now_ns)  # planned from where the arm was before
        self._placed_ns = None
        return replace(verdict, expected=expected)

    def watchdog(self, now_ns: int) -> Verdict | None:
        """Call every `limits.watchdog_period`: a hold once when commands or joint states stay away, else None."""
        self._advance(now_ns)
        if self.mode is not Mode.PASSING:
            return None
        # Held now when the next look would be too late.
        oldest = now_ns - int((self.limits.timeout - self.limits.watchdog_period) * NS)
        if self._command_ns < oldest:
            hold = self._hold(Kind.HOLD, "no_command", f"no valid command for {self.limits.timeout} s", now_ns)
            return replace(hold, expected=self._just_placed(now_ns))
        if self._states.stamp_ns is None or self._states.stamp_ns < oldest:
            refusal = self._unknown()
            hold = self._hold(Kind.HOLD, refusal.reason, str(refusal), now_ns)
            return replace(hold, expected=self._just_placed(now_ns))
        return None

    def e_stop(self, now_ns: int) -> Verdict:
        """Hold at once and refuse everything until `reset_e_stop`."""
        self.mode, self.reason = Mode.STOPPED, "e_stop"
        return self._hold(Kind.HOLD, "e_stop", "emergency stop", now_ns)

    def reset_e_stop(self) -> None:
        """Leave the emergency stop; the arm stays held until the next valid command."""
        if self.mode is Mode.STOPPED:
            self.mode = Mode.HOLDING

    def hold(self, reason: str, now_ns: int) -> Verdict:
        """Hold for a reason from outside, such as deactivation; the next valid command moves the arm again."""
        return self._hold(Kind.HOLD, reason, reason, now_ns)

    # -- inside --------------------------------------------------------------------------------------------------

    def _advance(self, now_ns: int) -> None:
        """Forget what was known when time goes back (a simulation restarted)."""
        if now_ns < self._now_ns - self.limits.max_age * NS:
            self._states.forget()
            self._placed_ns = None
            if self.mode is Mode.PASSING:
                self.mode = Mode.WAITING
        self._now_ns = now_ns

    def _just_placed(self, now_ns: int) -> bool:
        return self._placed_ns is not None and now_ns - self._placed_ns <= PLACED_S * NS

    def _unknown(self) -> Refusal:
        """Why it is not known well enough where the arm is."""
        if doubts := self._states.doubts():
            return Refusal("not_following", doubts)
        return Refusal("no_state", f"expected a joint state at most {self.limits.timeout} s old")

    def _near(self, a: np.ndarray, b: np.ndarray) -> bool:
        return float(np.abs(a - b).max()) <= self.limits.max_jump

    def _judge(self, request: Request, stamp_ns: int, now_ns: int, status: int) -> Verdict:
        if self.mode is Mode.STOPPED:
            raise Refusal("e_stop", "stopped: call wm/e_stop_reset first")
        if status not in STATUS_VALUES:
            raise Refusal("status", f"expected a status of {STATUS_VALUES}, got {status}")
        motion = parse(request, self.joint_names)
        age = (now_ns - stamp_ns) / NS
        if not 0.0 <= age <= self.limits.max_age:
            raise Refusal("stale", f"expected a measurement at most {self.limits.max_age} s old, got {age:.3f} s")
        start_ns = motion.start_ns or now_ns
        if start_ns - now_ns > MAX_LEAD * NS:
            raise Refusal("future", f"expected a start within {MAX_LEAD} s, got {(start_ns - now_ns) / NS:.3f} s ahead")
        coming = start_ns + motion.times_ns > now_ns
        if not coming.any():
            raise Refusal(
                "late",
                f"all points lie in the past, the last by {(now_ns - start_ns - motion.times_ns[-1]) / NS:.3f} s",
            )
        measured, state_ns = self._states.position, self._states.stamp_ns
        old = state_ns is None or now_ns - state_ns > self.limits.timeout * NS
        if measured is None or old or self._states.doubted_ns >= DOUBTED_S * NS:
            raise self._unknown()
        return self._limit(motion, coming, measured, start_ns, now_ns)

    def _limit(self, motion: Motion, coming: np.ndarray, measured: np.ndarray, start_ns: int, now_ns: int) -> Verdict:
        ends_ns, positions = start_ns + motion.times_ns[coming], motion.positions[coming]
        within = np.full(len(measured), self.limits.max_jump)
        if not self._states.path:
            # Nothing was sent to go on from: who counts on commands that never reached the arm is elsewhere by now.
            reach = self._kinematics.velocity * ((ends_ns[0] - now_ns) / NS)
            within = np.minimum(within, reach + self.limits.follow_tolerance)
        check_jump(positions[0], measured, within, self.joint_names)
        # The arm's controller starts from where it was commanded to be.
        path = np.vstack([self._states.path.at(now_ns) if self._states.path else measured, positions])
        check_positions(path, self._lower, self._upper, self.joint_names)
        shortest = shortest_durations(path, self._kinematics, self.limits)
        asked_ns = np.diff(ends_ns, prepend=now_ns)
        # The arm may be elsewhere: behind, for its controller is not active, or where that was left when it turned out so.
        moves = [np.maximum(0.0, np.abs(positions[0] - measured) - self.limits.follow_tolerance)]
        if self._states.left is not None:
            moves.append(np.abs(positions[0] - self._states.left))
        from_there = np.max(moves, axis=0) / (self._kinematics.velocity * self.limits.velocity_scale)
        shortest["joint_velocity"][0] = max(shortest["joint_velocity"][0], from_there.max())
        needed_ns = {limit: np.ceil(durations * NS).astype(np.int64) for limit, durations in shortest.items()}
        exceeded = [limit for limit, needed in needed_ns.items() if (needed > asked_ns).any()]
        if exceeded:
            ends_ns = now_ns + np.cumsum(np.max([asked_ns, *needed_ns.values()], axis=0))
        kind = Kind.LIMITED if exceeded else Kind.PASS
        text = "slowed to keep " + " and ".join(exceeded) if exceeded else ""
        return self._send(kind, exceeded[0] if exceeded else "", text, motion.start_ns, ends_ns, path, now_ns)

    def _hold(self, kind: Kind, reason: str, text: str, now_ns: int, stamp_ns: int = 0) -> Verdict:
        self._advance(now_ns)
        self.counts[reason] += 1
        if self.mode is not Mode.STOPPED:
            self.mode, self.reason = Mode.HOLDING, reason
        states = self._states
        if not states.path and states.left is None and states.position is None:
            return self._nothing(kind, reason, f"{text}; nothing sent: no joint state yet", now_ns)
        if not states.path and states.left is not None:
            return self._stay_left(kind, reason, text, states.left, now_ns, stamp_ns)
        if not states.path:  # never commanded
            states.command(now_ns, np.empty(0, np.int64), np.array([states.position]))
        ends_ns, path = stop(states.path, now_ns, self.limits.hold_acceleration, self._step_ns)
        path[1:] = np.clip(path[1:], self._kinematics.lower, self._kinematics.upper)
        ends_ns[-1] = max(ends_ns[-1], now_ns + self._shortest_ns(path[0], path[-1]))
        if states.newest is not None and states.doubted_ns >= DOUBTED_S * NS:  # elsewhere: it should not leap there
            slow_ns = SLOWLY * self._shortest_ns(states.newest, path[-1])
            ends_ns, path = np.array([max(ends_ns[-1], now_ns + slow_ns)]), path[[0, -1]]
        return self._send(kind, reason, text, stamp_ns, ends_ns, path, now_ns)

    def _stay_left(self, kind: Kind, reason: str, text: str, left: np.ndarray, now_ns: int, stamp_ns: int) -> Verdict:
        """A hold of an arm that is measured elsewhere than where its controller was left.

        Sent there once more, slowly, or not at all where that is far: never to where it is measured, the next command does that.
        """
        measured = left if self._states.position is None else self._states.position
        if not self._near(left, measured):
            return self._nothing(kind, reason, f"{text}; nothing sent: the arm is not where it was commanded", now_ns)
        ends_ns = np.array([now_ns + max(self._step_ns, SLOWLY * self._shortest_ns(measured, left))])
        return self._verdict(kind, reason, text, stamp_ns, ends_ns, np.array([left, left]), now_ns)

    def _shortest_ns(self, start: np.ndarray, end: np.ndarray) -> int:
        """How long the joints need at their velocity limits; bounded, for a hold is sent whatever these are."""
        with np.errstate(divide="ignore", invalid="ignore"):
            seconds = np.nanmax(np.abs(end - start) / self._kinematics.velocity, initial=0.0)
        return int(np.ceil(min(seconds, LONGEST_HOLD_S) * NS))

    def _nothing(self, kind: Kind, reason: str, text: str, now_ns: int) -> Verdict:
        nowhere = ToolState(np.full(len(TOOL_FIELDS), np.nan))
        return Verdict(kind, reason, text, None, now_ns, nowhere, nowhere)

    def _send(
        self, kind: Kind, reason: str, text: str, stamp_ns: int, ends_ns: np.ndarray, path: np.ndarray, now_ns: int
    ) -> Verdict:
        """Remember and describe a motion along `path` from `now_ns`; `stamp_ns` 0 starts it on arrival."""
        self._states.command(now_ns, ends_ns, path)
        return self._verdict(kind, reason, text, stamp_ns, ends_ns, path, now_ns)

    def _verdict(
        self, kind: Kind, reason: str, text: str, stamp_ns: int, ends_ns: np.ndarray, path: np.ndarray, now_ns: int
    ) -> Verdict:
        effective_ns = max(stamp_ns, now_ns)
        start = self._states.path.at(effective_ns) if self._states.path else path[0]
        tool_start, tool_end = self._kinematics.tool(start), self._kinematics.tool(path[-1])
        motion = Motion(stamp_ns, ends_ns - (stamp_ns or now_ns), path[1:])
        return Verdict(kind, reason, text, motion, effective_ns, tool_start, tool_end)
