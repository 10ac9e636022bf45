"""Measurements that simulate: their definitions on cases made by hand, and each once on the real simulator with the shipped bundle."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir
from wm_evaluation.detection import detection
from wm_evaluation.kept import plain
from wm_evaluation.measurement import Context
from wm_evaluation.measurements import (
    audit,
    closed_loop,
    counterfactual,
    imagined_success,
    occlusion,
    out_of_distribution,
    surprise,
)
from wm_evaluation.policies import policies
from wm_evaluation.stage import Stage
from wm_evaluation.worlds import VARIATIONS
from wm_sim.world import load_world

TABLE = np.array([[-0.1, -0.7], [1.1, 0.7]])  # corners


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(bundles_dir() / "default")


@pytest.fixture
def context(bundle, dataset) -> Context:
    return Context({"one": bundle, "two": bundle}, dataset, first_seed=9_900, effort=0.01, workers=1)


# -- definitions -------------------------------------------------------------------------------------------------------


def test_counterfactual_differences_of_pairs_that_end_apart():
    truth = np.array([[[0.5, 0.0], [0.5, 0.05], [0.503, 0.0]]])  # of three sequences the first and last end together
    imagined = np.array([[[0.5, 0.0], [0.5, 0.03], [0.5, 0.04]]])
    found = counterfactual.differences(truth, imagined, np.array([7]))
    np.testing.assert_allclose(found.true, [[0, -0.05], [-0.003, 0.05]])
    assert found.signs().tolist() == [1.0, 0.0], "the second pair is imagined the other way round"
    assert found.episode.tolist() == [7, 7]
    assert found.size_errors()[0] == pytest.approx(0.4)


def test_no_imagined_difference_is_chance():
    still = counterfactual.differences(np.array([[[0.5, 0.0], [0.5, 0.05]]]), np.zeros((1, 2, 2)), np.array([0]))
    assert still.signs() == pytest.approx(0.5) and still.dominant_signs() == pytest.approx(0.5)
    assert still.size_errors() == pytest.approx(1.0)


@given(st.integers(0, 1000), st.floats(0.3, 3.0))
def test_a_difference_of_the_right_direction_and_wrong_size_has_the_right_sign(seed: int, factor: float):
    truth = np.random.default_rng(seed).uniform(-0.2, 0.2, (3, 4, 2))
    found = counterfactual.differences(truth, factor * truth, np.arange(3))
    assert (found.signs() == 1).all() and (found.dominant_signs() == 1).all()
    assert found.size_errors() == pytest.approx(abs(factor - 1), abs=1e-6)


def future(object_xy: list[tuple[float, float]], tool: list[tuple[float, float]]) -> dict[str, bool]:
    found = audit.violations(np.array(object_xy)[None], np.array(tool)[None], 0.03, TABLE)
    return {name: bool(values[0]) for name, values in found.items() if values[0]}


STILL = [(0.5, 0.0)] * 7
AWAY = [(0.35, 0.0)] * 7


def test_a_push_is_consistent():
    tool = [(0.44 + 0.02 * i, 0.0) for i in range(7)]
    object_xy = [(max(0.5, x + 0.042), 0.0) for x, _ in tool]
    assert future(object_xy, tool) == {}
    assert future(STILL, AWAY) == {}


def test_what_cannot_be_is_named():
    assert "penetration" in future(STILL, [(0.42 + 0.01 * i, 0.0) for i in range(7)] + [])
    assert "teleport" in future([*STILL[:4], *[(0.58, 0.0)] * 3], AWAY)
    creeping = [(0.5 + 0.005 * i, 0.0) for i in range(7)]
    assert set(future(creeping, AWAY)) == {"motion without contact"}
    starting = [*STILL[:5], (0.506, 0.0), (0.512, 0.0)]
    assert set(future(starting, AWAY)) == {"motion without contact", "energy from nothing"}
    assert "off the table" in future(
        [(1.05 + 0.01 * i, 0.0) for i in range(7)], [(x, 0.0) for x in np.linspace(1, 1.06, 7)]
    )


def test_an_object_may_slide_on_for_some_steps_after_a_push():
    tool = [(0.42, 0.0), (0.45, 0.0), (0.42, 0.0), (0.39, 0.0), (0.36, 0.0), (0.36, 0.0), (0.36, 0.0)]
    object_xy = [(0.5, 0.0), (0.51, 0.0), (0.52, 0.0), (0.527, 0.0), (0.53, 0.0), (0.53, 0.0), (0.53, 0.0)]
    assert future(object_xy, tool) == {}


@pytest.mark.parametrize(
    ("world", "radius"), [("tabletop_block", 0.03), ("tabletop_disk", 0.038), ("tabletop_mug", 0.038)]
)
def test_the_disk_that_fits_into_the_object(world, radius):
    assert audit.inner_radius(load_world(world)) == pytest.approx(radius)


def test_detection_of_separate_and_of_equal_scores():
    low, high = np.linspace(0, 1, 20), np.linspace(2, 3, 20)
    assert detection(high, low).json() == {"value": 1.0, "low": 1.0, "high": 1.0}
    equal = detection(low, low)
    assert equal.value == pytest.approx(0.5) and equal.low < 0.5 < equal.high


def test_every_variation_changes_the_world_or_the_cameras(bundle):
    world = load_world("tabletop_block")
    rig = Stage({}, world).sim.rig
    for variation in VARIATIONS:
        turned = variation.rig(rig).cameras[0].T_table_optical
        assert variation.world(world) != world or np.abs(turned - rig.cameras[0].T_table_optical).max() > 0.01
    names = [(variation.factor, variation.level) for variation in VARIATIONS]
    assert len(set(names)) == len(names)


def test_ranks_that_agree_and_ranks_that_do_not():
    real = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0]], float)
    assert imagined_success.rank_correlation(real, 0.5 * real).value == pytest.approx(1.0)
    assert imagined_success.rank_correlation(real, 1 - real).value == pytest.approx(-1.0)


# -- on the simulator ----------------------------------------------------------------------------------------------------


def test_the_stage_shows_all_bundles_the_same_and_branches_leave_no_trace(bundle):
    stage = Stage({"one": bundle, "two": bundle}, load_world("tabletop_disk"))
    stage.reset(9_901)
    for _ in range(3):
        states = stage.observe()
        assert np.array_equal(states["one"].mean, states["two"].mean)
        assert np.linalg.norm(states["one"].scene.xy[0] - stage.object) < 0.02
        here = stage.drive.commanded
        with stage.drive.saved() as restore:
            stage.drive.act(np.array([0.0, 1.0]))
            assert stage.drive.commanded[1] > here[1]
            restore()
        assert np.allclose(stage.drive.commanded, here) and np.allclose(stage.tool, here, atol=2e-3)
        stage.act(np.array([0.3, 0.0]))
    stage.close()


def test_in_an_imagined_world_the_tool_goes_where_it_is_sent_and_pushes(bundle):
    stage = Stage({"one": bundle}, load_world("tabletop_block"))
    (belief, _) = imagined_success.begin(stage, 9_902)
    stage.close()
    world = imagined_success.ImaginedWorld(bundle, belief, 0)
    start = world.object.copy()
    before = world.commanded.copy()
    world.act(np.array([0.0, -1.0]))
    np.testing.assert_allclose(world.commanded - before, [0.0, -0.03], atol=1e-6)
    for _ in range(25):
        towards = world.object - world.commanded
        world.act(towards / max(1e-6, np.linalg.norm(towards)))
    assert np.linalg.norm(world.object - start) > 0.03


def as_read(section) -> dict:
    """The figures as the report's JSON says them."""
    return json.loads(json.dumps(plain(section.figures), allow_nan=False))


