"""The gate: what passes, what does not and why; and a bundle judged, refused, forced and promoted from the command line."""

import json
import shutil

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from wm_core.bundle import Bundle, sha256
from wm_core.command_line import main
from wm_core.config import SettingError
from wm_core.paths import bundles_dir
from wm_core.registry import FORCED, PROMOTED, REFUSED, Registry
from wm_data.dataset import SMALL
from wm_data.dataset_files import seal
from wm_evaluation.gate.limits import NEW, OLD, Domain, Goals, Limits, Predictions, judge
from wm_evaluation.gate.promote import GateSettings, promote
from wm_evaluation.stats import Estimate, difference
from wm_learning.calibration.intervals import calibrate
from wm_sim.world import WorldError

SHIPPED = bundles_dir() / "default"
CALIBRATED = Estimate(0.9, 0.88, 0.92)


def goals(old, new, count=50, seconds=(3.0, 3.0), worlds=("ice",)):
    """`old` and `new` of `count` goals reached in each world."""
    reached = {OLD: np.tile(np.arange(count) < old, len(worlds)), NEW: np.tile(np.arange(count) < new, len(worlds))}
    noise = np.random.default_rng(0).normal(0, 0.1, count * len(worlds))
    times = {
        OLD: np.where(reached[OLD], seconds[0], 10.0),
        NEW: np.where(reached[NEW], seconds[1], 10.0) + noise,
    }
    return Goals(np.repeat(worlds, count), reached, times)


def predictions(change, coverage=CALIBRATED, episodes=20, name="heldout"):
    """Errors of 10 mm that are `change` times as large with the candidate, give or take."""
    rng = np.random.default_rng(1)
    old = rng.gamma(2.0, 0.005, 10 * episodes)
    new = old * change * rng.lognormal(0, 0.05, len(old))
    return Predictions(name, {OLD: old, NEW: new}, np.repeat(np.arange(episodes), 10), 10, {OLD: None, NEW: coverage})


def verdicts(new, old, latency=20.0, limits=None):
    rows = judge(new, old, {OLD: 15.0, NEW: latency}, limits or Limits())
    return {f"{row.domain}: {row.measure}": row for row in rows}


def failed(rows):
    return [name for name, row in rows.items() if not row.passed]


KEPT = Domain(goals(49, 49), [predictions(1.02)])


def test_a_bundle_that_is_better_in_the_new_world_and_keeps_the_old_one_passes():
    rows = verdicts(Domain(goals(30, 48), [predictions(0.6)]), KEPT)
    assert failed(rows) == []
    success = rows["new: goals reached within 2 cm [%]"]
    assert (success.promoted, success.candidate, success.verdict) == ("60.0 (30/50)", "96.0 (48/50)", "better")
    assert success.change.startswith("+36.0 [+2")
    assert "goals reached" in rows["new: better in one, worse in none"].verdict


def test_the_same_is_not_better():
    assert failed(verdicts(Domain(goals(49, 49), [predictions(1.0)]), KEPT)) == ["new: better in one, worse in none"]


def test_faster_is_better_and_slower_is_worse():
    assert failed(verdicts(Domain(goals(50, 50, seconds=(3.0, 2.5)), [predictions(1.0)]), KEPT)) == []
    rows = verdicts(Domain(goals(50, 50, seconds=(3.0, 3.5)), [predictions(0.5)]), KEPT)
    assert "new: time to the goal [s]" in failed(rows)


def test_what_is_lost_in_the_old_world_is_refused():
    better = Domain(goals(30, 48), [predictions(0.6)])
    assert failed(verdicts(better, Domain(goals(50, 49), [predictions(1.09)]))) == []  # 2 points, 9 %
    assert failed(verdicts(better, Domain(goals(50, 48), [predictions(1.0)]))) == ["old: goals reached within 2 cm [%]"]
    assert failed(verdicts(better, Domain(None, [predictions(1.2)]))) == ["old: error after 10 steps, heldout [mm]"]
    limits = Limits(success_drop=0.05, error_rise=0.3)
    assert failed(verdicts(better, Domain(goals(50, 48), [predictions(1.2)]), limits=limits)) == []


def test_old_worlds_are_judged_together_and_shown_each():
    better = Domain(goals(30, 48), [predictions(0.6)])
    rows = verdicts(better, Domain(goals(50, 49, worlds=("block", "mug")), [predictions(1.0)]))
    assert rows["old: goals reached within 2 cm [%]"].candidate == "98.0 (98/100)"
    assert rows["old:   of these in mug"].verdict == "shown"


@pytest.mark.parametrize("coverage", [Estimate(0.8, 0.7, 0.9), Estimate(0.99, 0.98, 1.0), None])
def test_intervals_that_do_not_hold_what_they_say_are_refused(coverage):
    rows = verdicts(Domain(None, [predictions(0.6, coverage)]), KEPT)
    assert failed(rows) == ["new: intervals of 90 % hold, heldout [%]"]


def test_a_slow_bundle_is_refused():
    rows = verdicts(Domain(None, [predictions(0.6)]), KEPT, latency=51.0)
    assert failed(rows) == ["both: encode, filter and plan, p95 of CPU time [ms]"]


