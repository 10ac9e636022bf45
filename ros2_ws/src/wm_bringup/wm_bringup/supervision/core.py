"""Which node is brought up next, which one has died or hangs, and when to give up. Pure: no ROS, no clock of its own.

The launcher starts processes, and starts those again that have ended. What is decided here: that a process which hangs is killed, that a
new one waits for its time (back-off) and is then configured and activated in its turn, and that a node which dies again
and again ends everything.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from wm_bringup.supervision.processes import Condition, Process

LONGEST_TICK_S = (
    0.25  # between two looks more does not count as silence: who did not get to look did not get to hear either
)


class State(Enum):
    """Of a life cycle, as in lifecycle_msgs/State."""

    UNCONFIGURED = 1
    INACTIVE = 2
    ACTIVE = 3


class Step(Enum):
    """Towards being active."""

    CONFIGURE = "configure"
    ACTIVATE = "activate"


NEXT = {State.UNCONFIGURED: Step.CONFIGURE, State.INACTIVE: Step.ACTIVATE}
AFTER = {Step.CONFIGURE: State.INACTIVE, Step.ACTIVATE: State.ACTIVE}


@dataclass(frozen=True)
class Policy:
    """[s] on the wall."""

    silence: float = 1.0  # of a node whose process is stopped, until it hangs
    # Of one that computes or waits: it may not get the processor, and whoever dies can make others wait a second for shared memory.
    long_silence: float = 4.0
    appear: float = 30.0  # until a process has been heard of, all starting together
    appear_again: float = 15.0  # alone
    first_delay: float = 1.0  # from a failure until the node is brought up again; twice as long after each further one
    max_restarts: int = 5  # of one node within `window`; one failure more ends everything
    window: float = 120.0
    echo: float = 0.5  # after a step in which heartbeats from before it may still come


@dataclass(frozen=True)
class Change:
    """A step of one process."""

    name: str
    step: Step
    process: Process


@dataclass(frozen=True)
class Fault:
    """A node that failed: `kill` is the process to be ended, if it is not."""

    name: str
    what: str
    kill: Process | None


@dataclass
class Member:
    """What is known of one node."""

    name: str
    cycle: bool  # whether it has a life cycle
    awaited_since: float
    process: Process | None = None
    here: bool = True  # on this machine
    state: State | None = None
    silent: float = 0.0
    ready_at: float = 0.0
    failures: deque[float] = field(default_factory=deque)
    killed: Process | None = None
    left_alone: bool = False  # somebody else deactivated it
    stepped_from: State | None = None
    stepped_at: float = 0.0
    other: Process | None = None  # that has the name too
    other_at: float = 0.0

    @property
    def active(self) -> bool:
        return self.process is not None and self.state is State.ACTIVE


class Supervision:
    """`heard` takes heartbeats, `watch` finds faults, `due` says what to do next and `ended` takes what came of it."""

    def __init__(self, order: Sequence[str], others: Sequence[str], policy: Policy, now: float) -> None:
        """`order`: nodes with a life cycle, in the order in which they become active. `others`: what is watched besides."""
        self._policy = policy
        self._order = tuple(order)
        self._members = {name: Member(name, name in order, now) for name in (*order, *others)}
        self._looked = now
        self._change: Change | None = None
        self._begun = False
        self._been_up = False
        self.failed = ""  # why everything ends; empty: it does not
        self.restarts: dict[str, int] = dict.fromkeys(self._members, 0)

    # -- what comes in -------------------------------------------------------------------------------------------

    def heard(
        self,
        name: str,
        found: Process,
        here: bool,
        state: int,
        now: float,
        look: Callable[[Process], Condition] = lambda found: Condition.UNKNOWN,
    ) -> Process | None:
        """A heartbeat. `here`: its process is one of this machine. Returns another process of the name, when both live: a stranger.

        A process is adopted once the one before is gone, by `look`, or silent, as `watch` has found.
        """
        member = self._members.get(name)
        if member is None or found == member.killed:
            return None
        if member.process not in (None, found) and not (member.here and look(member.process) is Condition.GONE):
            self.beside(name, found, now)
            return None
        known = State(state) if state in (1, 2, 3) else None
        if found != member.process:
            member.process, member.here, member.state, member.left_alone = found, here, None, False
            member.stepped_from = None
            if found == member.other:
                member.other = None
        echo = member.stepped_from is not None and now - member.stepped_at < self._policy.echo
        if echo and known is member.stepped_from:
            known = member.state  # sent before the step
        if member.active and known is not State.ACTIVE and known is not None:
            member.left_alone = True
        elif known is State.ACTIVE:
            member.left_alone = False
        member.state, member.silent = known, 0.0
        self._been_up = self._been_up or self._all_active()
        return member.other if self.shared(name, now) else None

    def beside(self, name: str, other: Process, now: float) -> None:
        """A process that is not to be adopted has the name, too."""
        self._members[name].other, self._members[name].other_at = other, now

    def shared(self, name: str, now: float) -> bool:
        """Whether another process of this name lives: either could answer the services, so that none is to be called."""
        member = self._members[name]
        return member.other is not None and now - member.other_at < self._policy.long_silence

    def watch(
        self,
        now: float,
        look: Callable[[Process], Condition],
        find: Callable[[str], Process | None] = lambda name: None,
    ) -> list[Fault]:
        """Faults since the last call; `look` is asked about processes of this machine, `find` for one that has not been heard of."""
        passed, self._looked = min(now - self._looked, LONGEST_TICK_S), now
        faults = []
        for member in self._members.values():
            if member.process is None:
                faults += self._missed(member, now, find)
                continue
            seen = look(member.process) if member.here else Condition.UNKNOWN
            if seen is Condition.GONE:
                faults.append(self._failed(member, "died", True, now))
                continue
            if self._change is not None and self._change.process == member.process:
                continue  # configuring loads models and answers nothing meanwhile
            member.silent += passed
            patience = self._policy.silence if seen is Condition.STOPPED else self._policy.long_silence
            if member.silent > patience:
                faults.append(self._failed(member, f"hangs: no sign of life for {member.silent:.1f} s", True, now))
        return faults

    def _missed(self, member: Member, now: float, find: Callable[[str], Process | None]) -> list[Fault]:
        """One that has not been heard of for too long: when it was there before, it may hang since its start."""
        again = self._been_up or bool(member.failures)
        patience = self._policy.appear_again if again else self._policy.appear
        if self.failed or now - member.awaited_since <= patience:
            return []
        what = f"did not appear within {patience:.0f} s"
        member.process = find(member.name) if again else None
        if member.process is not None:
            return [self._failed(member, what, True, now)]
        member.awaited_since = now
        if member.cycle:
            self.failed = f"{member.name} {what}; look for its error above"
        return []

    # -- what to do ----------------------------------------------------------------------------------------------

    def due(self, now: float) -> Change | None:
        """The next step, once its turn has come; it must be followed by `ended`, unless its node has failed meanwhile."""
        for name in self._order:
            member = self._members[name]
            if member.active or self.shared(name, now):
                continue
            ready = member.process is not None and member.state in NEXT and now >= member.ready_at
            if ready and not member.left_alone:
                step = NEXT[member.state]  # type: ignore[index]
                if step is Step.CONFIGURE or self._may_activate(name):
                    assert member.process is not None
                    self._begun = True
                    self._change = Change(name, step, member.process)
                    return self._change
        return None

    def _may_activate(self, name: str) -> bool:
        """In order; the first time not before all are configured."""
        before = self._order[: self._order.index(name)]
        if not all(self._members[other].active for other in before):
            return False
        known = (State.INACTIVE, State.ACTIVE)
        return self._been_up or all(self._members[other].state in known for other in self._order)

    def going(self, change: Change) -> bool:
        """Whether a step still makes sense: its process lives."""
        return self._change == change and not self.failed

    def ended(self, change: Change, problem: str, now: float, hangs: bool = False) -> list[Fault]:
        """What came of a step: `problem` is why it failed, empty when it did not; `hangs`: the process does not answer."""
        if self._change != change:
            return []
        self._change = None
        member = self._members[change.name]
        member.silent = 0.0
        if not problem:
            member.stepped_from, member.stepped_at = member.state, now
            member.state = AFTER[change.step]
            self._been_up = self._been_up or self._all_active()
            return []
        if not self._been_up and not member.failures:
            self.failed = f"{member.name} {problem}"
            return []
        return [self._failed(member, problem, hangs, now)]

    # -- how it is -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """As on `wm/bringup`; empty as long as nothing is known."""
        if self.failed:
            return f"failed: {self.failed}"
        if self._all_active() and (self._been_up or not self._change):
            return "active"
        if not self._been_up:
            return "starting" if self._begun else ""
        missing = [name for name in self._order if not self._members[name].active]
        return f"recovering: {', '.join(missing)}"

    @property
    def been_up(self) -> bool:
        """Whether all were active at once."""
        return self._been_up

    @property
    def deactivated(self) -> list[str]:
        """Nodes that somebody else deactivated, and that are left alone until they are active again."""
        return [name for name, member in self._members.items() if member.left_alone]

    def process(self, name: str) -> Process | None:
        return self._members[name].process

    def active(self, name: str) -> bool:
        return self._members[name].active

    def _all_active(self) -> bool:
        return all(self._members[name].active for name in self._order)

    def _failed(self, member: Member, what: str, lost: bool, now: float) -> Fault:
        """`lost`: its process is of no more use. One of another machine cannot be killed, and is used again once it answers."""
        policy = self._policy
        member.failures.append(now)
        while now - member.failures[0] > policy.window:
            member.failures.popleft()
        count = len(member.failures)
        self.restarts[member.name] += 1
        if self._change is not None and self._change.name == member.name:
            self._change = None
        kill = member.process if lost and member.here else None
        if lost:
            member.killed, member.process, member.state, member.awaited_since = kill, None, None, now
        member.silent = 0.0
        if count > policy.max_restarts:
            self.failed = self.failed or f"{member.name} {what}; failure {count} within {policy.window:.0f} s"
            return Fault(member.name, what, kill)
        delay = policy.first_delay * 2 ** (count - 1)
        member.ready_at = now + delay
        return Fault(
            member.name, f"{what}; restart {count} of at most {policy.max_restarts}, not before {delay:.0f} s", kill
        )