def test_surprise(context):
    section = surprise.measure(context)
    assert as_read(section)["two"]["auroc"].keys() == {"teleported", "vanished", "recoloured", "mean"}
    assert section.pictures[0].png.startswith(b"\x89PNG")


def test_out_of_distribution(context, monkeypatch):
    monkeypatch.setattr(out_of_distribution, "VARIATIONS", (VARIATIONS[0], VARIATIONS[-1]))
    monkeypatch.setattr(out_of_distribution, "STEPS", 20)
    figures = as_read(out_of_distribution.measure(context))
    assert figures["one"]["factors"].keys() == {"friction", "new object"}
    assert 0 <= figures["one"]["mean_auroc"] <= 1


def test_counterfactual(context):
    figures = as_read(counterfactual.measure(context))
    assert figures["one"] == figures["two"]
    assert figures["one"]["10"]["pairs"] > 5 and figures["one"]["10"]["sign_accuracy"]["value"] > 0.8
    assert figures["copy-last"]["10"]["sign_accuracy"] == 0.5


def test_occlusion(context):
    figures = as_read(occlusion.measure(context))
    assert figures["one"]["1"]["median_cm"] < figures["last sight"]["1"]["median_cm"]


def test_audit(context):
    section = audit.measure(context)
    assert set(section.figures) == {"real", "one", "two"}
    assert section.figures["real"]["penetration"]["value"] == 0


def test_closed_loop(context):
    figures = as_read(closed_loop.measure(context))
    assert set(figures) >= {"one", "two", "scripted", "random"}
    assert figures["one"]["success_3cm"]["value"] == 1.0
    assert figures["random"]["success_3cm"]["value"] == 0.0
    assert figures["one"]["decision_ms"]["p50"] > 0 and figures["random"]["decision_ms"] is None


def test_imagined_success(context, monkeypatch):
    few = ("scripted", "random")
    monkeypatch.setattr(imagined_success, "MAX_STEPS", 40)
    monkeypatch.setattr(imagined_success, "policies", lambda bundle: {name: policies(bundle)[name] for name in few})
    found = imagined_success.measure(context).figures["one"]["policies"]
    assert found["scripted"] == {"simulator": 1.0, "imagination": 1.0}
    assert found["random"]["imagination"] == 0.0