def test_no_difference_is_not_certain():
    same = np.ones(50)
    found = difference(same, same, np.arange(50))
    assert found.value == 0 and found.low < -0.05 and found.high > 0.05
    assert difference(same, np.zeros(50), np.arange(50)).value == 1


# -- from the command line -------------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("WM_REGISTRY", str(tmp_path / "registry"))
    return Registry()


@pytest.fixture(scope="module")
def data(dataset, tmp_path_factory):
    """New and old data: the synthetic one by halves."""
    folders = []
    for name, episodes in (("ice", np.arange(6)), ("table", np.arange(6, 12))):
        part, folder = dataset.subset(episodes), tmp_path_factory.mktemp("gate") / name
        folder.mkdir()
        for field in ("bev", *SMALL):
            np.save(folder / f"{field}.npy", getattr(part, field))
        seal(folder, part.worlds, part.seeds, part.spec, part.steps, [])
        folders.append(str(folder))
    return folders


@pytest.fixture
def candidate(dataset, tmp_path):
    """The shipped bundle, calibrated on the synthetic data."""
    folder = shutil.copytree(SHIPPED, tmp_path / "candidate")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    (folder / "bundle.yaml").write_text(yaml.safe_dump({**spec, "id": "candidate"}))
    calibrate(folder, dataset)
    return folder


def test_a_refusal_is_printed_reported_and_recorded(registry, data, candidate, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["promote", str(candidate), "--new", data[0], "--old", data[1], "--error-rise", "0.4", "--out", str(out)]
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert "better in one, worse in none" in printed and "NO" in printed and "refused" in printed
    assert "at most 40 % more" in printed
    state = registry.state()
    assert state.promoted != "candidate" and state.history[-1].kind == REFUSED
    assert "better in one" in state.history[-1].why
    document = json.loads((out / "gate.json").read_text())
    assert document["passed"] is False and document == {**document, **state.entries["candidate"].gates[-1]}
    assert "<title>candidate against" in (out / "gate.html").read_text()
    assert main([*words, "--force", "the ice comes tomorrow"]) == 0
    event = registry.state().history[-1]
    assert (event.kind, event.id, event.why) == (FORCED, "candidate", "the ice comes tomorrow")


def test_a_better_bundle_is_promoted(registry, data, candidate, tmp_path):
    """The shipped one beside one that has forgotten how objects are pushed."""
    worse = shutil.copytree(candidate, tmp_path / "worse")
    spec = yaml.safe_load((worse / "bundle.yaml").read_text())
    (worse / "bundle.yaml").write_text(yaml.safe_dump({**spec, "id": "worse"}))
    numb(worse)
    registry.add(worse)
    registry.promote("worse", "to be replaced")
    registry.add(candidate)
    few = GateSettings(limits=Limits(coverage=(0.7, 1.0)))  # six short episodes say little about coverage
    verdict = promote("candidate", data[:1], data[1:], settings=few, out=tmp_path / "out")
    assert verdict.passed, verdict.table()
    assert registry.state().history[-1].kind == PROMOTED and registry.promoted().id == "candidate"


def numb(folder):
    """Rollouts in which no action moves anything."""
    graph = onnx.load(folder / "rollout.onnx")
    for node in graph.graph.node:
        node.input[:] = ["no_actions" if name == "actions" else name for name in node.input]
    graph.graph.node.insert(0, helper.make_node("Mul", ["actions", "nothing"], ["no_actions"]))
    graph.graph.initializer.append(helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]))
    onnx.save(graph, folder / "rollout.onnx")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    spec["files"]["rollout.onnx"] = sha256(folder / "rollout.onnx")
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))


def test_labels_that_do_not_exist_are_refused():
    with pytest.raises(SettingError, match="labels out of recorded, depth, got 'guessed'"):
        GateSettings(labels="guessed")


def test_without_a_new_domain_only_force_promotes(registry, candidate):
    with pytest.raises(SettingError, match="expected --new"):
        promote(candidate)
    verdict = promote(candidate, force="by hand", bags=["monday"])
    assert verdict.promoted and not verdict.passed and not verdict.criteria
    assert registry.promoted().id == "candidate" and registry.promoted().bags == ("monday",)
    with pytest.raises(SettingError, match="another bundle than the promoted one"):
        promote("candidate", force="again")


def test_what_is_no_world_and_no_data_is_refused_by_name(registry, candidate, data):
    with pytest.raises(WorldError, match="tabletop_nothing"):
        promote(candidate, ["tabletop_nothing"], data[1:])


def test_goals_in_a_world_count(registry, candidate, data, tmp_path):
    """Two goals, the same for both: as the bundles are the same, so is what they reach. Predictions are judged without the truth."""
    settings = GateSettings(goals=2, workers=1, labels="depth")
    verdict = promote(candidate, ["tabletop_block", data[0]], data[1:], settings=settings, out=tmp_path)
    assert "labelled as depth" in json.loads((tmp_path / "gate.json").read_text())["protocol"]
    row = next(row for row in verdict.criteria if row.measure.startswith("goals reached"))
    assert row.promoted == row.candidate and row.change.startswith("+0.0")
    assert Bundle.load(registry.path("candidate")).id == "candidate"
