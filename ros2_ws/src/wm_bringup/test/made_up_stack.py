"""A supervised stack with a clock and processes that the test makes up."""

from wm_bringup.supervision.core import Policy, State, Step, Supervision
from wm_bringup.supervision.processes import Condition, Process

ORDER = ("guard", "perception", "planner")
TICK = 0.1
POLICY = Policy()


class Stack:
    """Nodes whose processes the test ends and stops; a launcher starts those again that have ended, after 2 s."""

    def __init__(self, *names, others=(), policy=POLICY):
        self.now, self._pids = 100.0, 0
        self.supervision = Supervision(names, others, policy, self.now)
        self.pids, self.states, self.starts_at, self.hung, self.refuses = {}, {}, {}, {}, set()
        self.steps, self.faults, self.statuses = [], [], []
        self.cycle, self.names = names, (*names, *others)
        for name in self.names:
            self.start(name)

    def start(self, name):
        self._pids += 1
        self.pids[name] = Process(self._pids, 0)
        self.states[name] = State.UNCONFIGURED if name in self.cycle else State.ACTIVE

    def die(self, name):
        self.pids[name] = None
        self.starts_at[name] = self.now + 2.0

    def look(self, found):
        names = [name for name, pid in self.pids.items() if pid == found]
        return self.hung.get(names[0], Condition.RUNNING) if names else Condition.GONE

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end and not self.supervision.failed:
            self.now += TICK
            for name in [name for name, at in self.starts_at.items() if at <= self.now]:
                del self.starts_at[name]
                self.hung.pop(name, None)
                self.start(name)
            for name, found in self.pids.items():
                if found is not None and name not in self.hung:
                    self.supervision.heard(name, found, True, self.states[name].value, self.now, self.look)
            for fault in self.supervision.watch(self.now, self.look, self.pids.get):
                self.faults.append((fault.name, fault.what))
                for name in [name for name, found in self.pids.items() if found is not None and found == fault.kill]:
                    self.die(name)
            if change := self.supervision.due(self.now):
                self.steps.append(f"{change.step.value} {change.name}")
                problem = "could not configure: no file" if change.name in self.refuses else ""
                if not problem:
                    self.states[change.name] = State.INACTIVE if change.step is Step.CONFIGURE else State.ACTIVE
                for fault in self.supervision.ended(change, problem, self.now):
                    self.faults.append((fault.name, fault.what))
            if self.supervision.status not in self.statuses[-1:]:
                self.statuses.append(self.supervision.status)
        return self


def up(*others, **kwargs):
    stack = Stack(*ORDER, others=others, **kwargs).run(3)
    stack.steps.clear()
    return stack
