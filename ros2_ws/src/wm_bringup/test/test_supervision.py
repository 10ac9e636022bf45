"""The supervisor's decisions, with a clock and processes that the test makes up: order, back-off, adoption, giving up."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from wm_bringup.supervision.core import Policy, State, Step, Supervision
from wm_bringup.supervision.ends import End, after
from wm_bringup.supervision.processes import Condition, Process, condition, far, find, kill, process
from wm_bringup.supervision.shared_memory import clean
from wm_bringup.supervision.strangers import Strangers
from wm_core.launched import CANNOT_RUN

pytestmark = pytest.mark.ros

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


def test_all_are_configured_then_all_activated_in_order():
    stack = Stack(*ORDER).run(3)
    assert stack.steps == [f"{step} {name}" for step in ("configure", "activate") for name in ORDER]
    assert stack.statuses == ["starting", "active"] and not stack.faults


def test_nothing_is_activated_before_the_last_one_has_appeared():
    stack = Stack(*ORDER)
    stack.die("planner")
    stack.run(1.5)
    assert stack.steps == ["configure guard", "configure perception"]
    assert stack.run(3).supervision.status == "active"


def test_a_dead_node_is_brought_up_again_and_the_others_are_left_as_they_are():
    stack = up()
    stack.die("perception")
    stack.run(5)
    assert stack.steps == ["configure perception", "activate perception"]
    assert stack.faults == [("perception", "died; restart 1 of at most 5, not before 1 s")]
    assert stack.statuses[-2:] == ["recovering: perception", "active"]


def test_two_dead_nodes_become_active_in_order():
    stack = up()
    stack.die("planner")
    stack.die("guard")
    stack.starts_at["guard"] += 1.0  # the planner is there first, and waits
    stack.run(6)
    assert [step for step in stack.steps if "activate" in step] == ["activate guard", "activate planner"]
    assert stack.supervision.status == "active"


def test_a_hung_node_is_killed_after_the_silence():
    stack = up()
    stack.hung["planner"] = Condition.STOPPED
    stack.run(0.7)
    assert not stack.faults
    stack.run(6)
    assert stack.faults[0][1].startswith("hangs: no sign of life for 1.1 s")
    assert stack.steps == ["configure planner", "activate planner"] and stack.supervision.status == "active"


def test_one_that_computes_or_waits_is_given_more_time():
    stack = up()
    stack.hung["planner"] = Condition.RUNNING
    stack.run(3.5)
    assert not stack.faults
    assert stack.run(1).faults


def test_a_supervisor_that_did_not_run_blames_nobody():
    """A stopped or starved supervisor has heard nobody; the heartbeats are still to be read."""
    stack = up()
    stack.now += 60
    stack.hung = dict.fromkeys(ORDER, Condition.STOPPED)
    stack.run(TICK)
    stack.hung.clear()
    assert not stack.run(1).faults


def test_the_time_until_the_next_try_doubles_and_then_it_gives_up():
    stack = up(policy=Policy(max_restarts=3))
    active_after = []
    for _ in range(3):
        stack.die("planner")
        died = stack.now
        stack.run(1)
        while stack.supervision.status != "active" and stack.now < died + 60:
            stack.run(TICK)
        active_after.append(round(stack.now - died))
    assert active_after == [2, 2, 4]  # the launcher takes 2 s
    stack.die("planner")
    stack.run(1)
    assert stack.supervision.status == "failed: planner died; failure 4 within 120 s"


def test_failures_long_ago_do_not_count():
    stack = up(policy=Policy(max_restarts=1))
    for _ in range(3):
        stack.die("planner")
        stack.run(130)
        assert stack.supervision.status == "active"


def test_a_node_that_cannot_be_configured_ends_the_start_but_is_tried_again_later():
    stack = Stack(*ORDER)
    stack.refuses = {"perception"}
    stack.run(3)
    assert stack.supervision.failed == "perception could not configure: no file"
    stack = up()
    stack.die("perception")
    stack.refuses = {"perception"}
    stack.run(4)
    assert not stack.supervision.failed
    stack.refuses = set()
    assert stack.run(10).supervision.status == "active"


def test_one_that_hangs_before_it_was_heard_of_is_found_and_killed():
    stack = up("recorder")
    for name in ("planner", "recorder"):
        stack.die(name)
    stack.run(1)
    stack.starts_at.clear()
    for name in ("planner", "recorder"):
        stack.start(name)
        stack.hung[name] = Condition.STOPPED
    stack.run(13)
    assert len(stack.faults) == 2
    stack.run(10)
    assert [what[:24] for _, what in stack.faults[2:]] == ["did not appear within 15"] * 2
    assert stack.supervision.status == "active" and stack.supervision.process("recorder")


def test_one_that_never_comes_is_named():
    stack = up()
    stack.die("planner")
    del stack.starts_at["planner"]
    stack.run(40)
    assert stack.supervision.failed == "planner did not appear within 15 s; look for its error above"


def test_a_new_supervisor_adopts_what_runs():
    stack = up()
    stack.supervision = Supervision(ORDER, (), Policy(), stack.now)
    stack.statuses.clear()
    stack.run(3)
    assert stack.statuses == ["", "active"] or stack.statuses == ["active"]
    assert not stack.steps
    stack.die("guard")
    assert stack.run(5).steps == ["configure guard", "activate guard"]


def test_a_new_supervisor_brings_up_what_died_while_there_was_none():
    stack = up()
    stack.die("perception")
    stack.supervision = Supervision(ORDER, (), Policy(), stack.now)
    stack.run(5)
    assert stack.steps == ["configure perception", "activate perception"] and stack.supervision.status == "active"


def test_who_was_deactivated_by_a_person_is_left_alone():
    stack = up()
    stack.states["planner"] = State.INACTIVE
    stack.run(5)
    assert not stack.steps and stack.supervision.deactivated == ["planner"]
    assert stack.supervision.status == "recovering: planner"
    stack.states["planner"] = State.ACTIVE
    assert stack.run(1).supervision.status == "active"


def test_nodes_without_a_life_cycle_are_watched_too():
    stack = up("recorder")
    stack.hung["recorder"] = Condition.STOPPED
    stack.run(5)
    assert stack.faults and stack.supervision.process("recorder") == stack.pids["recorder"]
    assert not stack.steps and stack.statuses[-1] == "active"


def test_one_of_another_machine_is_used_again_once_it_answers():
    supervision = Supervision(("far",), (), Policy(), 0.0)
    far = Process(7, 0)
    supervision.heard("far", far, False, State.ACTIVE.value, 0.0)
    faults = [fault for tick in range(1, 50) for fault in supervision.watch(tick * TICK, lambda _: Condition.GONE)]
    assert len(faults) == 1 and faults[0].kill is None and supervision.status == "recovering: far"
    supervision.heard("far", far, False, State.ACTIVE.value, 5.0)
    assert supervision.status == "active"


def test_a_process_is_found_by_its_node_and_its_launcher(monkeypatch):
    monkeypatch.setenv("WM_LAUNCHER_PID", str(os.getpid()))
    command = [sys.executable, "-c", "import time; time.sleep(60)", "--ros-args", "-r", "__node:=wm_lost"]
    other = subprocess.Popen(command, env={**os.environ, "WM_LAUNCHER_PID": "1"})
    time.sleep(0.2)
    assert find("wm_lost") is None
    mine = subprocess.Popen(command)
    time.sleep(0.2)
    assert find("wm_lost") == process(mine.pid) and find("wm_los") is None
    for child in (other, mine):
        child.kill()
        child.wait()


def test_a_process_of_several_nodes_is_found_by_each_of_them(monkeypatch):
    monkeypatch.setenv("WM_LAUNCHER_PID", str(os.getpid()))
    rules = [word for name in ("wm_lost", "wm_other") for word in ("-r", f"{name}:__node:={name}")]
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "--ros-args", *rules])
    time.sleep(0.2)
    try:
        assert find("wm_lost") == find("wm_other") == process(child.pid)
        assert find("lost") is None and find("wm_othe") is None
    finally:
        child.kill()
        child.wait()


def test_nodes_of_one_process_fall_with_it_and_come_back_in_order():
    """One that hangs has a thread of its own and falls silent alone; its process is killed, which ends the others as well."""
    stack = up()
    shared = stack.pids["perception"]
    for name in ("perception", "planner"):
        stack.pids[name] = shared
    stack.run(1)  # heard of in their common process
    stack.steps.clear()
    stack.hung["planner"] = Condition.RUNNING
    stack.run(4.5)
    assert [name for name, _ in stack.faults][:1] == ["planner"] and "hangs" in stack.faults[0][1]
    assert {name: what.partition(";")[0] for name, what in stack.faults}["perception"] == "died"
    stack.run(10)
    assert [step for step in stack.steps if "activate" in step] == ["activate perception", "activate planner"]
    assert stack.supervision.status == "active"


def test_processes_are_known_by_their_start_too():
    child = subprocess.Popen(["sleep", "60"])
    found = process(child.pid)
    assert condition(found) is Condition.RUNNING
    kill(found._replace(started=found.started - 1))  # another process with the same id
    time.sleep(0.05)
    assert child.poll() is None
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(0.05)
    assert condition(found) is Condition.STOPPED
    kill(found)
    time.sleep(0.1)
    assert condition(found) is Condition.GONE  # not waited for yet
    child.wait()
    assert condition(found) is Condition.GONE and process(child.pid) is None
    kill(found)


@pytest.mark.parametrize("pid", [0, 2**22 + 1])
def test_a_process_that_is_not_there(pid):
    assert process(pid) is None


def test_shared_memory_of_the_dead_is_given_back(tmp_path):
    names = ("fastrtps_0123456789abcdef", "fastrtps_0123456789abcde0", "fastrtps_0123456789abcde1", "fastrtps_port7411")
    for name in names:
        (tmp_path / name).write_bytes(b"data")
        (tmp_path / f"{name}_el").touch()
        os.utime(tmp_path / f"{name}_el", (0, 0))
    os.utime(tmp_path / f"{names[2]}_el")  # just made
    with open(tmp_path / f"{names[1]}_el") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert clean(tmp_path) == 1
    assert not (tmp_path / names[0]).exists() and not (tmp_path / f"{names[0]}_el").exists()
    assert all((tmp_path / name).exists() and (tmp_path / f"{name}_el").exists() for name in names[1:])


@pytest.mark.parametrize(
    ("respawn", "final", "ends_all", "status", "end"),
    [
        (True, (), True, -9, End.BEGUN_ANEW),
        (True, (), True, 1, End.BEGUN_ANEW),
        (True, (), True, CANNOT_RUN, End.OF_ALL),
        (True, (), False, CANNOT_RUN, End.ALONE),
        (True, (0, 1), True, 1, End.OF_ALL),  # the supervisor gave up
        (True, (0, 1), True, -9, End.BEGUN_ANEW),
        (False, (), True, 0, End.OF_ALL),  # what was asked for is done
        (False, (), False, -9, End.ALONE),
    ],
)
def test_what_follows_from_an_end(respawn, final, ends_all, status, end):
    assert after(respawn, final, ends_all, status) is end


# --- another wm in the same domain ----------------------------------------------------------------------------------

FAR = far(7, "other-host 0123abcd 1")


def test_a_stranger_is_not_adopted_while_the_known_one_lives():
    """Of another host that started a second launch: its heartbeats come between those of the first one's nodes."""
    stack = up()
    mine = stack.pids["planner"]
    for _ in range(20):
        assert stack.supervision.heard("planner", FAR, False, State.UNCONFIGURED.value, stack.now) is None
        stack.run(TICK)
        assert stack.supervision.heard("planner", mine, True, State.ACTIVE.value, stack.now) == FAR  # both live
    assert stack.supervision.process("planner") == mine and stack.supervision.status == "active"
    assert not stack.steps and not stack.faults


