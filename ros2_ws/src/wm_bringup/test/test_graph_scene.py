"""The graph of scenes: which nodes, and what is refused before anything is started."""

from pathlib import Path

import pytest

from wm_bringup.graph import LIFECYCLE_ORDER, arm_sim
from wm_bringup.launch_arguments import LaunchError
from wm_sim.scene_world import scenes_dir

TRUTH = {"perception": "truth", "task": "two_poses"}


def parameters(graph, name):
    return next(node.parameters for node in graph.nodes if node.name == name)


def test_scenes_have_nodes_of_the_same_names():
    graph = arm_sim({**TRUTH, "episodes": "3", "real_time": "false"})
    modules = {node.name: node.module for node in graph.nodes}
    assert set(LIFECYCLE_ORDER) <= set(modules)
    assert modules["wm_perception"] == "wm_perception.truth" and modules["wm_planner"] == "wm_planner.scene_node"
    assert parameters(graph, "wm_sim")["scene"] and parameters(graph, "wm_sim")["mode"] == "lockstep"
    assert parameters(graph, "wm_planner")["axes"].startswith("x, y, z, yaw")
    assert parameters(graph, "wm_scene_episodes")["episodes"] == 3


def test_objects_are_seen_by_two_fine_cameras_or_by_those_of_a_rig():
    graph = arm_sim({"perception": "geometry", "task": "push_pose"})
    modules = {node.name: node.module for node in graph.nodes}
    assert modules["wm_perception"] == "wm_perception.scene_node"
    for name in ("wm_sim", "wm_perception"):
        assert parameters(graph, name)["rig"] == "two_cameras_fine"
        of_rig = arm_sim({"perception": "geometry", "task": "push_pose", "rig": "two_cameras"})
        assert parameters(of_rig, name)["rig"] == "two_cameras"


def test_a_world_without_a_task_is_for_goals_of_your_own():
    graph = arm_sim({"perception": "truth", "world": "clutter", "episodes": "none"})
    assert parameters(graph, "wm_sim")["world"] == "clutter" and "wm_scene_episodes" not in {
        node.name for node in graph.nodes
    }


def test_the_planner_is_given_what_stands_still(tmp_path: Path):
    world = tmp_path / "walled.yaml"
    wall = "fixtures: [{shape: box, size: [0.02, 0.4, 0.1], position: [0.5, 0.0, 0.05], colour: [0.5, 0.5, 0.5]}]\n"
    world.write_text((scenes_dir() / "clutter.yaml").read_text() + "\n" + wall)
    graph = arm_sim({"perception": "truth", "world": str(world), "episodes": "none"})
    assert parameters(graph, "wm_planner")["fixtures"] == pytest.approx([0.49, -0.2, 0.0, 0.51, 0.2, 0.1])
    usual = arm_sim({"perception": "truth", "world": "clutter", "episodes": "none"})
    assert "fixtures" not in parameters(usual, "wm_planner")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"task": "two_poses"}, "'task': 'two_poses' is about a scene .*perception:=truth"),
        ({"perception": "truth"}, "'task': expected a task about a scene, .*push_tee.*episodes:=none"),
        ({"perception": "truth", "task": "push_it"}, "'task': expected a task, .*known tasks: .*two_poses"),
        (
            {"perception": "truth", "world": "desert", "episodes": "none"},
            "'world': expected a file of a scene, .*clutter",
        ),
        ({**TRUTH, "explore": "3"}, "'explore': perception:=truth has none"),
        ({**TRUTH, "composed": "true"}, "'composed'"),
        ({**TRUTH, "planner": "policy"}, "'planner': expected one of icem, cem, mppi"),
        (
            {**TRUTH, "task": "pick_place", "robot": "ur5e"},
            "'task': 'pick_place' needs a gripper, robot 'ur5e' has none",
        ),
        ({**TRUTH, "bundle": "nowhere"}, "'bundle': expected a model bundle"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_started(given, expected):
    with pytest.raises(LaunchError, match=expected):
        arm_sim(given)
