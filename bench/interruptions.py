"""A controller, a driver, a camera or a person interrupts a robot at work: whether the arm leaps, and whether the goal is reached then."""

import argparse
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from _commanded_steps import STILL_RAD, STILL_S, CommandedSteps
from _common import FIRST_TEST_SEED, conclude, groups, rate, recorded, result_options, shipped, table
from _results import Line
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from stand_in import WORLD, driven_stand_in
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory
from wm_msgs.msg import ArmWatch, Heartbeat
from wm_msgs.srv import SimFault

from wm_core.kinematics import Kinematics
from wm_core.polled import OutsideExecutor
from wm_core.qos import SENSOR, STATE
from wm_core.robot import load_robot
from wm_core.stamps import to_ns
from wm_sim.driver import GIVE_WAY
from wm_sim.world import load_world
from wm_tasks.client import ANSWER_S, Client, ClientError, object_goal

STEP_RAD = 0.01  # from the arm, commanded while it stands
MOVES_RAD_S = 0.01
REACHED_M = 0.02
GIVE_UP_S = 90.0  # of goals after an interruption
BACK_S = 30.0  # until the driver has restarted
KINDS = (
    "deactivated and activated",
    "controller restarted",
    "driver restarted",
    "pushed by a person",
    "camera unplugged",
)
UNCONTROLLED = KINDS[:4]  # while it lasts, the controller takes nothing, or the arm is not where it is commanded
PROTOCOL = f"""\
`arm_real.launch.py` drives `robot_stand_in.launch.py`. While the arm is on its way to a goal: the controller is deactivated for 0.5 to 3 s;
it is restarted; the driver (here the stand-in itself, its object starts anew) is killed and started; a person pushes the arm 0.1 to 0.3 rad
aside, away from the object, within 1 to 2 s, and lets it go; a camera is unplugged for 0.5 to 5 s. Kind, moment and amount are drawn with
the seed. Commanded step: the first point of a trajectory that the controller takes, from the joints that are measured then, while the arm
stands (no joint has moved, or was commanded to, by more than {STILL_RAD} rad for {STILL_S} s), all by their stamps. Speed: fastest joint
over its limit in the URDF, by the simulator's observer, but while a person pushes. Reached: the object is within 2 cm of the goal, by
the truth, at most {GIVE_UP_S:.0f} s later; goals that ended meanwhile are sent again."""