def test_no_services_are_called_while_a_stranger_answers_them_too():
    stack = up()
    stack.die("planner")
    for _ in range(60):
        stack.supervision.beside("planner", FAR, stack.now)  # its launch is another, as its supervisor knows
        stack.run(TICK)
    assert not stack.steps and stack.supervision.shared("planner", stack.now)
    assert not stack.supervision.shared("guard", stack.now)
    stack.run(6)
    assert stack.steps == ["configure planner", "activate planner"] and stack.supervision.status == "active"


@pytest.mark.parametrize("restarted", [Process(8, 0), far(8, "other-host 0123abcd 1")])
def test_a_restart_is_adopted_once_the_old_process_is_silent(restarted):
    supervision, now = Supervision(("far",), (), Policy(), 0.0), 0.0
    supervision.heard("far", FAR, False, State.ACTIVE.value, now)
    adopted = None
    while adopted is None and now < 20:
        now += TICK
        assert supervision.heard("far", restarted, not restarted.away, State.ACTIVE.value, now) is None
        supervision.watch(now, lambda _: Condition.RUNNING)
        adopted = now if supervision.process("far") == restarted else None
    assert adopted == pytest.approx(Policy().long_silence, abs=0.5)
    assert supervision.status == "active" and not supervision.shared("far", now)


