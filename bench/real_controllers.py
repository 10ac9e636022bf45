"""Goals through the real controller manager of an installed ros2_control, with a mocked arm, beside the stand-in's own controller."""

import argparse
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from _common import FIRST_TEST_SEED, conclude, groups, rate, recorded, result_options, shipped, table
from _results import Line, Results
from control_msgs.msg import JointTrajectoryControllerState
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from stand_in import WORLD, driven_stand_in, started

from wm_bringup.graph_ros2_control import ros2_control
from wm_bringup.launch_arguments import LaunchError
from wm_core.polled import OutsideExecutor
from wm_core.qos import STATE
from wm_core.robot import controller_states, load_robot
from wm_core.stamps import to_ns
from wm_sim.world import load_world
from wm_tasks.client import Client, object_goal

OWN, REAL = "of the stand-in", "of ros2_control"
START_S, GOAL_S, END_S = 60.0, 60.0, 20.0
REACHED_M = 0.02
EVERY = QoSProfile(depth=40000, reliability=ReliabilityPolicy.BEST_EFFORT)
PROTOCOL = f"""\
`arm_real.launch.py` and `robot_stand_in.launch.py`, one camera of 30 Hz, `speed:=full`. The controller is that of the stand-in, or
ros2_control's joint_trajectory_controller with `mock_components/GenericSystem`, as `ros2_control.launch.py` starts them; the stand-in's
arm then goes where that one's is (`follow`). Goal after goal, from where the last one left the object, as on a robot; each is drawn
with its seed. Reached: within {100 * REACHED_M:.0f} cm, by the truth. Jerk: second difference of the velocities that the controller says on
`controller_state`, at least 8 ms apart by their stamps, fastest joint."""


class Goals(Client):
    """Sends goals and hears what the controller says of itself."""

    NAME = "real_controllers"

    def __init__(self) -> None:
        super().__init__()
        profile, self.world = load_robot(self.value["robot"]), load_world(WORLD)
        self._truth = np.full(2, np.nan)
        self.create_subscription(PoseStamped, "ground_truth/object_pose", self._on_truth, STATE)
        topic = controller_states(profile.controller_topic)
        # Five hundred a second: its messages are taken when the goal has ended, and the next is not begun meanwhile.
        self._states = self.create_subscription(
            JointTrajectoryControllerState, topic, lambda _: None, EVERY, callback_group=OutsideExecutor()
        )

    def conclude(self) -> None:
        """Nothing to do: the benchmark writes its lines."""

    def _on_truth(self, message: PoseStamped) -> None:
        self._truth = np.array([message.pose.position.x, message.pose.position.y])

    def _velocities(self) -> list[tuple[int, np.ndarray]]:
        """Of the controller's reference [rad/s], with stamps [ns], since the last call."""
        found = []
        with self._states.handle:
            while (taken := self._states.handle.take_message(JointTrajectoryControllerState, False)) is not None:
                reference = taken[0].reference
                if reference.velocities:
                    found.append((to_ns(taken[0].header.stamp), np.array(reference.velocities)))
        return found

    def pursue(self, seed: int) -> dict[str, Any]:
        """What came of the goal of a seed."""
        self.wait(lambda: np.isfinite(self._truth).all(), START_S, "the truth")
        goal = self.world.draw_goal(np.random.default_rng([seed, 1]), self._truth)
        self._velocities()
        handle, began = self.send_goal(object_goal(goal), GOAL_S), time.monotonic()
        ended = handle.get_result_async()
        self.spin_for(GOAL_S + END_S, ended.done)
        seconds = time.monotonic() - began
        self.spin_for(0.3, lambda: False)
        distance = float(np.linalg.norm(self._truth - goal))
        jerks = jerk(self._velocities())
        return {
            "reached": distance <= REACHED_M,
            "distance_m": distance,
            "time_s": seconds,
            "jerk": {
                "p50": float(np.quantile(jerks, 0.5)),
                "p99": float(np.quantile(jerks, 0.99)),
                "max": float(jerks.max()),
            }
            if len(jerks)
            else None,
        }


