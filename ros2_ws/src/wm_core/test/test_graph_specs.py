"""The table of graphs: what a bundle's graphs must look like, what is exported, and what the documentation says are one."""

from pathlib import Path

import pytest

from wm_core.bundle import Bundle
from wm_core.graph_specs import BY_NAME, GRAPH_SPECS, SIZES, sizes_of, table
from wm_core.paths import bundles_dir
from wm_core.specs import ActionSpec, BevSpec, ObservationSpec, StateSpec

DOCUMENT = Path(__file__).resolve().parents[4] / "docs/architecture.md"
PUSH = (StateSpec(1, ("x", "y"), ("x", "y"), 12), ActionSpec({"x": 0.03, "y": 0.03}), ObservationSpec(12, BevSpec()))


def test_the_documentation_shows_the_table():
    assert table() in DOCUMENT.read_text(), "put what `python -m wm_core.graph_specs` prints into docs/architecture.md"


def test_the_shipped_graphs_are_as_the_table_says():
    bundle = Bundle.load(bundles_dir() / "default")
    assert all(bundle.has(graph.name) for graph in GRAPH_SPECS)
    for graph in GRAPH_SPECS:
        session = bundle.session(graph.name)
        assert [tensor.name for tensor in graph.inputs] == [node.name for node in session.get_inputs()]
        assert [tensor.name for tensor in graph.outputs] == [node.name for node in session.get_outputs()]
        for tensor, node in zip(graph.tensors, (*session.get_inputs(), *session.get_outputs()), strict=True):
            for i, side in enumerate(tensor.resolved(bundle.sizes)):
                assert side == node.shape[i] if side is not None else isinstance(node.shape[i], str)


def test_every_size_has_a_name_and_a_meaning():
    sizes = sizes_of(*PUSH, ensemble=4, horizon=12, jumps=3, jump_steps=4)
    assert set(sizes) == set(SIZES)
    assert (sizes["L"], sizes["D"], sizes["R"], sizes["S"]) == (18, 17, 4, 12)
    assert BY_NAME["rollout"].dynamic_axes(sizes) == {
        "latent": {0: "e", 1: "n"},
        "actions": {0: "N"},
        "readout": {1: "N"},
        "variance": {1: "N"},
        "final": {1: "N"},
    }


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ([None, 18], None),
        (["b", "L"], None),
        ([4, 17], "expected input 'latent' of shape [None, 18], got [4, 17]"),
        ([18], "expected input 'latent' of shape [None, 18], got [18]"),
    ],
)
def test_other_shapes_are_named(shape, fault):
    sizes = sizes_of(*PUSH, ensemble=4, horizon=12)
    outputs = {"image": [None, 64, 80, 3], "readout": [None, 4]}
    assert next(BY_NAME["decode"].faults(sizes, {"latent": shape}, outputs), None) == fault


def test_a_missing_output_is_named():
    sizes = sizes_of(*PUSH, ensemble=4, horizon=12)
    faults = list(BY_NAME["value"].faults(sizes, {"latent": [None, 18], "goal": [None, 2]}, {"worth": [None]}))
    assert faults == ["expected output 'value' of shape [None], got only ['worth']"]
