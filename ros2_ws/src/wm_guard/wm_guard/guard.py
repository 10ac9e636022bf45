"""The guard: decides whether a command reaches the arm, holds the arm on silence, latches the emergency stop."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from wm_core.kinematics import Kinematics
from wm_guard.limits import Limits, Motion, Refusal, Request, check_positions, joint_order, parse, shortest_durations

NS = 1_000_000_000
# [rad] a measured joint this far outside its range is a broken sensor, not a joint.
IMPOSSIBLE = 0.2
# [s] a trajectory may start this far in the future (delay compensation).
MAX_LEAD = 0.5
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

    `reason`: short code, empty for PASS; `text`: the rest. `effective_ns`: when the motion starts; `ee_start`, `ee_end`
    (3,) [m]: commanded tool position then and at the end.
    """

    kind: Kind
    reason: str
    text: str
    motion: Motion | None
    effective_ns: int
    ee_start: np.ndarray
    ee_end: np.ndarray


@dataclass(frozen=True)
class _Commanded:
    """Joint positions the arm was told to have: linear between `times_ns` (T+1,), `path` (T+1, n), then constant."""

    times_ns: np.ndarray
    path: np.ndarray

    def at(self, time_ns: int) -> np.ndarray:
        i = int(np.searchsorted(self.times_ns, time_ns, side="right"))
        if i == 0 or i == len(self.times_ns):
            return self.path[0 if i == 0 else -1]
        share = (time_ns - self.times_ns[i - 1]) / (self.times_ns[i] - self.times_ns[i - 1])
        return self.path[i - 1] + share * (self.path[i] - self.path[i - 1])