def jerk(states: list[tuple[int, np.ndarray]], least_ns: int = 8_000_000) -> np.ndarray:
    """Of the fastest joint [rad/s^3], (m,), by velocities (n,) [rad/s] and their stamps [ns], at least `least_ns` apart."""
    kept: list[tuple[int, np.ndarray]] = []
    for stamp_ns, velocity in states:
        if not kept or stamp_ns - kept[-1][0] >= least_ns:
            kept.append((stamp_ns, velocity))
    if len(kept) < 3:
        return np.empty(0)
    times, velocities = np.array([each[0] for each in kept]) / 1e9, np.array([each[1] for each in kept])
    steps = np.diff(times)[:, None]
    accelerations = np.diff(velocities, axis=0) / steps
    between = (steps[1:] + steps[:-1]) / 2
    return np.abs(np.diff(accelerations, axis=0) / between).max(axis=1)


@contextmanager
def controller_manager(robot: str, folder: Path) -> Iterator[None]:
    """What ros2_control.launch.py starts, without launch."""
    from ament_index_python.packages import get_package_prefix

    with ExitStack() as processes:
        for program in ros2_control({"robot": robot}).programs:
            executable = Path(get_package_prefix(program.package)) / "lib" / program.package / program.executable
            command = [str(executable), *program.arguments]
            processes.enter_context(started(program.executable, command, folder))
        yield


def launch(controller: str, seeds: list[int], options: argparse.Namespace, folder: Path, results: Results) -> None:
    """One launch of all and the goals of these seeds, as long as it runs."""
    real = controller == REAL
    rclpy.init(args=["--ros-args", "-p", f"robot:={options.robot}"], signal_handler_options=SignalHandlerOptions.NO)
    try:
        with (
            driven_stand_in(options.robot, folder, {"follow": "/joint_states"} if real else {}) as wm,
            controller_manager(options.robot, folder) if real else nullcontext(),
        ):
            _pursue(seeds, controller, wm, results)
    finally:
        rclpy.try_shutdown()


def _pursue(seeds: list[int], controller: str, wm: subprocess.Popen, results: Results) -> None:
    client = Goals()
    client.wait_for_bringup()
    for seed in seeds:
        if wm.poll() is not None:
            break
        found = client.pursue(seed)
        results.add(found, controller=controller, seed=seed)
        print(f"controller {controller}, seed {seed}: {found}", flush=True)
    client.destroy_node()


def tables(lines: list[Line]) -> str:
    """A row a controller."""
    rows = []
    for (controller,), found in groups(lines, "controller").items():
        results = [line["result"] for line in found]
        times = [each["time_s"] for each in results if each["reached"]]
        jerks = [each["jerk"] for each in results if each["jerk"]]
        rows.append((
            controller,
            rate(each["reached"] for each in results),
            f"{np.median(times):.1f}, {np.quantile(times, 0.9):.1f}" if times else "-",
            f"{1000 * np.median([each['distance_m'] for each in results]):.1f}",
            *(f"{np.median([each[key] for each in jerks]):.0f}" if jerks else "-" for key in ("p50", "p99")),
            f"{max(each['max'] for each in jerks):.0f}" if jerks else "-",
        ))  # fmt: skip
    header = ("controller", "reached", "time, median and 90 % [s]", "final distance, median [mm]")
    return table((*header, "jerk, median [rad/s3]", "99 %", "worst"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--goals", type=int, default=50)
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first goal")
    parser.add_argument("--robot", default="ur5e")
    parser.add_argument("--controllers", nargs="+", default=[OWN, REAL], choices=[OWN, REAL], metavar="CONTROLLER")
    parser.add_argument("--folder", type=Path, default=Path("runs/real_controllers"), help="of logs")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    print(PROTOCOL + "\n")
    if REAL in options.controllers:
        try:
            ros2_control({"robot": options.robot})
        except LaunchError as error:
            parser.error(f"{error}; without it give --controllers '{OWN}'")
    results = recorded("real_controllers", options, "robot", bundle=shipped(), robot=False)
    keys = [
        {"controller": each, "seed": options.seed + i} for each in options.controllers for i in range(options.goals)
    ]
    for controller in options.controllers:
        missing = [key["seed"] for key in keys if key["controller"] == controller and results.done(**key) is None]
        if missing:
            folder = (options.folder / time.strftime("%Y_%m_%d-%H_%M_%S")).absolute()
            launch(controller, missing, options, folder, results)
    lines = results.lines_of(keys)
    return conclude(lines, tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
