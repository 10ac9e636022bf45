"""The motion that an arm is on: smooth, within limits, and at rest in the end, so that an arm whose guard is dead comes to rest.

What was commanded is smoothed. Where that is too much for the limits, the fastest motion within them takes its place: it goes
on as it is, and what is commanded meanwhile is added on top. Times are integer ns of one clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from wm_guard.jerk_limited import JointLimits, Profile, State, move, stop
from wm_guard.smoothing import States, corners, smooth

NS = 1_000_000_000
PERIOD = 0.01  # [s] between the points that are sent
SHORTEST_STOP = 4 * PERIOD  # [s] a shorter one could not be sent in such points
SOON = 0.3  # [s] a stop is no longer put off for where it would end
RAMP = 0.01  # [s] in which fast motions and stops reach the acceleration limit at the soonest
FINE = 0.0025  # [s] between the looks at a motion that is made of two
ROUNDING = 0.02  # [s] second average: over which the acceleration changes
ACCELERATION_SHARE = (
    0.88  # of the limit for fast motions: the splines between the points that are sent go beyond theirs
)
STOP_SHARE = 0.95  # of the limit for stops, for the same reason
JERK_SHARE = 0.7  # of the limit for the fastest motion, so that something can be added on top
TOOL_EVERY = 3  # points of a smoothed motion at which the tool is looked at: it is no faster than commanded
TRIES = 6  # of slower motions
TOLERATED = 0.01  # of the tool's speed
SLACK = 1e-6  # of what rounding may add

# Whether the tool may go through joints (m, n) at velocities (m, n): 1, or the share of these velocities that it may; 0: not at all.
Allowed = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Sent:
    """A motion as the arm's controller takes it: from where it is now to `positions` (T, n) [rad] with `velocities` and
    `accelerations` (T, n) at `ends_ns` (T,). The last are zero. `rest_ns`: when it rests; `limit`: what asked for another motion
    than the smoothed one, or empty. `start_ns`: stamp from which its times count, 0 for its arrival.
    """

    ends_ns: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    accelerations: np.ndarray
    rest_ns: int
    limit: str = ""
    start_ns: int = 0
    begin_ns: int = 0

    @staticmethod
    def rest(q: np.ndarray, end_ns: int) -> "Sent":
        """At rest at joints `q` (n,) at a time, however it gets there."""
        still = np.zeros((1, len(q)))
        return Sent(np.array([end_ns]), q[None], still, still, end_ns)

    @property
    def times_ns(self) -> np.ndarray:
        """(T,) from `start_ns`, or from its arrival."""
        return self.ends_ns - (self.start_ns or self.begin_ns)

    def since(self, first: int) -> "Sent":
        """Without the points before one."""
        kept = slice(first, None)
        return replace(
            self,
            ends_ns=self.ends_ns[kept],
            positions=self.positions[kept],
            velocities=self.velocities[kept],
            accelerations=self.accelerations[kept],
        )

    def later(self, end_ns: int) -> "Sent":
        """Without the points that come sooner than a time, but for the last."""
        return self.since(min(int(np.searchsorted(self.ends_ns, end_ns)), len(self.ends_ns) - 1))

    def only_at(self, end_ns: int) -> "Sent":
        """Its last point alone, at a time."""
        return replace(self.since(-1), ends_ns=np.array([end_ns]), rest_ns=end_ns)

    def stamped(self, stamp_ns: int, begin_ns: int) -> "Sent":
        return replace(self, start_ns=stamp_ns, begin_ns=begin_ns)


class MotionError(ValueError):
    """A motion that cannot be made within the limits; the arm goes on with the one that it is on, which ends at rest."""


class Motions:
    """Makes each motion from the one before; empty until `place`."""

    def __init__(self, limits: JointLimits, lower: np.ndarray, upper: np.ndarray, smoothing: float) -> None:
        """`lower`, `upper` (n,) [rad]: never left by a stop; `smoothing` [s]: over which velocity changes."""
        self.limits = limits
        self._lower, self._upper = lower, upper
        self._first, self._second = smoothing, ROUNDING
        # What changes within the first point would not be seen in the points that are sent: the spline to it would overshoot.
        self._sendable = replace(
            limits,
            acceleration=STOP_SHARE * limits.acceleration,
            jerk=np.minimum(limits.jerk, limits.acceleration / RAMP),
        )
        self._times = np.empty(0, np.int64)  # of what was commanded [ns]
        self._points = np.empty((0, len(lower)))
        self._fastest: tuple[int, Profile] | None = None  # since when
        self._seen: tuple[int, State] | None = None  # what `state` gave last: motions go on from there

    @property
    def settle_ns(self) -> int:
        """How long after what is commanded the arm rests."""
        return int((self._first + self._second) * NS)

    @property
    def lag_ns(self) -> int:
        """How long the arm is behind what is commanded, where that goes on at one speed."""
        return self.settle_ns // 2

    def place(self, q: np.ndarray, now_ns: int) -> None:
        """The arm rests at joints `q` (n,) [rad]."""
        self._times, self._points, self._fastest = np.array([now_ns]), np.array([q], float), None
        self._seen = None

    def commanded(self, now_ns: int) -> np.ndarray:
        """Where what was commanded, before it was smoothed, is at a time: (n,) [rad]."""
        i = int(np.searchsorted(self._times, now_ns, side="right"))
        if i == 0 or i == len(self._times):
            return self._points[0 if i == 0 else -1].copy()
        share = (now_ns - self._times[i - 1]) / (self._times[i] - self._times[i - 1])
        return self._points[i - 1] + share * (self._points[i] - self._points[i - 1])

    def state(self, now_ns: int) -> State:
        """Position, velocity, acceleration (n,) of the motion at a time."""
        if self._seen is None or self._seen[0] != now_ns:
            states = self._states(now_ns, np.zeros(1))
            self._seen = now_ns, (states.position[0], states.velocity[0], states.acceleration[0])
        return self._seen[1]

    def rest_ns(self, now_ns: int) -> int:
        """When the arm rests, at the earliest `now_ns`."""
        ends = [now_ns, int(self._times[-1]) + self.settle_ns if len(self._times) > 1 else now_ns]
        if self._fastest is not None:
            ends.append(self._fastest[0] + int(np.ceil(self._fastest[1].duration * NS)))
        return max(ends)

    def follow(
        self, now_ns: int, ends_ns: np.ndarray, points: np.ndarray, limits: JointLimits, allowed: Allowed
    ) -> Sent:
        """Through `points` (T, n) [rad] at `ends_ns` (T,), ascending, from where it is commanded now; raises MotionError.

        Smoothed where that keeps the limits, else at once and in as short a time as they allow to the last point.
        """
        before = self._times, self._points, self._fastest
        state = self.state(now_ns)
        try:
            self._command(now_ns, ends_ns, points)
            limit = self._exceeded(now_ns, limits, allowed)
            if limit:
                self._go(now_ns, state, points[-1], (ends_ns[-1] - now_ns) / NS + self._first, limits, allowed)
            return self._sent(now_ns, now_ns, limit)
        except Exception:  # whatever it is: the arm can still be stopped on the way that it is on
            self._times, self._points, self._fastest = before
            raise

    def stop(self, now_ns: int, hold_ns: int, ends_well: Callable[[np.ndarray], bool] = lambda _: True) -> Sent:
        """To rest, and held until `now_ns + hold_ns` at least: as soon as the limits allow, or on the motion that it is on where that
        rests sooner, or soon, and the stop would leave the joints' ranges or not end well, at joints (n,).
        """
        state, left_s = self.state(now_ns), (self.rest_ns(now_ns) - now_ns) / NS
        stops = self._stops(state)
        good = [
            profile
            for profile in (stops if left_s > SOON else stops[:1])
            if profile is not None and profile.duration < left_s and self._within(profile, state[0])
        ]
        best = next((profile for profile in good if ends_well(profile.target)), None)
        if best is None and good and left_s > SOON:
            best = good[0]
        if best is not None:
            self._rest_at(best.target, now_ns, best)
        return self._sent(now_ns, now_ns + hold_ns)

    def halt(self, now_ns: int, hold_ns: int) -> Sent:
        """At once where it is, as abruptly as the arm can (a stop of category 0 leaves the rest to its brakes)."""
        self.place(self.state(now_ns)[0], now_ns)
        return self._sent(now_ns, now_ns + hold_ns)

    # -- inside --------------------------------------------------------------------------------------------------

    def _command(self, now_ns: int, ends_ns: np.ndarray, points: np.ndarray) -> None:
        kept = slice(int(np.searchsorted(self._times, now_ns - self.settle_ns, side="right")) - 1, None)
        here = self.commanded(now_ns)
        times, places = self._times[max(kept.start, 0) :], self._points[max(kept.start, 0) :]
        past = times < now_ns
        self._times = np.concatenate([times[past], [now_ns], ends_ns]).astype(np.int64)
        self._points = np.concatenate([places[past], here[None], points])

    def _stops(self, state: State) -> list[Profile | None]:
        """Ways to rest, the best first: straight on; each joint as soon as it can; back to within the joints' ranges."""
        ways = [stop(state, self._sendable, SHORTEST_STOP)]
        for limits in (self._sendable, self.limits):
            ways.append(apart := stop(state, limits, together=False))
            target = state[0] if apart is None else apart.target
            ways.append(move(state, np.clip(target, self._lower, self._upper), limits, SHORTEST_STOP))
        return ways

    def _within(self, profile: Profile, here: np.ndarray) -> bool:
        """Whether it stays within the joints' ranges, or no further outside than here."""
        return self._inside(*profile.range(), here)

    def _inside(self, low: np.ndarray, high: np.ndarray, here: np.ndarray) -> bool:
        """The same of a motion between `low` and `high` (n,)."""
        lower, upper = np.minimum(self._lower, here), np.maximum(self._upper, here)
        return bool((low >= lower - SLACK).all() and (high <= upper + SLACK).all())

    def _rest_at(self, target: np.ndarray, now_ns: int, profile: Profile) -> None:
        self.place(target, now_ns)
        self._fastest = now_ns, profile

    def _states(self, now_ns: int, at: np.ndarray) -> States:
        """At times `at` [s] from `now_ns`."""
        states = smooth((self._times - now_ns) / NS, self._points, at, self._first, self._second)
        if self._fastest is None or now_ns - self._fastest[0] >= self._fastest[1].duration * NS:
            return states
        begin_ns, profile = self._fastest
        other = profile.at(at + (now_ns - begin_ns) / NS)
        return States(
            states.position + other.position - profile.target,
            states.velocity + other.velocity,
            states.acceleration + other.acceleration,
            states.jerk + other.jerk,
        )

    def _exceeded(self, now_ns: int, limits: JointLimits, allowed: Allowed) -> str:
        """The limit that the motion breaks, or empty."""
        rest = (self.rest_ns(now_ns) - now_ns) / NS
        bends = corners((self._times - now_ns) / NS, self._first, self._second)
        alone = True
        if self._fastest is not None and now_ns - self._fastest[0] < self._fastest[1].duration * NS:
            alone, bends = False, np.append(bends, self._fastest[1].times.ravel() - (now_ns - self._fastest[0]) / NS)
        at = np.arange(0.0, rest, PERIOD if alone else FINE)
        at = np.sort(np.concatenate([at, bends[(bends > 0) & (bends < rest)]]))
        states = self._states(now_ns, at)
        for name, values, limit in (
            ("joint_velocity", states.velocity, limits.velocity),
            ("acceleration", states.acceleration, limits.acceleration),
            ("jerk", states.jerk, limits.jerk),
        ):
            if (np.abs(values) > limit * (1 + SLACK) + SLACK).any():
                return name
        if not self._inside(states.position.min(axis=0), states.position.max(axis=0), states.position[0]):
            return "joint_position"  # a motion that is added on top of a fast one
        some = slice(None, None, TOOL_EVERY if alone else round(PERIOD / FINE))
        return "tool_speed" if allowed(states.position[some], states.velocity[some]) < 1 else ""

    def _go(
        self,
        now_ns: int,
        state: State,
        target: np.ndarray,
        least: float,
        limits: JointLimits,
        allowed: Allowed,
    ) -> None:
        # Too fast already, as when a limit was lowered: no faster.
        share, least_part = 1.0, min(1.0, allowed(state[0][None], state[1][None])) - TOLERATED
        for _ in range(TRIES):
            jerk = np.minimum(JERK_SHARE * limits.jerk, self._sendable.jerk)
            gentle = ACCELERATION_SHARE * limits.acceleration
            trajectory = move(state, target, JointLimits(share * limits.velocity, gentle, jerk), least)
            in_time = least + self._second
            if trajectory is None or trajectory.duration > in_time:
                fastest = move(state, target, JointLimits(share * limits.velocity, limits.acceleration, jerk), least)
                if fastest is not None and (trajectory is None or fastest.duration <= in_time):
                    trajectory = fastest  # gently it would come late
            if trajectory is None:
                raise MotionError("found no motion within the limits")
            if not self._within(trajectory, state[0]):
                raise MotionError("too fast to stay within the joints' ranges")
            states = trajectory.at(np.arange(0.0, trajectory.duration + PERIOD, PERIOD))
            part = allowed(states.position, states.velocity)
            if part <= 0:
                raise MotionError("would go where the tool must not")
            if part >= least_part:
                self._rest_at(target, now_ns, trajectory)
                return
            top = float((np.abs(states.velocity) / limits.velocity).max())
            share = min(share, top) * part * 0.98
        raise MotionError("found no motion that is slow enough for the tool")

    def _sent(self, now_ns: int, until_ns: int, limit: str = "") -> Sent:
        """The motion from `now_ns` on, to its end and at least until a time."""
        rest_ns = self.rest_ns(now_ns)
        steps = max(1, int(np.ceil((rest_ns - now_ns) / NS / PERIOD - 1e-9)))
        at = PERIOD * np.arange(steps + 1)
        if at[-1] * NS < until_ns - now_ns:
            at = np.append(at if rest_ns > now_ns else [], (until_ns - now_ns) / NS)
        states = self._states(now_ns, at)
        states.velocity[-1] = states.acceleration[-1] = 0.0
        states.position[-1] = self._points[-1]
        ends_ns = now_ns + np.round(at * NS).astype(np.int64)
        return Sent(ends_ns, states.position, states.velocity, states.acceleration, rest_ns, limit)
