"""Evaluations from the command line to the report: what is compared, on which data, and what happens when something fails."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from wm_core.bundle import Bundle, BundleError
from wm_core.command_line import main
from wm_core.paths import bundles_dir
from wm_data.dataset import SMALL
from wm_data.dataset_files import seal
from wm_evaluation.held_out import held_out
from wm_evaluation.kept import Finished, plain
from wm_evaluation.registry import ENTRIES, Headline
from wm_evaluation.report import Report
from wm_evaluation.run import Settings, evaluate, load_bundles
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stats import Estimate

SHIPPED = bundles_dir() / "default"


def store(data, folder):
    """A dataset in a folder."""
    folder.mkdir()
    for name in ("bev", *SMALL):
        np.save(folder / f"{name}.npy", getattr(data, name))
    seal(folder, data.worlds, data.seeds, data.spec, data.steps, [])
    return folder


@pytest.fixture(scope="module")
def stored(dataset, tmp_path_factory):
    """Some episodes of the synthetic dataset."""
    return store(dataset.subset(np.arange(6)), tmp_path_factory.mktemp("data") / "dataset")


def trained_on(bundle: Bundle, **facts) -> Bundle:
    return replace(bundle, spec={**bundle.spec, "data": facts})


def test_an_evaluation_is_one_page_and_its_figures(stored, tmp_path, capsys):
    other = shutil.copytree(SHIPPED, tmp_path / "other")
    out = tmp_path / "out"
    words = ["evaluate", str(SHIPPED), "--against", str(other), "--data", str(stored), "--out", str(out)]
    words += ["--only", "open_loop", "film", "--effort", "0.1"]
    assert main(words) == 0
    page = (out / "report.html").read_text()
    assert "<title>World model default against other</title>" in page
    assert page.count("data:image/png;base64,") == 2
    assert "<script" not in page and "http" not in page  # nothing to be loaded from elsewhere
    document = json.loads((out / "report.json").read_text())
    assert list(document["sections"]) == ["open_loop", "film"] and document["failed"] == {}
    assert document["bundles"]["other"]["family"] == "grounded"
    assert document["sections"]["open_loop"]["other"] == document["sections"]["open_loop"]["default"]

    capsys.readouterr()
    assert main(words) == 0  # nothing is measured twice
    assert capsys.readouterr().out.count("finished before") == 2
    assert json.loads((out / "report.json").read_text())["sections"] == document["sections"]
    (out / "sections" / "film.json").write_text("{torn")
    assert main(words) == 0
    assert capsys.readouterr().out.count("finished before") == 1
    assert not list(out.rglob("*.part"))


def test_what_fails_is_reported_and_the_others_are_measured(dataset, tmp_path, capsys):
    folder = store(dataset.subset(np.arange(3)), tmp_path / "few")
    words = [
        "evaluate",
        str(SHIPPED),
        "--data",
        str(folder),
        "--out",
        str(tmp_path / "out"),
        "--only",
        "open_loop",
        "probes",
    ]
    assert main(words) == 1
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(document["sections"]) == ["open_loop"]
    assert document["failed"]["probes"].startswith("expected at least 5 episodes, got 3")
    assert "probes: failed" in (tmp_path / "out" / "report.html").read_text()
    assert "probes: failed: expected at least 5" in capsys.readouterr().err


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_measurement_is_there(entry):
    assert callable(entry.module().measure)
    assert len({headline.title for headline in entry.headlines}) == len(entry.headlines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "closed"], "expected measurements out of closed_loop, "),
        (["--effort", "0"], "expected an effort above 0"),
        (["--world", "tabletop_moon"], "tabletop_moon"),
        (["--against", str(SHIPPED)], "expected different bundles"),
        (["--against", "nowhere"], "expected a model bundle"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(stored, tmp_path, capsys, words, said):
    assert main(["evaluate", str(SHIPPED), "--data", str(stored), "--out", str(tmp_path / "out"), *words]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_spoiled_bundle_is_refused(stored, tmp_path):
    spoiled = shutil.copytree(SHIPPED, tmp_path / "spoiled")
    (spoiled / "encode.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="expected sha256"):
        load_bundles([SHIPPED, spoiled])


def test_bundles_of_one_name_are_distinguished_by_their_folders(tmp_path):
    folders = [shutil.copytree(SHIPPED, tmp_path / name / "bundle") for name in ("a", "b")]
    assert list(load_bundles(folders)) == ["a/bundle", "b/bundle"]
    assert list(load_bundles([SHIPPED])) == ["default"]


def test_episodes_that_a_bundle_was_trained_on_are_left_out(dataset):
    bundle = Bundle.load(SHIPPED)
    by_seed = trained_on(bundle, worlds=["synthetic"], seeds=[0, 7])
    data, notes = held_out({"one": by_seed}, dataset)
    assert np.unique(data.episode).tolist() == [8, 9, 10, 11]
    assert notes == ["8 episodes are left out because one was trained on them, or on their seeds."]
    elsewhere = trained_on(bundle, worlds=["tabletop_mug"], seeds=[0, 100])
    assert held_out({"one": elsewhere}, dataset) == (dataset, [])
    robots = replace(dataset, seeds=[-1] * 12)  # recorded on a robot: no seed says that it is the same episode
    of_robot = trained_on(bundle, worlds=["synthetic"], seeds=[-1, 7])
    data, notes = held_out({"one": of_robot}, robots)
    assert data is robots and "could not be checked" in notes[0]
    both = {"one": by_seed, "two": trained_on(bundle, worlds=["synthetic"], seeds=[6, 11])}
    with pytest.raises(ValueError, match="none of the bundles was trained on, got none among 12"):
        held_out(both, dataset)


def test_of_its_training_data_only_the_validation_episodes_are_used(dataset, tmp_path):
    folder = shutil.copytree(SHIPPED, tmp_path / "bundle")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    training = {"seed": 0, "validation_share": 0.25}
    spec["data"] = {
        "fingerprint": dataset.fingerprint(),
        "training": training,
        "worlds": ["synthetic"],
        "seeds": [0, 11],
    }
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    data, notes = held_out({"own": Bundle.load(folder)}, dataset)
    assert len(np.unique(data.episode)) == 3 and "9 episodes are left out" in notes[0]


def test_data_without_labels_or_commands_is_refused(dataset):
    bundles = {"one": Bundle.load(SHIPPED)}
    unlabelled = dataset.objects.copy()
    unlabelled[50] = np.nan
    with pytest.raises(ValueError, match=r"got none in 1 of 480 steps, first in step 50 \(episode 1\)"):
        held_out(bundles, replace(dataset, objects=unlabelled))
    with pytest.raises(ValueError, match="got video"):
        held_out(bundles, replace(dataset, action=np.full_like(dataset.action, np.nan)))
    with pytest.raises(ValueError, match="one: expected data with maps of"):
        held_out(bundles, replace(dataset, spec=replace(dataset.spec, cell=0.01)))


def test_the_summary_marks_the_best_and_shows_baselines():
    figures = {
        "good": {"error": Estimate(1.0, 0.5, 1.5).json()},
        "bad": {"error": Estimate(2.0, 1.5, 2.5).json()},
        "guess": {"error": 9.0},
    }
    table = Table(["name", "<b>"], [["a", "1.5"], ["b", "–"]], "Some & more.")
    section = Section(
        "film",
        "Title",
        "How.",
        figures,
        [table],
        [Picture(b"\x89PNG" + bytes(12) + (260).to_bytes(4, "big"), "A plot.")],
    )
    entry = replace(
        ENTRIES[0], name="film", headlines=(Headline("error [mm]", ("error",)), Headline("other", ("none",)))
    )
    about = {"made": "now", "revision": "r", "machine": "m", "effort": 0.5}
    bundles = {"good": {"id": "g"}, "bad": {"id": "b"}}
    page = Report(bundles, about, ["A note."], [entry], {"film": Finished(section, 3.0)}, {}).html()
    assert '<td class="best">1.0 [0.5, 1.5]</td><td>2.0 [1.5, 2.5]</td><td class="text">guess 9.0</td>' in page
    assert "other" not in page  # nobody has it
    assert "&lt;b&gt;" in page and "Some &amp; more." in page and "A note." in page
    assert 'width="192"' in page  # 260 pixels at 130 a printed inch
    assert "with 0.5 of the usual numbers of episodes" in page


def test_figures_become_plain_json():
    value = {
        1: np.float32(2),
        "list": (np.int64(3), float("nan")),
        "array": np.array([[1.0, np.inf]]),
        "flag": np.bool_(True),
    }
    assert plain(value) == {"1": 2.0, "list": [3, None], "array": [[1.0, None]], "flag": True}


def test_a_bundle_of_another_rate_than_the_measurements_is_refused(fast, tmp_path):
    with pytest.raises(ValueError, match=r"bundle: expected steps of 0.1 s, .* got 0.05 s; .*closed loop"):
        evaluate(Settings([fast], tmp_path / "out"))
