"""arm_sim.launch.py under the embedded runner: the whole stack in processes of its own, over real DDS."""

import json
import signal
import time
from pathlib import Path

import checks
import cv2
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger
from wm_msgs.msg import Command

from wm_core.qos import STATE

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(300)]


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_one_goal_from_pixels_in_lockstep(tmp_path):
    report, picture = tmp_path / "report.json", tmp_path / "latest.png"
    words = (f"{k}:={v}" for k, v in checks.ARGUMENTS.items())
    process = checks.launch(*words, "headless:=true", f"report:={report}", f"picture:={picture}", domain=61)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    checks.check_report(report)
    assert f"no window (headless:=true); the latest picture, camera beside imagined future: {picture}" in output
    assert cv2.imread(str(picture)).shape == (320, 648, 3)
    assert "argv[0]" not in output and "pybullet build time" not in output


def test_exploring_moves_the_object_and_ends_by_itself(tmp_path):
    report = tmp_path / "report.json"
    picture = tmp_path / "latest.png"
    process = checks.launch("explore:=0.2", "real_time:=false", f"report:={report}", f"picture:={picture}", domain=71)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    found = json.loads(report.read_text())
    assert found["minutes"] == pytest.approx(0.2, abs=0.02)
    assert found["explorations"] >= 1 and found["losses"] == 0
    assert found["contact_share"] > 0.2 and found["places"] >= 3
    assert "exploring tabletop_block for 0.2 min; no window" in output and picture.is_file()


def test_ctrl_c_ends_everything_without_orphans():
    process = checks.launch("real_time:=false", domain=62)
    output = []
    for line in process.stdout:
        output.append(line)
        if "goal 1:" in line:
            break
    nodes = children(process.pid)
    assert len(nodes) == 8, "".join(output)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert not [pid for pid in nodes if running(pid)]
    assert "Traceback" not in "".join(output) + rest


def test_a_missing_world_fails_by_name():
    process = checks.launch("world:=tabletop_nothing", "real_time:=false", domain=63)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "tabletop_nothing" in output and "tabletop_block" in output


def test_a_corrupt_bundle_fails_by_name_before_anything_starts(tmp_path):
    (tmp_path / "bundle.yaml").write_text("schema: 1\n")
    process = checks.launch(f"bundle:={tmp_path}", "real_time:=false", domain=64)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "argument 'bundle'" in output and "bundle.yaml" in output


def test_a_node_that_cannot_be_configured_ends_everything_and_says_why(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("/**/wm_planner:\n  ros__parameters: {urdf: /nowhere.urdf}\n")
    process = checks.launch(f"params_file:={file}", "real_time:=false", domain=64)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "/nowhere.urdf" in output and "could not configure" in output


def test_an_emergency_stop_is_a_pause(monkeypatch):
    """It failed the episodes, and these took everything with them."""
    monkeypatch.setenv("ROS_DOMAIN_ID", "65")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    process = checks.launch("episodes:=2", "real_time:=false", domain=65)
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("person", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    moves = []
    node.create_subscription(
        Command, "wm/command", lambda m: moves.append(m) if m.status == Command.ACTIVE else 0, STATE
    )

    def call(name):
        client = node.create_client(Trigger, name)
        assert client.wait_for_service(60)
        future = client.call_async(Trigger.Request())
        executor.spin_until_future_complete(future, timeout_sec=30)
        assert future.result().success

    try:
        deadline = time.monotonic() + 120
        while not moves and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
        call("wm/e_stop")
        moves.clear()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
        assert process.poll() is None and len(moves) <= 1
        call("wm/e_stop_reset")
        output, _ = process.communicate(timeout=200)
    finally:
        process.kill()
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert process.returncode == 0, output
    assert "paused" in output and "going on" in output and "goal 2 of 2: reached" in output
