"""The arm as the guard knows it: where it is measured and commanded, and the motions and holds that go to it."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wm_core.joint_states import JointStates
from wm_core.kinematics import Kinematics
from wm_core.scene import ToolState
from wm_core.specs_schema import TOOL_FIELDS
from wm_guard.jerk_limited import JointLimits
from wm_guard.limits import Limits, Refusal, check_jump, check_positions, shortest_durations
from wm_guard.motions import MotionError, Motions, Sent
from wm_guard.proving import Proving
from wm_guard.reaching import BLEND, NEAR, SLOWLY, arrive_s, catching_up, from_elsewhere, reachable, slowly_s
from wm_guard.requests import NS, Asked
from wm_guard.stalling import Stalling
from wm_guard.tool_limits import WITHIN, ToolLimits, singularity_scale
from wm_guard.verdicts import Kind, Verdict, Why, answer

# [s] of joint states without one that is believed after which commands are refused: they must not run ahead of the arm.
DOUBTED_S = 0.04
LETS_END_S = 0.25  # [s] within which a command ends, in place of a stop to which the arm might leap
LONGEST_S = 60.0  # that a command may take once it is slowed
SILENT = 4  # times as long without joint state as until it is not known where the arm is
MISSED = 3  # joint states until it is not known where the arm is
PERIOD_SHARE = 0.1  # of the newest in the mean period
# The share (above 0, at most 1) of the commanded speed on the way from joints (n,) to joints (n,); raises Refusal.
Slowing = Callable[[np.ndarray, np.ndarray], float]


class Arm:
    """Makes verdicts of what is asked for. Times are integer ns of one clock.

    `states`: where it is measured; `motions`: where it is commanded; `slowing`: by the reason that a verdict gives.
    """

    def __init__(self, kinematics: Kinematics, limits: Limits, step_ns: int) -> None:
        """`step_ns`: length of a hold. Raises ValueError for an arm without velocity limits."""
        if not ((kinematics.velocity > 0) & np.isfinite(kinematics.velocity)).all():
            raise ValueError(
                f"expected a velocity limit above 0 for each joint, got {kinematics.velocity.tolist()} rad/s;"
                " give limits.velocity in the robot profile"
            )
        self._kinematics, self._limits, self._step_ns = kinematics, limits, step_ns
        self._tool_way = kinematics, limits.fastest_tool
        self._period_ns = limits.timeout * NS  # of joint states
        self._lower = kinematics.lower + limits.position_margin
        self._upper = kinematics.upper - limits.position_margin
        share = limits.acceleration_scale
        self._joint_limits = JointLimits(
            limits.velocity_scale * kinematics.velocity, share * kinematics.acceleration, share * kinematics.jerk
        )
        corners = np.array(limits.workspace_min), np.array(limits.workspace_max)
        self._tool = ToolLimits(kinematics, limits.fastest_tool, *corners)
        self.motions = Motions(self._joint_limits, self._lower, self._upper, limits.smoothing)
        self.states = JointStates(
            kinematics,
            tolerance=limits.follow_tolerance,
            lag=limits.follow_lag,
            confirm=limits.confirm_time,
            jumps=False,
        )
        self._slow_until_ns = 0  # when the motion or hold ends of an arm that is elsewhere than where its controller is
        self._proving, self._stalling = Proving(limits.follow_tolerance), Stalling(limits.follow_lag)
        self.slowing: dict[str, Slowing] = {
            "singularity": lambda start, end: singularity_scale(kinematics, start, end, limits)
        }

    @property
    def state_age_ns(self) -> int:
        """Of the oldest joint state that says where the arm is."""
        return round(max(self._limits.joint_timeout * NS, min(self._limits.timeout * NS, MISSED * self._period_ns)))

    def measured(self, q: np.ndarray, stamp_ns: int) -> None:
        """Joints (n,) [rad] of a joint state; raises JointStateError where it is not believed."""
        before_ns = self.states.stamp_ns
        self._stalling.look(q, stamp_ns, self.states.path)
        self.states.judge(q, stamp_ns)
        if self.states.path:
            self._proving.followed(q)
        if before_ns is not None and stamp_ns > before_ns:
            taken_ns = min(stamp_ns - before_ns, self._limits.timeout * NS)
            self._period_ns += PERIOD_SHARE * (taken_ns - self._period_ns)

    def remember(self) -> None:
        """Where it is and commanded, for `forget_since`."""
        states = copy.copy(self.states)
        states.path = copy.copy(states.path)
        self._before = copy.copy(self.motions), states, self._slow_until_ns, copy.copy(self._proving)

    def forget_since(self) -> None:
        """What was decided since `remember` was not sent: the arm goes on as it did."""
        self.motions, self.states, self._slow_until_ns, self._proving = self._before

    @property
    def lost(self) -> bool:
        """Whether nothing is measured any more that is believed, or the arm stands still while it is commanded to move."""
        return bool(self._stalling.problem) or self.states.doubted_ns >= DOUBTED_S * NS

    def known(self, at_ns: int) -> bool:
        """Whether it is known well enough where the arm is, if nothing more is measured until `at_ns`."""
        stamp_ns = self.states.stamp_ns
        return stamp_ns is not None and at_ns - stamp_ns <= self.state_age_ns and not self.lost

    def unknown(self) -> Refusal:
        """Why it is not known well enough where the arm is."""
        if doubts := self.states.doubts() or self._stalling.problem:
            return Refusal("not_following", doubts)
        return Refusal("no_state", f"expected a joint state at most {self.state_age_ns / NS:g} s old")

    def accept_jump(self, now_ns: int) -> None:
        """A person says that the arm is where it is measured, though it cannot have come there: believed once joint states agree."""
        self._forget_but(self._left(now_ns))

    def time_went_back(self, before_ns: int) -> None:
        """The clock was set back, from `before_ns`: nothing is known but where the arm's controller goes by itself."""
        self._forget_but(self._left(self.motions.rest_ns(before_ns)))

    def place(self, q: np.ndarray, stamp_ns: int) -> None:
        """See JointStates.place."""
        self.states.place(q, stamp_ns)
        self._at_rest()

    def controller_began(self) -> None:
        """The arm's controller became active, and rests where the arm is: what it was sent before is void."""
        self.states.path.clear()
        self.states.left = None
        self._at_rest()

    def follow(self, asked: Asked, now_ns: int) -> Verdict:
        """The motion that is asked for, slowed where limits ask for it; raises Refusal."""
        measured, left = self.states.position, self.states.left
        if measured is None or not self.known(now_ns):
            raise self.unknown()
        if now_ns < self._slow_until_ns:  # joint states that are wrong would make it leap with the next command
            left_s = (self._slow_until_ns - now_ns) / NS
            raise Refusal("catching_up", f"the arm may be on its way from elsewhere for {left_s:.1f} s")
        ends_ns, positions = asked.ends_ns, asked.positions
        within = np.full(len(measured), self._limits.max_jump)
        if not self.states.path:  # who counts on commands that never reached the arm is elsewhere by now
            reach = self._kinematics.velocity * ((ends_ns[0] - now_ns) / NS)
            within = np.minimum(within, reach + self._limits.follow_tolerance)
        check_jump(positions[0], measured, within, self._kinematics.joint_names)
        here = (
            self.motions.commanded(now_ns) if self.states.path else measured
        )  # where the arm's controller goes on from
        path = np.vstack([here, positions])
        check_positions(path, self._lower, self._upper, self._kinematics.joint_names)
        shortest = shortest_durations(path, self._kinematics, self._limits)
        asked_ns = np.diff(ends_ns, prepend=now_ns)
        shortest["joint_velocity"][0] = max(
            shortest["joint_velocity"][0], float(self._catching_up(positions[:1], measured)[0])
        )
        if self._proving.needed:
            shortest["not_following"] = SLOWLY * shortest["joint_velocity"]
        needed_ns = {limit: np.ceil(durations * NS).astype(np.int64) for limit, durations in shortest.items()}
        for limit, slowing in self.slowing.items():
            needed_ns[limit] = (asked_ns / slowing(here, positions[-1])).astype(np.int64)
        exceeded = [limit for limit, needed in needed_ns.items() if (needed > asked_ns).any()]
        if exceeded:
            ends_ns = now_ns + np.cumsum(np.max([asked_ns, *needed_ns.values()], axis=0))
        if ends_ns[-1] - now_ns > LONGEST_S * NS:
            slower = f"to keep {', '.join(exceeded)} the motion would take {(ends_ns[-1] - now_ns) / NS:.0f} s"
            raise Refusal("too_long", f"{slower}, expected at most {LONGEST_S:g}")
        if not self.states.path:
            self.motions.place(here, now_ns)
        if now_ns >= self.motions.rest_ns(now_ns):
            self._proving.starts(measured)
        try:
            sent = self.motions.follow(now_ns, ends_ns, positions, self._joint_limits, self._tool.allowed)
        except MotionError as error:
            raise Refusal("limits", str(error)) from error
        if (late_ns := sent.rest_ns - self.motions.settle_ns - ends_ns[-1]) > 0:
            exceeded.append(sent.limit or "acceleration")
            ends_ns = now_ns + ((ends_ns - now_ns) * (1 + late_ns / (ends_ns[-1] - now_ns))).astype(np.int64)
        why = Why(Kind.LIMITED, exceeded[0], f"slowed to keep {' and '.join(exceeded)}") if exceeded else Why(Kind.PASS)
        sent = reachable(sent, self._catching_up(sent.positions, measured), now_ns)
        sent = self._joined(sent, asked.start_ns, now_ns)
        if left is not None and np.abs(left - measured).max() > self._limits.follow_tolerance:
            self._slow_until_ns = int(sent.ends_ns[-1])
        self._commanded(sent, now_ns)
        verdict = answer(
            self._kinematics,
            self.motions,
            why,
            asked.start_ns,
            ends_ns,
            positions,
            sent,
            now_ns,
            self.motions.lag_ns,
            here,
        )
        return replace(verdict, speed_scale=float((asked.ends_ns[-1] - now_ns) / (ends_ns[-1] - now_ns)))

    def hold(self, why: Why, now_ns: int, stamp_ns: int = 0, halt: bool = False) -> Verdict:
        """To rest near where it is commanded, or as near to it as is safe; `halt`: at once. `stamp_ns`: of the command that is
        answered, 0 for none.
        """
        states = self.states
        if now_ns < self._slow_until_ns:  # its end once more would be a leap for a controller that is elsewhere
            return self.nothing(why.but("nothing sent: the arm is on its way to rest"), now_ns)
        if not states.path and states.left is None and states.position is None:
            return self.nothing(why.but("nothing sent: no joint state yet"), now_ns)
        if self._silent(now_ns):
            return self.nothing(why.but("nothing sent: the arm rests, and nobody says where"), now_ns)
        if not states.path and states.left is not None:
            return self._stay_left(why, states.left, now_ns, stamp_ns)
        if not states.path:  # never commanded
            self.motions.place(np.array(states.position), now_ns)
        elsewhere = states.newest if self.lost and not states.jumped else None
        rest_ns = self.motions.rest_ns(now_ns)
        if self._proving.needed and now_ns >= rest_ns and (elsewhere is not None or self._behind):
            return self.nothing(why.but("nothing sent: the arm rests, and not where it was commanded"), now_ns)
        sent = self.motions.halt(now_ns, self._step_ns) if halt else self._stop(now_ns)
        if (
            elsewhere is not None
        ):  # its controller goes on with it, or becomes active now, where the arm is: no leap then
            self._proving.lost()
            end_ns = now_ns + round(arrive_s(elsewhere, sent.positions[-1], *self._tool_way) * NS)
            leaps = end_ns > sent.ends_ns[-1] and not halt
            if leaps and rest_ns - now_ns <= LETS_END_S * NS:
                self._slow_until_ns = rest_ns
                return self.nothing(why.but("nothing sent: the arm's last command ends by itself"), now_ns)
            sent = sent.only_at(end_ns) if leaps else sent
            self._slow_until_ns = sent.rest_ns  # the holds that follow do not put it off
        sent = self._joined(sent, stamp_ns if elsewhere is None else 0, now_ns)
        self._commanded(sent, now_ns)
        return answer(
            self._kinematics, self.motions, why, stamp_ns, sent.ends_ns[-1:], sent.positions[-1:], sent, now_ns
        )

    def nothing(self, why: Why, now_ns: int) -> Verdict:
        """Nothing is sent: the arm goes on as it does."""
        nowhere = ToolState(np.full(len(TOOL_FIELDS), np.nan))
        return Verdict(*why, None, None, now_ns, nowhere, nowhere)

    # -- inside --------------------------------------------------------------------------------------------------

    def _left(self, now_ns: int) -> np.ndarray | None:
        """Joints (n,) [rad] where its controller brings the arm, as far as known; where it was measured if that got nothing yet."""
        if self.states.path:
            return self.motions.commanded(now_ns)
        return self.states.position if self.states.left is None else self.states.left

    def _forget_but(self, left: np.ndarray | None) -> None:
        self.states.forget()
        self._stalling.forget()
        self.states.left, self._slow_until_ns = left, 0

    def _at_rest(self) -> None:
        """Arm and controller are at one place."""
        self._slow_until_ns = 0
        self._proving.forget()
        self._stalling.forget()

    def _silent(self, now_ns: int) -> bool:
        """Whether nothing was measured for so long that another arm may listen, or this one elsewhere: its driver was started anew."""
        stamp_ns = self.states.stamp_ns
        silent = stamp_ns is not None and now_ns - stamp_ns > SILENT * self.state_age_ns
        return silent and now_ns >= self.motions.rest_ns(now_ns)

    def _catching_up(self, points: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """How long [s], (T,), an arm that may be elsewhere needs to points (T, n)."""
        return catching_up(
            points, measured, self.states.left, self._joint_limits.velocity, self._limits.follow_tolerance
        )

    def _joined(self, sent: Sent, stamp_ns: int, now_ns: int) -> Sent:
        """From now on, where arm and controller are on the motion before; else they have some time to the first point. `stamp_ns`: 0
        where the controller may be elsewhere.

        joint_trajectory_controller (since 4.17) begins the way to a first point that is still to come with its next command, one
        period too early: at each such trajectory all joints make the step of two periods in one. Points from now on have no such way.
        """
        if stamp_ns and self.states.path and not self._behind:
            return sent
        if self.states.position is not None and self._behind and (self._proving.needed or self._proving.still):
            return from_elsewhere(sent, self.states.position, *self._tool_way, now_ns)
        return sent.later(now_ns + round(BLEND * NS))

    @property
    def _behind(self) -> bool:
        """Whether the arm is measured elsewhere than where it was commanded at that time, if only by little."""
        path, position, stamp_ns = self.states.path, self.states.position, self.states.stamp_ns
        if not path or position is None or stamp_ns is None:
            return False
        return float(np.abs(path.at(stamp_ns) - position).max()) > NEAR

    def _stop(self, now_ns: int) -> Sent:
        """To rest, within the workspace unless the arm is outside already."""
        outside = self._tool.outside(self.motions.state(now_ns)[0]) + WITHIN
        return self.motions.stop(now_ns, self._step_ns, lambda q: bool((self._tool.outside(q) <= outside).all()))

    def _stay_left(self, why: Why, left: np.ndarray, now_ns: int, stamp_ns: int) -> Verdict:
        """A hold of an arm that is measured elsewhere than where its controller was left.

        A controller that is still there rests there. One that was started anew rests where the arm is measured: it would take the
        arm back. So nothing is sent, unless both are the same place.
        """
        measured = self.states.newest if self.states.position is None else self.states.position
        if measured is None or float(np.abs(left - measured).max()) > self._limits.follow_tolerance:
            return self.nothing(why.but("nothing sent: the arm is not where it was commanded"), now_ns)
        end_ns = now_ns + max(self._step_ns, round(slowly_s(measured, left, *self._tool_way) * NS))
        self.motions.place(left, now_ns)
        sent = Sent.rest(left, end_ns)
        return answer(self._kinematics, self.motions, why, stamp_ns, sent.ends_ns, sent.positions, sent, now_ns)

    def _commanded(self, sent: Sent, now_ns: int) -> None:
        """The arm goes through `sent` from `now_ns` on."""
        sent = sent.later(now_ns + 1)
        here = self.motions.state(now_ns)[0]
        self.states.command(now_ns, sent.ends_ns, np.vstack([here, sent.positions]))
