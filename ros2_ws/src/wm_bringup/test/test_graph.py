"""The graph: launch arguments reach the nodes, bad ones are refused before anything starts."""

import importlib
import re
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import yaml

from wm_bringup.cli.launch import parse, show_arguments
from wm_bringup.embedded import Runner
from wm_bringup.graph import LIFECYCLE_ORDER, arm_sim, config
from wm_bringup.graph_parts import COMPOSED
from wm_bringup.launch_arguments import ARGUMENTS, LaunchError, given_words
from wm_core.command_line import main
from wm_core.lifecycle import WmNode
from wm_core.paths import share, worlds_dir
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


def test_a_task_that_the_bundle_does_not_fit_is_refused_before_anything_starts(tmp_path):
    fast = tmp_path / "fast.yaml"
    fast.write_text(task_path("push").read_text().replace("x: {scale: 0.03", "x: {scale: 0.05"))
    with pytest.raises(
        LaunchError, match=r"'task'.*fast.yaml.*action.axes.x.scale: the task says 0.05, the bundle 0.03"
    ):
        arm_sim({"task": str(fast)})


@pytest.mark.parametrize(
    ("world", "x", "expected"),
    [
        (
            "tabletop_block",
            "[0.38, 0.80]",
            "regions.practice.x: objects and goals from 0.38 to 0.8 m, the robot reaches",
        ),
        (
            "tabletop_block",
            "[0.63, 0.66]",
            "regions.practice.x: expected a region that overlaps with that of tabletop_block",
        ),
    ],
)
def test_a_region_of_practice_out_of_reach_or_world_is_refused_before_anything_starts(tmp_path, world, x, expected):
    own = tmp_path / "own.yaml"
    own.write_text(task_path("push").read_text().replace("practice: {x: [0.38, 0.62]", f"practice: {{x: {x}"))
    with pytest.raises(LaunchError, match=f"argument 'task': .*own.yaml.*{expected}"):
        arm_sim({"task": str(own), "world": world})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"planer": "icem"}, "planer.*known are"),
        ({"planner": "magic"}, "planner.*icem"),
        ({"episodes": "many"}, "episodes"),
        ({"explore": "long"}, "explore.*minutes"),
        ({"real_time": "yes"}, "real_time.*true, false"),
        ({"bundle": "/nowhere"}, "bundle.*bundle.yaml"),
        ({"params_file": "/nowhere"}, "params_file"),
        ({"explore": "1", "episodes": "5"}, "'explore' and 'episodes': expected one of them"),
        ({"report": "/tmp"}, "'report': expected a file NAME.json"),
        ({"report": "r.png"}, "'report': expected a file NAME.json"),
        ({"report": "/nowhere/at/all.json"}, "'report': expected a file in a folder that exists, /nowhere/at does not"),
        ({"record": "/tmp"}, "record.*exists"),
        ({"record": "new", "snapshot": "true"}, "record.*snapshot.*one of them"),
        ({"task": "nothing"}, "task.*nothing.yaml.*known are.*push"),
        ({"world": "tabletop_nothing"}, "world.*tabletop_nothing.*tabletop_block"),
        ({"namespace": "1 2"}, "namespace"),
        ({"seed": "-1"}, "seed"),
    ],
)
def test_bad_arguments_are_refused_by_name(given, expected):
    with pytest.raises(LaunchError, match=expected):
        arm_sim(given)


def test_a_report_is_not_overwritten(tmp_path):
    report = tmp_path / "runs" / "mug.json"
    assert parameters(arm_sim({"report": str(report)}), "wm_episodes")["report"] == str(report)
    report.parent.mkdir()
    for there in (report, report.with_suffix(".png")):
        there.write_text("mine")
        with pytest.raises(LaunchError, match=f"'report': expected a new file, {there} exists; .*never overwritten"):
            arm_sim({"report": str(report)})
        there.unlink()


