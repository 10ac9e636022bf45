"""What a running stack does after a fault, seen from outside: heartbeats, wm/bringup, goals and the arm's joint states."""

import os
import signal
import time

import rclpy
from lifecycle_msgs.msg import State
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from wm_msgs.msg import GoalEvent, Heartbeat

from wm_core.heartbeat import QOS, TOPIC
from wm_core.qos import LATCHED, STATE

MOVING = 0.05  # [rad/s]
REST_S = 0.5


class Watcher:
    """Listens to the stack of a domain. Times are time.monotonic()."""

    def __init__(self, domain):
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node("watcher", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.pids, self.states, self.status, self.statuses = {}, {}, "", []
        self.goals, self.moved_at, self._moved, self.e_stops = [], 0.0, [], []
        self.node.create_subscription(Heartbeat, TOPIC, self._on_beat, QOS)
        self.node.create_subscription(String, "wm/bringup", self._on_status, LATCHED)
        self.node.create_subscription(GoalEvent, "wm/goal", self._on_goal, STATE)
        self.node.create_subscription(JointState, "joint_states", self._on_joints, STATE)
        self.node.create_subscription(Bool, "wm/e_stopped", self._on_e_stopped, LATCHED)

    def close(self):
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def wait(self, condition, seconds, what):
        start = time.monotonic()
        while not condition():
            assert time.monotonic() - start < seconds, f"waited {seconds} s for {what}; {self.statuses[-5:]}"
            self._executor.spin_once(timeout_sec=0.02)
        return time.monotonic() - start

    def spin(self, seconds):
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, seconds + 1, "")

    def pursuing(self):
        """A goal is being pursued, and the arm moves."""
        return (
            self.status == "active"
            and self.goals
            and self.goals[-1] == GoalEvent.BEGIN
            and time.monotonic() - self.moved_at < 0.1
        )

    def call(self, name):
        client = self.node.create_client(Trigger, name)
        assert client.wait_for_service(10)
        future = client.call_async(Trigger.Request())
        self.wait(future.done, 10, name)
        return future.result()

    def fault(self, name, number):
        """Inject a fault while a goal is being pursued; seconds until the arm rests, the node is active again, and a goal is."""
        self.wait(self.pursuing, 60, "a goal")
        old, goals = self.pids[name], len(self.goals)
        os.kill(old, number)
        at = time.monotonic()
        self.wait(lambda: self.pids[name] != old, 30, f"another {name}")
        self.wait(lambda: self.states[name] == State.PRIMARY_STATE_ACTIVE, 60, f"an active {name}")
        self.wait(lambda: self.status == "active", 30, "recovery")
        active = time.monotonic() - at
        self.wait(lambda: self.pursuing() and len(self.goals) > goals or name in WITHOUT, 60, "the goal")
        pursuing = time.monotonic() - at
        assert not alive(old)
        return self._rest(at), active, pursuing

    def _rest(self, at):
        """[s] from a fault until the arm stands still, for at least REST_S."""
        last = at
        for moved in (each for each in self._moved if each > at):
            if moved - last > REST_S:
                break
            last = moved
        return last - at

    def _on_beat(self, message):
        self.pids[message.node], self.states[message.node] = message.pid, message.state

    def _on_status(self, message):
        self.status = message.data
        self.statuses.append(message.data)

    def _on_goal(self, message):
        self.goals.append(message.event)

    def _on_joints(self, message):
        if max(map(abs, message.velocity)) > MOVING:
            self.moved_at = time.monotonic()
            self._moved.append(self.moved_at)

    def _on_e_stopped(self, message):
        self.e_stops.append(message.data)


WITHOUT = ("wm_bundle_manager", "wm_lifecycle_manager", "wm_recorder")  # the arm goes on without them


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


NUMBERS = {"killed": signal.SIGKILL, "hung": signal.SIGSTOP}
