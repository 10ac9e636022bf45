"""Launch arguments are documented; those that cannot work are refused by name before anything starts, however wm is launched."""

import importlib
import re
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from wm_bringup.cli.launch import parse, show_arguments
from wm_bringup.graph import arm_sim
from wm_bringup.graph_checks import silence_of
from wm_bringup.graph_parts import Graph, Program
from wm_bringup.launch_arguments import ARGUMENTS, LaunchError, given_words
from wm_core.command_line import main
from wm_core.paths import share, worlds_dir
from wm_core.task import load_task, task_path


def parameters(graph, name):
    return next(node.parameters for node in graph.nodes if node.name == name)


def test_a_faster_task_needs_a_bundle_of_its_rate_and_nothing_else(fast):
    graph = arm_sim({"task": "push_20hz", "bundle": str(fast)})
    tasks = {node.name: node.parameters["task"] for node in graph.nodes if "task" in node.parameters}
    assert tasks == dict.fromkeys(("wm_sim", "wm_planner", "wm_episodes"), "push_20hz")
    with pytest.raises(LaunchError, match=r"argument 'task': .*rate: the task says 10 Hz, the bundle 20 Hz"):
        arm_sim({"bundle": str(fast)})


def test_the_guard_waits_longer_for_the_commands_of_a_slower_task(tmp_path):
    slow = tmp_path / "slow.yaml"
    slow.write_text(re.sub(r"^rate: 10 ", "rate: 5 ", task_path("push").read_text(), flags=re.MULTILINE))
    assert silence_of(load_task(str(slow))) == {"timeout": pytest.approx(0.3)}
    assert silence_of(load_task("push")) == silence_of(load_task("push_20hz")) == {}


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


@pytest.fixture
def fake(monkeypatch):
    """What ros_launch.py uses of ROS 2's launch; as wheels there is none."""
    fake = MagicMock()
    fake.LaunchConfiguration = lambda name: SimpleNamespace(perform=lambda context: context.values[name])
    fake.OpaqueFunction = lambda function: function
    names = ("actions", "event_handlers", "events", "launch_description", "launch_description_sources", "substitutions")
    for name in ("launch", "launch_ros", "launch_ros.actions", *(f"launch.{each}" for each in names)):
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.delitem(sys.modules, "wm_bringup.ros_launch", raising=False)
    fake.ros_launch = importlib.import_module("wm_bringup.ros_launch")
    monkeypatch.delitem(sys.modules, "wm_bringup.ros_launch")
    return fake


def test_rviz_is_started_in_the_namespace_where_its_relative_topics_are(fake):
    shown = Program("rviz2", "rviz2", ("-d", "arm.rviz"))
    fake.ros_launch._actions(Graph((), (), "left", "info", {}, programs=(shown,)))
    fake.Node.assert_called_once_with(
        package="rviz2", executable="rviz2", namespace="left", arguments=["-d", "arm.rviz"]
    )


def test_a_launch_file_checks_all_words_of_ros2_launch(fake, monkeypatch):
    fake.ros_launch.description(ARGUMENTS, arm_sim)
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


def test_a_window_that_cannot_be_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr("wm_bringup.graph.display_problem", lambda: "no X server")
    with pytest.raises(LaunchError, match="'headless': false needs a display: no X server"):
        arm_sim({"headless": "false"})
