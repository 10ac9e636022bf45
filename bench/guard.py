"""What the guard costs: time that it adds to a command, and share of a core with joint states, and so checks of the arm, at 500 Hz."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from _common import recorded, result_options, table, write_json
from _results import Line
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Command

from wm_core.joint_path import JointPath
from wm_core.kinematics import Kinematics
from wm_core.qos import STATE
from wm_core.robot import load_robot
from wm_core.stamps import to_msg, to_ns
from wm_guard.guard import Guard
from wm_guard.limits import Limits, Request

NS = 1_000_000_000
SPACE = "guard_bench"
STEP_NS = NS // 10
RADIUS = 0.06  # [m] of the circle that the tool moves on
SPEED = 0.3  # [m/s]
STATES_HZ = 500


def circle(kinematics: Kinematics) -> list[np.ndarray]:
    """Joints (n,) along a circle of the tool over the table, a step apart; then the same way back, so that commands reverse."""
    robot = kinematics.robot
    q, places = kinematics.ik(robot.home.position, robot.tool.rotation, robot.home.joints), []
    centre = robot.home.position + [0.1 + RADIUS, 0.0, 0.0]
    count = round(2 * np.pi * RADIUS / (SPEED * STEP_NS / NS))
    for angle in np.pi + 2 * np.pi * np.arange(count + 1) / count:
        q = kinematics.ik(centre + RADIUS * np.array([np.cos(angle), np.sin(angle), 0.0]), robot.tool.rotation, q)
        places.append(q)
    return places + places[-2:0:-1]


def core(commands: int) -> dict[str, float]:
    """Milliseconds of the core for a command: median and p99 by the clock, p99 of CPU time; the share of commands where limits asked
    for another motion than the smoothed one, and p99 of CPU time of these.
    """
    kinematics = Kinematics(load_robot())
    places, now = circle(kinematics), NS
    guard = Guard(kinematics, Limits.of(kinematics.robot))
    guard.place(places[0], now, now)
    spent, limited = [], []
    for i in range(commands):
        guard.observe(kinematics.joint_names, guard.arm.motions.state(now)[0] if i else places[0], now, now)
        ends, half = places[(i + 1) % len(places)], 0.5 * (places[i % len(places)] + places[(i + 1) % len(places)])
        request = Request(kinematics.joint_names, now, [STEP_NS // 2, STEP_NS], [half, ends])
        began = time.perf_counter(), time.thread_time()
        verdict = guard.check(request, now, now)
        spent.append((1e3 * (time.perf_counter() - began[0]), 1e3 * (time.thread_time() - began[1])))
        limited.append(verdict.sent is not None and bool(verdict.sent.limit))
        now += STEP_NS
    (times, cpu), other = np.array(spent).T, np.array(limited)
    return {
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "cpu_p99_ms": float(np.percentile(cpu, 99)),
        "limited": float(other.mean()),
        "limited_cpu_p99_ms": float(np.percentile(cpu[other], 99)) if other.any() else float("nan"),
    }


def node(seconds: float) -> dict[str, float]:
    """Share of a core that the node takes, and milliseconds from a command to its trajectory over DDS (median, p99)."""
    kinematics = Kinematics(load_robot())
    places = circle(kinematics)
    rclpy.init()
    robot = rclpy.create_node("robot", namespace=SPACE)
    executor = SingleThreadedExecutor()
    executor.add_node(robot)
    guard = subprocess.Popen([sys.executable, "-m", "wm_guard.node", "--ros-args", "-r", f"__ns:=/{SPACE}"])
    try:
        change = robot.create_client(ChangeState, "wm_guard/change_state")
        if not change.wait_for_service(60):
            raise SystemExit("expected the guard's node within 60 s, found none")
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            future = change.call_async(ChangeState.Request(transition=Transition(id=transition)))
            executor.spin_until_future_complete(future, timeout_sec=60)
        return _drive(robot, executor, guard.pid, kinematics, places, seconds)
    finally:
        guard.send_signal(signal.SIGINT)
        guard.wait(20)
        executor.shutdown()
        robot.destroy_node()
        rclpy.try_shutdown()


def _drive(robot, executor, pid: int, kinematics: Kinematics, places: list[np.ndarray], seconds: float) -> dict:
    names, sent, waits = list(kinematics.joint_names), [], []
    path = JointPath()
    path.replace(0, np.empty(0), places[0][None])
    states = robot.create_publisher(JointState, "joint_states", STATE)
    commands = robot.create_publisher(Command, "wm/command", STATE)

    def now_ns() -> int:
        return robot.get_clock().now().nanoseconds

    def answered(message: JointTrajectory) -> None:
        if sent:
            waits.append(1e3 * (time.monotonic() - sent[-1]))
        begin_ns = now_ns()
        start_ns = to_ns(message.header.stamp) or begin_ns
        ends_ns = start_ns + np.array([to_ns(point.time_from_start) for point in message.points])
        points, later = np.array([point.positions for point in message.points]), ends_ns > begin_ns
        path.replace(begin_ns, ends_ns[later], np.vstack([path.at(begin_ns), points[later]]))

    def command() -> None:
        target = places[(1 + len(sent)) % len(places)]
        message = Command(action=[1.0, 0.0], status=Command.ACTIVE)
        point = JointTrajectoryPoint(positions=target.tolist())
        point.time_from_start.nanosec = STEP_NS
        message.trajectory = JointTrajectory(joint_names=names, points=[point])
        message.header.stamp = message.effective = robot.get_clock().now().to_msg()
        sent.append(time.monotonic())
        commands.publish(message)

    robot.create_subscription(JointTrajectory, "arm_controller/joint_trajectory", answered, STATE)
    began, stated, commanded, cpu = time.monotonic(), 0, 0, 0.0
    warm_s = 2.0  # the guard believes joint states, and Python has loaded all
    while (passed := time.monotonic() - began) < warm_s + seconds:
        if passed >= warm_s and not cpu:
            cpu, waits[:] = _cpu_s(pid), []
        if passed * STATES_HZ >= stated:
            at_ns = now_ns()
            message = JointState(name=names, position=path.at(at_ns).tolist())
            message.header.stamp = to_msg(at_ns)
            states.publish(message)
            stated += 1
        if passed > 1.0 and passed * NS / STEP_NS >= commanded:
            command()
            commanded = int(passed * NS / STEP_NS) + 1
        executor.spin_once(timeout_sec=0.0005)
    return {
        "core_share": (_cpu_s(pid) - cpu) / seconds,
        "states_hz": stated / (warm_s + seconds),
        "round_trip_p50_ms": float(np.percentile(waits, 50)),
        "round_trip_p99_ms": float(np.percentile(waits, 99)),
        "answers": len(waits),
    }


def _cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tables(lines: list[Line]) -> str:
    """A row a figure."""
    rows = [
        (line["part"], name, "-" if value is None else f"{value:.3g}")
        for line in lines
        for name, value in line["result"].items()
    ]
    return table(("part", "figure", "value"), rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--commands", type=int, default=2000, help="commands of the core")
    options.add_argument("--seconds", type=float, default=20.0, help="of the node")
    options.add_argument("--json", type=Path, default=None)
    result_options(options)
    args = options.parse_args()
    results = recorded("guard", args, "commands", "seconds", states_hz=STATES_HZ)
    calls = {("core",): (core, args.commands), ("node",): (node, args.seconds)}
    lines = list(results.run(lambda function, amount: function(amount), calls, ("part",), 1))
    print(tables(lines))
    write_json(args.json, {"results": lines})


if __name__ == "__main__":
    main()