def test_a_world_out_of_reach_is_named_with_its_file(tmp_path):
    far = tmp_path / "far.yaml"
    far.write_text((worlds_dir() / "tabletop_block.yaml").read_text().replace("upper: [0.62", "upper: [0.95"))
    with pytest.raises(
        LaunchError, match="argument 'world': .*far.yaml: tabletop_block: start: .*reach of robot 'panda'"
    ):
        arm_sim({"world": str(far)})


def test_a_policy_is_launched_only_of_a_bundle_that_brings_one(straight, bare):
    graph = arm_sim({"planner": "policy", "bundle": str(straight)})
    assert {node.name: node.parameters for node in graph.nodes}["wm_planner"]["planner"] == "policy"
    with pytest.raises(LaunchError, match=r"'planner': expected a bundle with a policy.*wm policy"):
        arm_sim({"planner": "policy", "bundle": str(bare)})


def test_the_command_line_refuses_clearly(capsys):
    assert main(["launch", "arm_sim.launch.py", "planner:=magic"]) == 2
    assert "icem" in capsys.readouterr().err
    assert main(["launch", "nothing.launch.py"]) == 2
    assert "arm_sim.launch.py" in capsys.readouterr().err
    with pytest.raises(LaunchError, match="name:=value"):
        parse(["world=tabletop_mug"])


def test_words_that_no_launch_file_knows_are_refused_with_ros2_launch_too():
    """It passes all words on, of which only the declared names have values there."""
    words = ["planner:=icem", "recrod:=true", "--noninteractive", "report:="]
    assert given_words(words) == {"planner": "icem", "recrod": "true", "report": ""}
    with pytest.raises(LaunchError, match="unknown argument 'recrod'; known are"):
        arm_sim(given_words(words) | {"planner": "icem"})


def test_a_launch_file_checks_all_words_of_ros2_launch(monkeypatch):
    """ros_launch.py with what it uses of ROS 2's launch; as wheels there is none."""
    fake = MagicMock()
    fake.LaunchConfiguration = lambda name: SimpleNamespace(perform=lambda context: context.values[name])
    fake.OpaqueFunction = lambda function: function
    names = ("actions", "event_handlers", "events", "launch_description", "launch_description_sources", "substitutions")
    for name in ("launch", "launch_ros", "launch_ros.actions", *(f"launch.{each}" for each in names)):
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.delitem(sys.modules, "wm_bringup.ros_launch", raising=False)
    ros_launch = importlib.import_module("wm_bringup.ros_launch")
    monkeypatch.delitem(sys.modules, "wm_bringup.ros_launch")
    ros_launch.description(ARGUMENTS, arm_sim)
    start = fake.LaunchDescription.call_args.args[0][-1]
    values = {each.name: each.default for each in ARGUMENTS}
    words = ["planner:=icem", "recrod:=true"]
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "wm_bringup", "arm_sim.launch.py", *words])
    with pytest.raises(LaunchError, match="unknown argument 'recrod'"):
        start(SimpleNamespace(argv=words, values=values))
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "cell", "cell.launch.py", *words])  # which includes it
    assert start(SimpleNamespace(argv=words, values=values))
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "cell", "arm_sim.launch.py", *words])  # of the same name
    assert start(SimpleNamespace(argv=words, values=values))
    file = str(share("wm_bringup") / "launch" / "arm_sim.launch.py")
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", file, *words])
    with pytest.raises(LaunchError, match="unknown argument 'recrod'"):
        start(SimpleNamespace(argv=words, values=values))
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "--launch-prefix", "gdb", "wm_bringup", "arm_sim.launch.py"])
    assert start(SimpleNamespace(argv=["launch-prefix:=gdb"], values=values | {"headless": "true"}))


def test_arguments_are_documented():
    shown = show_arguments(ARGUMENTS)
    for argument in ARGUMENTS:
        assert f"'{argument.name}'" in shown and argument.description in shown


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
                k for k in vars(module).values() if isinstance(k, type) and issubclass(k, WmNode) and k is not WmNode
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


def test_a_window_that_cannot_be_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr("wm_bringup.graph.display_problem", lambda: "no X server")
    with pytest.raises(LaunchError, match="'headless': false needs a display: no X server"):
        arm_sim({"headless": "false"})


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
