"""An arm whose joint states lie: planner's tool path, guard, trajectory controller and an arm with a lag, without ROS.

One stream is a few seconds of them, drawn from a seed. The true joint states always come; the lies come beside them or, for a moment, in
their place. What is sent to the arm is compared with where the arm truly is.
"""

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from wm_core.joint_states import JointStateError
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind, Verdict
from wm_guard.limits import Limits, Request
from wm_planner.followed_arm import FollowedArm
from wm_planner.tool_path import ToolPath
from wm_sim.controller import Point, TrajectoryController

MS = 1_000_000
TICK = 5 * MS
STEP = 100 * MS  # between two commands
ARM_LAG = 0.03  # [s] of the arm behind its controller
WAS_NS = 300 * MS  # how long ago the arm may have been where it is sent
State = tuple[list[str], list[float], int, list[float]]  # names, positions, stamp, velocities


@dataclass
class Outcome:
    """What one stream came to."""

    kind: str
    farthest: float = 0.0  # [rad] of anything sent, from the arm's true path
    by: dict[str, float] = field(default_factory=dict)  # the same by what was sent
    sent: int = 0
    passed: int = 0
    held: int = 0
    lies: int = 0
    believed: int = 0  # lies, by the guard
    refused: int = 0  # true states, by the guard


@cache
def arm() -> Kinematics:
    return Kinematics(load_robot())


def _of(q: np.ndarray, now: int) -> State:
    return list(arm().joint_names), q.tolist(), now, [0.0] * len(q)


class Lies:
    """Lies of one kind: what a second publisher says when the arm is at `q`."""

    def __init__(self, kind: str, rng: np.random.Generator, start: np.ndarray) -> None:
        self._rng, self._start = rng, start
        self._history: deque[tuple[int, np.ndarray]] = deque()
        self._other = rng.uniform(arm().lower, arm().upper)
        self._joint, self._offset = int(rng.integers(7)), float(rng.choice([-1, 1]) * rng.uniform(0.02, 1.0))
        self._late = int(rng.integers(20, 1000)) * MS
        self._order = rng.permutation(7)
        self.say: Callable[[np.ndarray, int], State] = getattr(self, f"_{kind}")

    def _zeros(self, q: np.ndarray, now: int) -> State:
        return _of(np.zeros(7), now)

    def _other_pose(self, q: np.ndarray, now: int) -> State:
        return _of(self._other, now)

    def _frozen(self, q: np.ndarray, now: int) -> State:
        return _of(self._start, now)

    def _stale(self, q: np.ndarray, now: int) -> State:
        """The arm as it was a while ago, with a stamp of now."""
        self._history.append((now, q.copy()))
        while len(self._history) > 1 and self._history[1][0] <= now - self._late:
            self._history.popleft()
        return _of(self._history[0][1], now)

    def _old_stamp(self, q: np.ndarray, now: int) -> State:
        return _of(self._other, now - self._late)

    def _future_stamp(self, q: np.ndarray, now: int) -> State:
        return _of(self._other, now + self._late)

    def _permuted(self, q: np.ndarray, now: int) -> State:
        names, positions, stamp, velocities = _of(q, now)
        return [names[i] for i in self._order], positions, stamp, velocities

    def _offset_joint(self, q: np.ndarray, now: int) -> State:
        return _of(q + self._offset * np.eye(7)[self._joint], now)

    def _not_finite(self, q: np.ndarray, now: int) -> State:
        return _of(np.where(np.arange(7) == self._joint, self._rng.choice([np.nan, np.inf, -np.inf]), 0.0), now)

    def _partial(self, q: np.ndarray, now: int) -> State:
        names, positions, stamp, velocities = _of(np.zeros(7), now)
        return names[: self._joint], positions[: self._joint], stamp, velocities[: self._joint]

    def _duplicate(self, q: np.ndarray, now: int) -> State:
        names, positions, stamp, velocities = _of(q, now)
        return [*names, names[self._joint]], [*positions, 0.0], stamp, [*velocities, 0.0]

    def _velocity(self, q: np.ndarray, now: int) -> State:
        names, positions, stamp, _ = _of(np.zeros(7), now)
        return names, positions, stamp, [1e3] * 7

    def _mixed(self, q: np.ndarray, now: int) -> State:
        return getattr(self, f"_{self._rng.choice(SINGLE)}")(q, now)

    def _none(self, q: np.ndarray, now: int) -> State:
        raise AssertionError("expected no lie to be asked for")


