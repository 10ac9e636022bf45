"""The graph: launch arguments reach the nodes."""

import importlib
import re

import pytest
import yaml

from wm_bringup.embedded import Runner
from wm_bringup.graph import LIFECYCLE_ORDER, arm_sim, config
from wm_bringup.graph_parts import COMPOSED
from wm_core.lifecycle import WmNode
from wm_core.task import load_task, task_path
from wm_planner.settings import cost_parameters


def parameters(graph, name):
    return next(node.parameters for node in graph.nodes if node.name == name)


def test_defaults_start_everything_in_real_time():
    graph = arm_sim({})
    others = {"wm_lifecycle_manager", "wm_bundle_manager", "wm_episodes"}
    assert {node.name for node in graph.nodes} == {*LIFECYCLE_ORDER, *others}
    assert parameters(graph, "wm_sim")["mode"] == "real_time"
    assert parameters(graph, "wm_planner") | {
        "use_sim_time": False,
        "lockstep": False,
        "planner": "icem",
    } == parameters(graph, "wm_planner")


@pytest.mark.parametrize(
    ("given", "client", "ends"),
    [
        ({}, "wm_episodes", False),
        ({"episodes": "0"}, "wm_episodes", False),
        ({"episodes": "3"}, "wm_episodes", True),
        ({"explore": "0"}, "wm_explorer", False),
        ({"explore": "1.5"}, "wm_explorer", True),
    ],
)
def test_the_end_of_a_client_is_the_end_of_all_when_it_was_asked_for(given, client, ends):
    ends_all = {node.name: node.ends_all for node in arm_sim(given).nodes}
    assert ends_all[client] == ends
    assert all(ends_all[name] for name in (*LIFECYCLE_ORDER, "wm_lifecycle_manager"))


def test_what_the_arm_needs_is_started_again_and_watched(tmp_path):
    graph = arm_sim({"record": str(tmp_path / "bag")})
    restarted = {node.name for node in graph.nodes if node.respawn}
    assert restarted == {*LIFECYCLE_ORDER, "wm_bundle_manager", "wm_recorder", "wm_lifecycle_manager"}
    given = parameters(graph, "wm_lifecycle_manager")
    assert given["nodes"] == list(LIFECYCLE_ORDER) and given["watched"] == ["wm_bundle_manager", "wm_recorder"]


def test_lockstep_uses_simulated_time_everywhere():
    graph = arm_sim({"real_time": "false"})
    assert parameters(graph, "wm_sim")["mode"] == "lockstep"
    for name in LIFECYCLE_ORDER[:-1]:
        assert parameters(graph, name)["use_sim_time"] is True


def test_exploring_takes_the_place_of_episodes():
    graph = arm_sim({"explore": "2.5", "seed": "7"})
    assert "wm_episodes" not in {node.name for node in graph.nodes}
    assert parameters(graph, "wm_explorer")["minutes"] == 2.5 and parameters(graph, "wm_explorer")["seed"] == 7


def test_without_episodes_nobody_gives_goals():
    names = {node.name for node in arm_sim({"episodes": "none"}).nodes}
    assert names == {*LIFECYCLE_ORDER, "wm_lifecycle_manager", "wm_bundle_manager"}


def test_all_nodes_get_the_same_bundle():
    graph = arm_sim({})
    assert len({node.parameters["bundle"] for node in graph.nodes if "bundle" in node.parameters}) == 1


def test_the_task_reaches_the_planner_and_whoever_gives_goals(tmp_path, monkeypatch):
    assert parameters(arm_sim({}), "wm_planner")["task"] == parameters(arm_sim({}), "wm_episodes")["task"] == "push"
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "careful.yaml"
    own.write_text(task_path("push").read_text().replace("time_limit: 10.0", "time_limit: 30.0"))
    graph = arm_sim({"task": "careful.yaml", "explore": "0"})
    assert {parameters(graph, name)["task"] for name in ("wm_planner", "wm_explorer", "wm_sim")} == {str(own)}


def test_parameter_files_name_only_nodes_of_the_graph():
    names = {f"/**/{node.name}" for node in arm_sim({}).nodes}
    for file in ("arm_sim.yaml", "arm_real.example.yaml"):
        assert set(yaml.safe_load(config(file).read_text())) <= names


