"""Scenes of several objects through the nodes: episodes of a task, and goals of one's own by the client in Python."""

import json
import signal

import checks
import numpy as np
import pytest

from wm_core.goal import GoalError, PoseGoal
from wm_tasks.scene_client import connected

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(300)]
SCENES = ("perception:=truth", "real_time:=false")


def test_an_object_is_grasped_and_put_down_behind_the_guard(tmp_path):
    report = tmp_path / "report.json"
    process = checks.launch(*SCENES, "task:=pick_place", "episodes:=1", "seed:=5002", f"report:={report}", domain=78)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    found = json.loads(report.read_text())
    assert "truth with 3 mm and 3 degrees of noise" in found["perception"] and "perception:=truth" in output
    (episode,) = found["episodes"]
    assert episode["success"] and episode["message"] == "reached", episode
    assert "argv[0]" not in output


def test_objects_seen_by_depth_are_brought_to_their_poses(tmp_path):
    report = tmp_path / "report.json"
    seen = ("perception:=geometry", "real_time:=false", "task:=push_place", "episodes:=1", "seed:=5002")
    process = checks.launch(*seen, f"report:={report}", domain=77)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    found = json.loads(report.read_text())
    assert found["perception"] == "the cameras' depth (perception:=geometry)"
    assert [episode["success"] for episode in found["episodes"]] == [True], found


def test_a_client_sends_goals_and_follows_them(monkeypatch):
    for name, value in (("ROS_DOMAIN_ID", "79"), ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")):
        monkeypatch.setenv(name, value)
    process = checks.launch(*SCENES, "world:=single", "episodes:=none", "seed:=5003", domain=79)
    try:
        with connected() as wm:
            scene = wm.objects()
            (name,) = scene.identities
            with pytest.raises(GoalError, match="refuses"):
                wm.pursue(PoseGoal({"x": 3.0, "y": 0.0}, 0.02, identity=name))
            place = scene.position[0, :2] + np.where(scene.position[0, :2] > [0.5, 0.0], -0.06, 0.06)
            pursuit = wm.pursue(
                PoseGoal({"x": float(place[0]), "y": float(place[1])}, 0.03, identity=name), timeout_s=60.0
            )
            progress = [(each.mode, each.objects, list(each.distances)) for each in pursuit]
            assert {"push", "pick and place"} & {mode for mode, _, _ in progress}
            assert all(objects == [name] for _, objects, _ in progress)
            assert pursuit.result.success and pursuit.result.message == "reached"
            assert progress[-1][2][0] < progress[0][2][0]
            assert np.linalg.norm(wm.objects().position[0, :2] - place) < 0.035
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
