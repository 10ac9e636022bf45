"""A parameter file is held against the graph before anything starts."""

import pytest

from wm_bringup.graph import arm_sim, config
from wm_bringup.launch_arguments import LaunchError


@pytest.fixture
def launched(tmp_path):
    """The graph with a parameter file of this text."""

    def launch(text: str, **arguments: str):
        file = tmp_path / "my.yaml"
        file.write_text(text)
        return arm_sim({"params_file": str(file), **arguments})

    return launch


GUARD = "{ros__parameters: {tool_speed: 0.1}}"


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        (f"/**/wm_guard: {GUARD}", ""),
        (f"/**/wm_guard: {GUARD}", "zoo/cage"),
        (f"wm_guard: {GUARD}", ""),
        (f"/zoo: {{wm_guard: {GUARD}}}", "zoo"),
        (f"/*/wm_guard: {GUARD}", "/zoo/"),
        (
            "/**: {ros__parameters: {tool_speed: 0.1, use_sim_time: false, cost.goal: 2.0, icem: {samples: 9}, before: 1.0}}",
            "",
        ),
        ("/**/wm_explorer: {ros__parameters: {explore_s: 9.0}}", ""),
        (config("arm_sim.yaml").read_text(), ""),
    ],
)
def test_what_a_node_reads_is_taken(launched, text, namespace):
    assert launched(text, namespace=namespace).params_files[1].name == "my.yaml"


@pytest.mark.parametrize(
    ("text", "namespace", "expected"),
    [
        (f"/**/wm_gaurd: {GUARD}", "", r"section '/\*\*/wm_gaurd': there is no such node \(did you mean 'wm_guard'\?\)"),
        (f"/**/robot: {GUARD}", "", "no such node; nodes are wm_sim, wm_guard"),
        (f"wm_guard: {GUARD}", "zoo", r"'/wm_guard': wm_guard is /zoo/wm_guard in this launch; write /\*\*/wm_guard"),
        (f"/zoo/wm_guard: {GUARD}", "", "wm_guard is /wm_guard in this launch"),
        ("/**: {ros__parameters: {tool_sped: 0.1}}", "", r"/\*\*: no node of wm has .* 'tool_sped' \(did you mean 'tool_speed'\?\)"),
        ("/**/wm_guard: {ros__parameters: {tool_speed: }}", "", "'tool_speed': expected a value, got nothing"),
        ("/**/wm_guard: {tool_speed: 0.1}", "", r"section '/\*\*/wm_guard': expected 'ros__parameters' above 'tool_speed'"),
        ("ros__parameters: {tool_speed: 0.1}", "", "the file: expected parameters of a node"),
        ("tool_speed: 0.1", "", "the file: expected 'ros__parameters' above 'tool_speed'"),
        ("/**/wm_guard: {ros__parameters: 3}", "", "expected parameters of a node under 'ros__parameters', got 3"),
        ("/**/wm_guard: {ros__parameters: {tool_speed: 0.1}", "", "expected YAML, got line 1: expected ',' or '}'"),
        ("/**: {ros__parameters: {use_sim_time: true}}", "", r"'use_sim_time' of wm_guard is set by this launch \(False\): True would"),
        ("/**/wm_guard: {ros__parameters: {robot: ur5e}}", "", r"'robot' of wm_guard is set by this launch \('panda'\): 'ur5e' would"),
        ("a: \x00", "", "special characters"),
        ("", "", "the file: expected NODE: {ros__parameters"),
    ],
)  # fmt: skip
def test_the_rest_is_refused_in_one_line(launched, text, namespace, expected):
    with pytest.raises(LaunchError, match=f"argument 'params_file': .*my.yaml: .*{expected}") as refused:
        launched(text, namespace=namespace)
    assert "\n" not in str(refused.value)