SINGLE = (
    "zeros",
    "other_pose",
    "frozen",
    "stale",
    "old_stamp",
    "future_stamp",
    "permuted",
    "offset_joint",
    "not_finite",
    "partial",
    "duplicate",
    "velocity",
)
KINDS = ("none", *SINGLE, "mixed", "frozen_driver")


class Stream:
    """A few seconds; `run` once."""

    def __init__(self, seed: int, kind: str, seconds: float = 3.0) -> None:
        self.rng = rng = np.random.default_rng([seed, KINDS.index(kind)])
        self.outcome = Outcome(kind)
        self._kind, self._ticks = kind, round(seconds * 1000 * MS / TICK)
        tool, home = arm().robot.tool, arm().robot.home
        self._q = arm().ik(
            np.array([rng.uniform(0.35, 0.65), rng.uniform(-0.2, 0.2), tool.height]), tool.rotation, home.joints
        )
        self._controller = TrajectoryController(arm().joint_names, self._q)
        self._was: list[np.ndarray] = [self._q]
        self._guard = Guard(arm(), Limits.of(arm().robot))
        self._arm, self._path = FollowedArm(arm(), lockstep=False), ToolPath(arm(), STEP / 1e9)
        if rng.random() < 0.5:  # else they find out by themselves
            self._guard.place(self._q, 0, 0)
        self._lies = Lies("zeros" if kind == "frozen_driver" else kind, rng, self._q)
        self._state_every = int(rng.choice([2, 4, 10]))  # ticks
        self._lie_every = int(rng.choice([1, 2, 5, 10, 40]))
        self._burst = int(rng.choice([1, 1, 1, 3, 20]))
        self._lying = sorted(rng.uniform(-0.5, seconds, 2)) if rng.random() < 0.7 else [0.0, seconds]
        self._latency = int(rng.integers(0, 9)) * TICK
        self._heading, self._speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.002, 0.03)  # [m] a step
        self._silent = rng.uniform(1.0, seconds) if rng.random() < 0.3 else math.inf
        self._stop_at = int(rng.integers(self._ticks)) if rng.random() < 0.4 else -1
        self._frozen: np.ndarray | None = None
        self._waiting: tuple[int, int, Request, np.ndarray] | None = None  # due, stamp, command, where it began

    def run(self) -> Outcome:
        for tick in range(1, self._ticks):
            now = tick * TICK
            self._move(now)
            if tick % self._state_every == 0:
                self._true_state(now)
            self._tell_lies(tick, now)
            self._plan(tick, now)
            if tick % 4 == 0 and (verdict := self._guard.watchdog(now)) is not None:
                self._send(verdict, now, "watchdog", None)
            self._stops(tick, now)
        return self.outcome

    def _move(self, now: int) -> None:
        self._q = self._q + (self._controller.sample(now) - self._q) * (1 - math.exp(-TICK / 1e9 / ARM_LAG))
        self._was = [*self._was[-(WAS_NS // TICK) :], self._q]

    def _hear(self, state: State, now: int) -> bool:
        names, positions, stamp, velocities = state
        with suppress(JointStateError):
            self._arm.measured(names, positions, stamp, velocities)
        return self._guard.observe(names, positions, stamp, now, velocities)

    def _true_state(self, now: int) -> None:
        truth = self._q + self.rng.normal(0.0, 2e-4, 7)
        if self._kind == "frozen_driver" and self._lying[0] <= now / 1e9 <= min(self._lying[1], self._lying[0] + 0.4):
            self._frozen = truth if self._frozen is None else self._frozen
            self.outcome.lies += 1
            self.outcome.believed += self._hear(_of(self._frozen, now), now)
        else:
            self.outcome.refused += not self._hear(_of(truth, now), now)

    def _tell_lies(self, tick: int, now: int) -> None:
        if self._kind in ("none", "frozen_driver") or tick % self._lie_every:
            return
        if not self._lying[0] <= now / 1e9 <= self._lying[1]:
            return
        for i in range(self._burst):
            names, positions, stamp, velocities = self._lies.say(self._q, now)
            self.outcome.lies += 1
            self.outcome.believed += self._hear((names, positions, stamp + 1 + i, velocities), now + 1 + i)

    def _plan(self, tick: int, now: int) -> None:
        if tick * TICK % STEP == 0 and not self._silent <= now / 1e9 <= self._silent + 0.5 and self._arm.known(now):
            pursuing = tick * TICK % (10 * STEP) < 7 * STEP
            self._arm.anchor(self._path, now, pursuing)
            begin = self._path.joints
            self._heading += self.rng.normal(0.0, 0.4)
            direction = np.array([np.cos(self._heading), np.sin(self._heading)])
            motion = self._path.move(self._speed * direction) if pursuing else self._path.hold()
            times = np.round(motion.times * 1e9).astype(int).tolist()
            request = Request(arm().joint_names, now + self._latency, times, motion.joints.tolist())
            self._waiting = now + self._latency, now, request, begin
        if self._waiting is not None and now >= self._waiting[0]:
            _, stamp, request, begin = self._waiting
            self._waiting = None
            verdict = self._guard.check(request, stamp, now + 1)
            self._send(verdict, now, verdict.kind.value, begin, stamp)

    def _stops(self, tick: int, now: int) -> None:
        if tick == self._stop_at:
            stop = self.rng.choice(["e_stop", "hold"])
            verdict = self._guard.e_stop(now + 2) if stop == "e_stop" else self._guard.hold("deactivated", now + 2)
            self._send(verdict, now, stop, None)
        elif tick == self._stop_at + 100:
            self._guard.reset_e_stop()

    def _send(self, verdict: Verdict, now: int, what: str, begin: np.ndarray | None, stamp: int = 0) -> None:
        """To the arm; `begin` (7,): where the planner meant to go from, None for what the guard does by itself."""
        motion, sent, outcome = verdict.motion, verdict.sent, self.outcome
        passed = verdict.kind in (Kind.PASS, Kind.LIMITED)
        if motion is None or sent is None:
            if not passed and stamp:  # the planner hears of a hold, too, for which nothing was sent
                self._arm.held(stamp)
            return
        outcome.sent, outcome.passed, outcome.held = (
            outcome.sent + 1,
            outcome.passed + passed,
            outcome.held + (not passed),
        )
        # Where the arm truly was, where its controller brings it now, and where the planner meant to bring it from there.
        truly = [*self._was, *(self._controller.sample(now + ahead) for ahead in range(0, 2 * STEP, STEP // 10))]
        if passed and begin is not None:
            # Smooth motions are behind what is commanded: that goes on from where the arm would rest.
            rest = self._controller.sample(now + 10 * STEP)
            truly += [place + point - begin for place in (self._q, rest) for point in motion.positions]
        low, high = np.min(truly, axis=0), np.max(truly, axis=0)
        off = float(np.maximum(low - sent.positions, sent.positions - high).max())
        outcome.farthest = max(outcome.farthest, off)
        outcome.by[what] = max(outcome.by.get(what, 0.0), off)
        points = [Point(int(t), q, v) for t, q, v in zip(sent.times_ns, sent.positions, sent.velocities, strict=True)]
        self._controller.accept(arm().joint_names, sent.start_ns, points, now)
        ends = ((motion.start_ns or now) + motion.times_ns).tolist()
        self._arm.sent(arm().joint_names, max(motion.start_ns, now), ends, motion.positions.tolist(), hold=not passed)
        if not passed:
            self._arm.held(stamp or now)


def stream(seed: int, kind: str) -> Outcome:
    return Stream(seed, kind).run()