class Interrupter(Client):
    """Sends goals, interrupts, and observes the arm."""

    NAME = "interruptions"

    def __init__(self) -> None:
        super().__init__()
        profile, self.world = load_robot(self.value["robot"]), load_world(WORLD)
        self.steps = CommandedSteps()
        self.speed_share = 0.0
        self.pid = 0  # of the stand-in
        self.pushed = False
        self.moving = False
        self._truth = np.full(2, np.nan)
        self.create_subscription(PoseStamped, "ground_truth/object_pose", self._on_truth, STATE)
        self.create_subscription(ArmWatch, "ground_truth/arm_watch", self._on_watch, STATE)
        self.create_subscription(Heartbeat, "wm/heartbeat", self._on_heartbeat, SENSOR)
        self.create_subscription(JointTrajectory, profile.controller_topic, self._on_trajectory, STATE)
        qos = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._joint_states = self.create_subscription(
            JointState, profile.joint_topic, lambda _: None, qos, callback_group=OutsideExecutor()
        )
        self._kinematics = Kinematics(profile)
        self._names = list(self._kinematics.joint_names)
        self._activate = self.create_client(SetBool, "controller/activate")
        self._restart = self.create_client(Trigger, "controller/restart")
        self._fault = self.create_client(SimFault, "sim/fault")

    def conclude(self) -> None:
        """Nothing to do: the benchmark writes its lines."""

    # -- what is heard -------------------------------------------------------------------------------------------

    def _on_truth(self, message: PoseStamped) -> None:
        self._truth = np.array([message.pose.position.x, message.pose.position.y])

    def _on_watch(self, message: ArmWatch) -> None:
        self.moving = message.arm_speed > MOVES_RAD_S
        if not self.pushed:
            self.speed_share = max(self.speed_share, message.velocity_share)

    def _on_heartbeat(self, message: Heartbeat) -> None:
        if message.node == "robot_stand_in":
            self.pid = message.pid

    def _on_trajectory(self, message: JointTrajectory) -> None:
        self._take_joint_states()
        if message.points:
            order = [list(message.joint_names).index(name) for name in self._names]
            points = [[point.positions[i] for i in order] for point in message.points]
            self.steps.commanded(to_ns(message.header.stamp), points)

    def _take_joint_states(self) -> None:
        with self._joint_states.handle:
            while (taken := self._joint_states.handle.take_message(JointState, False)) is not None:
                at = dict(zip(taken[0].name, taken[0].position, strict=False))
                if at.keys() >= set(self._names):  # a gripper's own come on the same topic
                    self.steps.measured(to_ns(taken[0].header.stamp), [at[name] for name in self._names])

    # -- a try ---------------------------------------------------------------------------------------------------

    def attempt(self, kind: str, seed: int) -> dict[str, Any]:
        """What came of one interruption."""
        rng = np.random.default_rng([seed, 2])
        self.reset_world(seed)
        self.steps = CommandedSteps()
        self.spin_for(2.0, lambda: False)
        goal = self.world.draw_goal(np.random.default_rng([seed, 1]), self._truth)
        handle = self.send_goal(object_goal(goal), GIVE_UP_S)
        self.wait(lambda: self.moving, ANSWER_S, "the arm to move", fatal=False)
        self.spin_for(rng.uniform(0.1, 1.5), lambda: False)
        self.speed_share, moving = 0.0, self.moving
        begin_ns = time.time_ns()
        self._interrupt(kind, rng)
        end_ns = time.time_ns()
        began, sent = time.monotonic(), 1
        future = handle.get_result_async()
        while np.linalg.norm(self._truth - goal) > REACHED_M and time.monotonic() - began < GIVE_UP_S:
            self.spin_for(0.2, lambda: False)
            if future.done():
                self.wait_for_recovery()
                self.spin_for(1.0, lambda: False)
                handle, sent = self.send_goal(object_goal(goal), GIVE_UP_S), sent + 1
                future = handle.get_result_async()
        reached = bool(np.linalg.norm(self._truth - goal) <= REACHED_M)
        handle.cancel_goal_async()
        self.spin_for(1.0, future.done)
        excused = [(begin_ns, end_ns)] if kind in UNCONTROLLED else []
        steps = self.steps.steps(begin_ns, excused)
        return {
            "moving": moving,
            "reached": reached,
            "reached_s": time.monotonic() - began if reached else None,
            "goals": sent,
            "step_rad": max(steps, default=0.0),
            "trajectories": len(steps),
            "velocity_share": self.speed_share,
        }

    def _interrupt(self, kind: str, rng: np.random.Generator) -> None:
        if kind == "deactivated and activated":
            self._call(self._activate, SetBool.Request(data=False))
            self.spin_for(rng.uniform(0.5, 3.0), lambda: False)
            self._call(self._activate, SetBool.Request(data=True))
        elif kind == "controller restarted":
            self._call(self._restart, Trigger.Request())
            self.spin_for(0.6, lambda: False)
        elif kind == "driver restarted":
            before = self.pid
            with suppress(ProcessLookupError):
                os.kill(before, signal.SIGKILL)
            self.wait(lambda: self.pid != before, BACK_S, "the driver's restart")
        elif kind == "pushed by a person":
            seconds, turn = rng.uniform(1.0, 2.0), rng.uniform(0.1, 0.3)
            self.pushed = True
            self._fail("arm", "pushed", self._away() * turn, seconds)
            self.spin_for(seconds + turn / GIVE_WAY + 0.2, lambda: False)
        else:
            seconds = rng.uniform(0.5, 5.0)
            for stream in ("colour", "depth"):
                self._fail(stream, "cut", 0.0, seconds)
            self.spin_for(seconds, lambda: False)
        self.pushed = False

    def _away(self) -> float:
        """In which direction the first joint turns the tool away from the object."""
        self._take_joint_states()
        q = self.steps.newest
        ways = {sign: self._kinematics.tool(q + sign * 0.1 * np.eye(len(q))[0]).xy for sign in (-1.0, 1.0)}
        return max(ways, key=lambda sign: float(np.linalg.norm(ways[sign] - self._truth)))

    def _fail(self, target: str, kind: str, amount: float, seconds: float) -> None:
        request = SimFault.Request(target=target, kind=kind, amount=float(amount), duration=float(seconds))
        self._call(self._fault, request)

    def _call(self, client: Any, request: Any) -> None:
        answer = self.answer(client.call_async(request), ANSWER_S, client.srv_name)
        if not answer.success:
            raise ClientError(f"{client.srv_name}: {answer.message}")


def run(missing: list[tuple[str, int]], options: argparse.Namespace, add: Callable[..., Any]) -> None:
    """One launch of both, and the tries that are still to be made."""
    folder = (options.folder / time.strftime("%Y_%m_%d-%H_%M_%S")).absolute()
    rclpy.init(args=["--ros-args", "-p", f"robot:={options.robot}"], signal_handler_options=SignalHandlerOptions.NO)
    with driven_stand_in(options.robot, folder, {}) as wm:
        client = Interrupter()
        client.wait_for_bringup()
        for kind, seed in missing:
            result = client.attempt(kind, seed)
            add({**result, "running": wm.poll() is None}, kind=kind, seed=seed)
            print(f"{kind}, seed {seed}: {result}", flush=True)
        client.destroy_node()
    rclpy.try_shutdown()


def tables(lines: list[Line]) -> str:
    """A row a kind of interruption."""
    rows = []
    for (kind,), found in groups(lines, "kind").items():
        results = [line["result"] for line in found]
        times = [each["reached_s"] for each in results if each["reached"]]
        steps = [each["step_rad"] for each in results]
        rows.append(
            (
                kind,
                rate(each["reached"] for each in results),
                f"{np.median(times):.1f}, {max(times):.1f}" if times else "-",
                f"{np.median(steps):.4f}, {max(steps):.4f}",
                sum(step > STEP_RAD for step in steps),
                f"{max(each['velocity_share'] for each in results):.2f}",
            )
        )
    header = ("interruption", "reached", "after, median and worst [s]", "commanded step, median and worst [rad]")
    return table((*header, f"above {STEP_RAD}", "speed over limit, worst"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first try")
    parser.add_argument("--robot", default="ur5e")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, metavar="KIND")
    parser.add_argument("--folder", type=Path, default=Path("runs/interruptions"), help="of logs")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    results = recorded("interruptions", options, "robot", bundle=shipped(), robot=False)
    tries = [(KINDS[i % len(KINDS)], options.seed + i) for i in range(options.tries)]
    keys = [each for each in tries if each[0] in options.kinds]
    missing = [(kind, seed) for kind, seed in keys if results.done(kind=kind, seed=seed) is None]
    if missing:
        run(missing, options, results.add)
    lines = results.lines_of({"kind": kind, "seed": seed} for kind, seed in keys)
    return conclude(lines, tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
