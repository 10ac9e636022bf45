"""Measurements on recorded data: they see a good model as good, and definitions mean what they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir, worlds_dir
from wm_evaluation import stats
from wm_evaluation.measurement import Context
from wm_evaluation.measurements import cost, film, intervals, open_loop, probes
from wm_learning.calibration.intervals import LEVELS, Outcomes, fit
from wm_learning.figures.horizons import errors_after
from wm_sim.world import load_world

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def context(dataset) -> Context:
    return Context({"shipped": Bundle.load(bundles_dir() / "default")}, dataset, effort=0.02)


def test_intervals_of_a_mean_are_over_groups():
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 50)  # four episodes, constant in each: 200 steps say no more than 4
    apart = stats.mean(values, np.arange(200))
    together = stats.mean(values, np.repeat(np.arange(4), 50))
    assert apart.value == together.value == 1.5
    assert together.high - together.low > 4 * (apart.high - apart.low)
    assert np.isnan(stats.mean(values, np.zeros(200)).low)
    assert together.text(1) == f"1.5 [{together.low:.1f}, {together.high:.1f}]"


def test_a_share_of_all_is_not_certain():
    share = stats.mean(np.ones(200), np.repeat(np.arange(4), 50))
    assert share.value == share.high == 1 and share.low == pytest.approx(0.51, abs=0.01)
    assert stats.mean(np.zeros(3), np.arange(3)).high > 0.5


def test_ranks_share_ties():
    assert stats.ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0, 2.5, 1]
    assert stats.auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)
    assert stats.spearman(np.arange(9), np.exp(np.arange(9))) == pytest.approx(1)
    assert np.isnan(stats.spearman(np.arange(9), np.ones(9)))
    assert np.isnan(stats.auroc(np.array([]), np.ones(3)))


def test_errors_are_of_windows_in_which_the_object_moves(dataset):
    starts = dataset.windows(2)
    now = dataset.object_xy[starts].astype(float)
    errors = errors_after(5, dataset, starts, now, now, now)
    ends = starts[errors.window] + 5
    assert (dataset.episode[ends] == dataset.episode[starts[errors.window]]).all()
    far = np.linalg.norm(dataset.object_xy[ends] - dataset.object_xy[ends - 5], axis=1)
    assert far.min() > 0.01
    np.testing.assert_allclose(errors.of["copy_last"], far, rtol=1e-4)


def test_open_loop_beats_copying_with_a_trained_model(context):
    section = open_loop.measure(context)
    model, copied = (section.figures[name]["object_mm"] for name in ("shipped", "copy last"))
    assert set(model) == {"1", "2", "3", "5", "8", "10", "12", "15", "20", "25", "30"}
    assert all(model[h]["high"] < copied[h]["low"] for h in ("5", "10"))
    assert section.figures["shipped"]["by_world_mm"]["synthetic"]["5"] == model["5"]
    assert section.figures["shipped"]["tool_mm"]["10"]["value"] < 5
    assert section.pictures[0].png.startswith(PNG)


def test_open_loop_of_an_object_that_never_moves_is_refused(context):
    still = replace(context.data, objects=np.full_like(context.data.objects, 0.4))
    with pytest.raises(ValueError, match="found none; give more data"):
        open_loop.measure(replace(context, data=still))


@given(st.floats(0.2, 5.0))
def test_the_interval_score_is_best_at_the_true_width(factor: float):
    error = np.abs(np.random.default_rng(0).normal(size=(4000, 2)))
    right = np.quantile(error, LEVELS)[None, :, None] * np.ones((4000, 1, 2))
    assert (
        intervals.interval_score(error, right).mean() <= intervals.interval_score(error, factor * right).mean() + 1e-3
    )


def test_calibration_on_the_same_episodes_is_crossed(context):
    bundle, data = context.bundles["shipped"], context.data
    found = intervals.outcomes(bundle, data, context.seen("shipped").mean, 20)
    block = {**fit(found).block(), "data": {"fingerprint": data.fingerprint()}}
    calibrated = replace(bundle, spec={**bundle.spec, "calibration": block})
    section = intervals.measure(replace(context, bundles={"same": calibrated}))
    assert "same was calibrated on these very episodes" in section.protocol
    held = section.figures["same"]["calibrated"]["coverage"]["0.9"]["5"]
    assert held["low"] <= 0.9 <= held["high"] or held["value"] == pytest.approx(0.9, abs=0.06)
    assert section.figures["same"]["best"] == section.figures["same"]["calibrated"]


def test_intervals_of_a_bundle_without_calibration_are_those_it_predicts(context):
    shipped = context.bundles["shipped"]
    plain = replace(shipped, spec={name: value for name, value in shipped.spec.items() if name != "calibration"})
    own = intervals.measure(replace(context, bundles={"shipped": plain})).figures["shipped"]
    assert "calibrated" not in own and own["best"] == own["predicted"]
    assert own["one width"]["coverage"]["0.9"]["5"]["value"] == pytest.approx(0.9, abs=0.08)
    assert own["correlation"]["deviation"]["10"] > 0.3  # it knows when it does not know


def test_one_width_knows_nothing_of_the_situation():
    error = np.random.default_rng(1).normal(0, 0.01, (300, 20, 2))
    zeros, index = np.zeros((300, 20)), np.arange(300)
    found = Outcomes(error, np.abs(error), zeros, zeros, zeros, error, index, index)
    wide = intervals._one_width(found, found)
    assert (wide == wide[0]).all()
    assert wide[0, 0, LEVELS.index(0.9), 0] == pytest.approx(0.01645, rel=0.1)


def test_a_probe_finds_what_is_linear_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    x, groups = rng.normal(size=(400, 6)), np.repeat(np.arange(10), 40)
    y = x[:, :2] @ rng.normal(size=(2, 2))
    predicted, expected = probes.cross_predict(x, y, groups)
    assert ((y - predicted) ** 2).sum() < 1e-3 * ((y - expected) ** 2).sum()
    predicted, expected = probes.cross_predict(rng.normal(size=(400, 6)), y, groups)
    assert ((y - predicted) ** 2).sum() > 0.95 * ((y - expected) ** 2).sum()


@pytest.mark.parametrize(("world", "times"), [("tabletop_block", 4), ("tabletop_disk", 0), ("tabletop_mug", 1)])
def test_symmetry_of_the_worlds(world: str, times: int):
    assert probes.symmetry(load_world(worlds_dir() / f"{world}.yaml")) == times


def test_probes_find_the_position_in_the_whole_belief(context):
    section = probes.measure(context)
    assert section.figures["shipped"]["whole"]["position"]["value"] > 0.95
    assert section.figures["shipped"]["whole"]["contact_auroc"] > 0.7
    assert set(section.figures) == {"shipped", "raw map", "random encoder"}
    assert not any("yaw" in name for name in section.figures["raw map"]["whole"])  # nobody knows the synthetic object's


def test_films_show_where_the_object_moves_most(context):
    data = context.data
    starts = film.choose(data, 3)
    assert len({data.episode[start] for start in starts}) == 3
    far = [np.linalg.norm(data.object_xy[s + film.SHOWN[-1]] - data.object_xy[s]) for s in starts]
    assert far == sorted(far, reverse=True)
    path = film.imagine(context.bundles["shipped"], data, context, "shipped", starts[0])
    assert path.shape == (len(film.SHOWN), context.bundles["shipped"].latent_size)
    np.testing.assert_array_equal(path[0], context.seen("shipped").mean[starts[0]])
    section = film.measure(context)
    assert len(section.pictures) == 1 and section.pictures[0].png.startswith(PNG)
    assert len(section.figures["shipped"]["error_mm"]) == 1


def test_films_of_short_episodes_are_refused(context):
    short = context.data.subset(np.array([0]))
    short = replace(short, episode=np.arange(40, dtype=np.int32) // 20, seeds=[0, 1])
    with pytest.raises(ValueError, match="at least 28 steps"):
        film.measure(replace(context, data=short))


def test_cost_measures_every_part(context):
    figures = cost.measure(context).figures["shipped"]
    assert set(figures["parts"]) == {"encode", "filter", "rollout 48 x 12", "policy", "plan", "decision"}
    assert all(0 < part["p50_ms"] <= part["p99_ms"] for part in figures["parts"].values())
    files = sum(file.stat().st_size for file in context.bundles["shipped"].path.glob("*.onnx"))
    assert figures["size_mb"] == pytest.approx(files / 1e6)


def test_energy_is_that_of_all_packages_or_unknown(tmp_path):
    assert cost.energy_uj(tmp_path) is None
    for zone, name, energy in (
        ("intel-rapl:0", "package-0", 5),
        ("intel-rapl:1", "package-1", 7),
        ("intel-rapl:0:0", "core", 3),
    ):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "energy_uj").write_text(f"{energy}\n")
    assert cost.energy_uj(tmp_path) == 12
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert cost.energy_uj(tmp_path) is None