def test_a_restart_is_adopted_at_once_when_the_old_process_is_gone():
    stack = up()
    stack.die("planner")
    stack.start("planner")  # heard of before anybody looked for the old one
    del stack.starts_at["planner"]
    stack.run(1)
    assert stack.steps == ["configure planner", "activate planner"] and stack.supervision.status == "active"


def test_strangers_are_known_by_their_launcher_or_by_the_own_node_of_the_name():
    mine = {"guard": Process(1, 10)}
    strangers = Strangers(["guard", "recorder"], 0.0, lambda found: found.pid == 2, mine.get)
    assert not strangers.heard("guard", Process(1, 10), 0.1) and not strangers.heard("unknown", FAR, 0.1)
    assert not strangers.heard("recorder", FAR, 0.2) and not strangers.problem(0.2)  # it runs there alone
    assert strangers.heard("guard", Process(2, 10), 0.3) and "guard (process 2) of another" in strangers.problem(0.3)
    mine.clear()  # it died; what was started here will be again
    assert strangers.heard("guard", FAR, 5.0) and strangers.waiting(5.1)
    assert "(process 7 of another machine or container)" in strangers.problem(5.0)
    assert "ROS_DOMAIN_ID or namespace of its own" in strangers.problem(5.0) and not strangers.problem(9.0)


def test_processes_of_other_machines_differ_by_their_host():
    assert far(7, "a 1 1") == far(7, "a 1 1") != far(7, "b 1 1")
    assert far(7, "a 1 1").away and not process(os.getpid()).away