def test_every_parameter_in_the_files_exists_and_is_allowed():
    """Before a node refuses it."""
    for file in ("arm_sim.yaml", "arm_real.example.yaml"):
        for node, content in yaml.safe_load(config(file).read_text()).items():
            name = node.removeprefix("/**/")
            module = importlib.import_module(f"{name}.node")
            (kind,) = (
                k
                for k in vars(module).values()
                if isinstance(k, type) and issubclass(k, WmNode) and k.__module__ == module.__name__
            )
            declared = {parameter.name: parameter for parameter in kind.PARAMETERS}
            if name == "wm_planner":
                declared |= {parameter.name: parameter for parameter in cost_parameters(load_task())}
            for parameter, value in content["ros__parameters"].items():
                declared[parameter].check(value)
                assert type(value) is type(declared[parameter].default), f"{file}: {name}: {parameter}"


def test_a_recorder_is_added_on_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "wm_recorder" not in {node.name for node in arm_sim({}).nodes}
    given = parameters(arm_sim({"record": "bag"}), "wm_recorder")
    assert given == {
        "folder": str(tmp_path / "bag"),
        "rig": "two_cameras",
        "nodes": list(LIFECYCLE_ORDER),
        "beside": True,
    }
    by_time = parameters(arm_sim({"record": "true"}), "wm_recorder")["folder"]
    assert re.fullmatch(rf"{tmp_path}/bags/\d{{4}}_\d\d_\d\d-\d\d_\d\d_\d\d", by_time)
    assert parameters(arm_sim({"snapshot": "true"}), "wm_recorder")["mode"] == "snapshot"


@pytest.mark.parametrize(
    ("given", "problem", "window", "picture"),
    [
        ({}, "", True, ""),
        ({}, "no display", False, "runs/latest.png"),
        ({"headless": "true"}, "", False, "runs/latest.png"),
        ({"headless": "true", "picture": ""}, "", False, ""),
        ({"headless": "false"}, "", True, ""),
        ({"headless": "false", "picture": "a.png"}, "", True, "a.png"),
    ],
)
@pytest.mark.parametrize(("explore", "client"), [("", "wm_episodes"), ("1", "wm_explorer")])
def test_a_window_where_there_is_a_display_and_a_picture_where_not(
    given, problem, window, picture, explore, client, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wm_bringup.graph.display_problem", lambda: problem)
    graph = arm_sim({**given, "explore": explore})
    assert parameters(graph, "wm_sim")["gui"] is window
    shown = parameters(graph, client)
    assert shown["picture"] == (str(tmp_path / picture) if picture else "")
    assert shown["no_window"] == ("" if window else problem or "headless:=true")


def test_composed_puts_what_computes_into_one_process_and_leaves_the_rest_as_it_is(tmp_path):
    given = {"record": str(tmp_path / "bag"), "namespace": "robot"}
    apart, together = (arm_sim({**given, "composed": composed}) for composed in ("false", "true"))
    whole = next(node for node in together.nodes if node.parts)
    alone = {node.name: node for node in apart.nodes}
    assert tuple(node.name for node in whole.parts) == COMPOSED
    assert {node.name for node in together.nodes} == alone.keys() - set(COMPOSED) | {"wm_composed"}
    assert all(alone[node.name].parameters == node.parameters for node in whole.parts)
    for name in alone.keys() - {*COMPOSED, "wm_guard"}:  # the supervisor too; a guard's stop file is new each time
        assert parameters(together, name) == parameters(apart, name)
    assert whole.respawn and whole.ends_all and not whole.parameters


def test_the_parts_of_a_process_are_named_on_its_command_line_and_have_parameters_of_their_own(tmp_path):
    graph = arm_sim({"composed": "true"})
    whole = next(node for node in graph.nodes if node.parts)
    command = Runner(graph).command(whole, tmp_path / "overrides.yaml")
    assert "wm_planner:__node:=wm_planner" in command and "__node:=wm_composed" not in command
    written = yaml.safe_load((tmp_path / "overrides.yaml").read_text())
    assert set(written) == {f"/**/**/{name}" for name in COMPOSED}
    assert "rig" in written["/**/**/wm_perception"]["ros__parameters"]


def test_the_process_has_the_nodes_that_the_graph_says():
    whole = next(node for node in arm_sim({"composed": "true"}).nodes if node.parts)
    modules = [kind.__module__ for kind in importlib.import_module(whole.module).NODES]
    assert modules == [part.module for part in whole.parts]