class Guard:
    """Stateful core of the guard. All times are integer nanoseconds of one clock (simulated time in lockstep)."""

    def __init__(self, kinematics: Kinematics, limits: Limits, step_duration: float = 0.1) -> None:
        """`step_duration` [s]: length of a hold trajectory."""
        self.limits = limits
        self.mode = Mode.WAITING
        self.reason = ""  # why the mode is HOLDING or STOPPED
        self.counts: Counter[str] = Counter()  # verdicts and rejected joint states by reason
        self._kinematics = kinematics
        self._step_ns = int(step_duration * NS)
        self._lower = kinematics.lower + limits.position_margin
        self._upper = kinematics.upper - limits.position_margin
        self._now_ns = 0
        self._measured: np.ndarray | None = None
        self._state_ns: int | None = None
        self._command_ns = 0
        self._commanded: _Commanded | None = None
        self._held: np.ndarray | None = None

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._kinematics.joint_names

    def observe(self, names: Sequence[str], positions: Sequence[float], stamp_ns: int, now_ns: int) -> bool:
        """Take a joint state; extra joints (fingers) are fine. False, counted and ignored when it cannot be trusted."""
        self._advance(now_ns)
        try:
            measured = self._measured_joints(names, positions)
        except Refusal as refusal:
            self.counts[f"state_{refusal.reason}"] += 1
            return False
        now_ns = max(now_ns, stamp_ns) if stamp_ns - now_ns <= self.limits.max_age * NS else now_ns
        if abs(now_ns - stamp_ns) > self.limits.timeout * NS:
            self.counts["state_stale"] += 1
            return False
        if self._state_ns is not None and stamp_ns <= self._state_ns:
            self.counts["state_repeated"] += 1
            return False
        self._measured, self._state_ns = measured, stamp_ns
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
            return self._hold(Kind.REFUSED, refusal.reason, str(refusal), now_ns, answers_ns)
        self.counts[verdict.kind.value if verdict.kind is Kind.PASS else verdict.reason] += 1
        self.mode, self.reason = Mode.PASSING, ""
        self._command_ns = now_ns
        self._held = None
        return verdict

    def watchdog(self, now_ns: int) -> Verdict | None:
        """Call every `limits.watchdog_period`: a hold once when commands or joint states stay away, else None."""
        self._advance(now_ns)
        if self.mode is not Mode.PASSING:
            return None
        # Held now when the next look would be too late.
        oldest = now_ns - int((self.limits.timeout - self.limits.watchdog_period) * NS)
        if self._command_ns < oldest:
            return self._hold(Kind.HOLD, "no_command", f"no valid command for {self.limits.timeout} s", now_ns)
        if self._state_ns is None or self._state_ns < oldest:
            return self._hold(Kind.HOLD, "no_state", f"no valid joint state for {self.limits.timeout} s", now_ns)
        return None

    def e_stop(self, now_ns: int) -> Verdict:
        """Hold at once and refuse everything until `reset_e_stop`."""
        verdict = self._hold(Kind.HOLD, "e_stop", "emergency stop", now_ns)
        self.mode = Mode.STOPPED
        return verdict

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
            self._measured = self._state_ns = self._commanded = self._held = None
            if self.mode is Mode.PASSING:
                self.mode = Mode.WAITING
        self._now_ns = now_ns

    def _measured_joints(self, names: Sequence[str], positions: Sequence[float]) -> np.ndarray:
        if len(names) != len(positions):
            raise Refusal("size", f"expected one position per name, got {len(positions)} for {len(names)}")
        known = [i for i, name in enumerate(names) if name in self.joint_names]
        order = joint_order([names[i] for i in known], self.joint_names)
        measured = np.array([positions[known[i]] for i in order], float)
        if not np.isfinite(measured).all():
            raise Refusal("not_finite", "expected finite joint positions")
        lower, upper = self._kinematics.lower - IMPOSSIBLE, self._kinematics.upper + IMPOSSIBLE
        if (measured < lower).any() or (measured > upper).any():
            raise Refusal("impossible", "expected joint positions near the joints' ranges")
        return measured

    def _reference(self, now_ns: int) -> np.ndarray | None:
        """Where the arm's controller starts from: the commanded joints, or the measured ones when far from them."""
        commanded = None if self._commanded is None else self._commanded.at(now_ns)
        if self._measured is None or (commanded is not None and self._near(commanded, self._measured)):
            return commanded
        return self._measured

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
        measured = self._measured
        if measured is None or self._state_ns is None or now_ns - self._state_ns > self.limits.timeout * NS:
            raise Refusal("no_state", f"expected a joint state at most {self.limits.timeout} s old")
        return self._limit(motion, coming, measured, start_ns, now_ns)

    def _limit(self, motion: Motion, coming: np.ndarray, measured: np.ndarray, start_ns: int, now_ns: int) -> Verdict:
        ends_ns, positions = start_ns + motion.times_ns[coming], motion.positions[coming]
        if not self._near(positions[0], measured):
            jump = float(np.abs(positions[0] - measured).max())
            raise Refusal(
                "jump", f"expected a first point within {self.limits.max_jump} rad of the arm, got {jump:.3f} rad"
            )
        reference = self._reference(now_ns)
        assert reference is not None  # `measured` is known
        path = np.vstack([reference, positions])
        check_positions(path, self._lower, self._upper, self.joint_names)
        shortest = shortest_durations(path, self._kinematics, self.limits)
        asked_ns = np.diff(ends_ns, prepend=now_ns)
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
        reference = self._reference(now_ns)
        # One hold position for the whole hold, or repeated holds would follow a sagging arm down.
        if self._held is None or (reference is not None and not self._near(self._held, reference)):
            self._held = (
                None if reference is None else np.clip(reference, self._kinematics.lower, self._kinematics.upper)
            )
        if self._held is None or reference is None:
            nowhere = np.full(3, np.nan)
            return Verdict(kind, reason, f"{text}; nothing sent: no joint state yet", None, now_ns, nowhere, nowhere)
        duration = (np.abs(self._held - reference) / self._kinematics.velocity).max()
        ends_ns = np.array([now_ns + max(self._step_ns, int(np.ceil(duration * NS)))])
        return self._send(kind, reason, text, stamp_ns, ends_ns, np.vstack([reference, self._held]), now_ns)

    def _send(
        self, kind: Kind, reason: str, text: str, stamp_ns: int, ends_ns: np.ndarray, path: np.ndarray, now_ns: int
    ) -> Verdict:
        """Remember and describe a motion along `path` from `now_ns`; `stamp_ns` 0 starts it on arrival."""
        self._commanded = _Commanded(np.concatenate([[now_ns], ends_ns]), path)
        effective_ns = max(stamp_ns, now_ns)
        ee_start = self._kinematics.fk(self._commanded.at(effective_ns))[0]
        ee_end = self._kinematics.fk(path[-1])[0]
        motion = Motion(stamp_ns, ends_ns - (stamp_ns or now_ns), path[1:])
        return Verdict(kind, reason, text, motion, effective_ns, ee_start, ee_end)
