"""Datasets come back from their folders and are joined; what is damaged or does not fit is refused with file and index."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from wm_bags.steps.step_spec import StepSpec
from wm_core.specs import ActionSpec, BevSpec
from wm_data.dataset import SMALL, Dataset
from wm_data.dataset_files import DatasetError, seal
from wm_data.loading import load_data
from wm_tasks.settings import TASK


def stored(dataset, folder, spec=None):
    """A dataset in a folder of its own."""
    folder.mkdir()
    for name in ("bev", *SMALL):
        np.save(folder / f"{name}.npy", getattr(dataset, name))
    seal(folder, dataset.worlds, dataset.seeds, spec or dataset.spec, dataset.steps, [])
    return folder


def cut(folder, name):
    file = folder / name
    file.write_bytes(file.read_bytes()[:-7])


def edit(**changes):
    def change(folder):
        file = folder / "dataset.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def overwrite(name, values):
    """An array that another program has put there."""

    def change(folder):
        facts = json.loads((folder / "dataset.json").read_text())
        np.save(folder / f"{name}.npy", values(np.load(folder / f"{name}.npy")))
        action = ActionSpec.from_dict(facts["action"])
        seal(folder, facts["worlds"], facts["seeds"], BevSpec(**facts["bev"]), StepSpec(action=action), [])

    return change


def with_value(index, value):
    def change(values):
        values[index] = value
        return values

    return change


FAULTS = {
    "torn facts": (lambda folder: cut(folder, "dataset.json"), "dataset.json: expected JSON, it is torn"),
    "no facts": (lambda folder: (folder / "dataset.json").unlink(), "dataset.json: .*the file is missing"),
    "older version": (edit(schema=2), "expected a dataset of schema 3, got 2; build it again: wm dataset"),
    "facts of another kind": (edit(seeds="many"), "dataset.json: seeds: 'many' is not of type 'array'"),
    "short maps": (lambda folder: cut(folder, "bev.npy"), r"bev.npy: expected \d+ bytes, got \d+"),
    "no maps": (lambda folder: (folder / "bev.npy").unlink(), "bev.npy: expected an array of"),
    "other bytes": (
        lambda folder: np.save(folder / "tool.npy", np.zeros((480, 6), np.float32)),
        "tool.npy: expected the checksum",
    ),
    "wrong shape": (
        overwrite("action", lambda a: a[:, :1]),
        r"action.npy: expected float32 \(480, 2\), got .*\(480, 1\)",
    ),
    "wrong type": (overwrite("tool", lambda a: a.astype(float)), "tool.npy: expected float32 .* got float64"),
    "fewer steps": (overwrite("tool", lambda a: a[:-1]), r"tool.npy: expected float32 \(480, 6\), got .*\(479, 6\)"),
    "NaN tool": (overwrite("tool", with_value(41, np.nan)), r"tool.npy\[41\] \(episode 1\): expected finite"),
    "NaN action": (
        overwrite("action", with_value(3, np.nan)),
        r"action.npy\[3\] \(episode 0\): expected finite actions",
    ),
    "half a label": (overwrite("objects", with_value((7, 0, 1), np.nan)), r"objects.npy\[7\] .*a whole label or none"),
    "infinite label": (overwrite("objects", with_value(7, np.inf)), r"objects.npy\[7\] "),
    "no actions": (edit(action={"axes": {}}), "dataset.json: action.axes: "),
    "mixed episodes": (overwrite("episode", with_value(100, 0)), r"episode.npy\[100\] .*numbers that rise"),
    "unknown world": (overwrite("world", with_value(5, 4)), r"world.npy\[5\] .*an index of"),
}


def test_the_fingerprint_is_that_of_the_first_version(dataset):
    digest = hashlib.sha256()
    label = np.concatenate([dataset.object_xy, dataset.object_at(("yaw",))], 1)
    for values in (dataset.tool_xy, dataset.action, label, dataset.episode):
        digest.update(np.ascontiguousarray(values).tobytes())
    assert dataset.fingerprint() == digest.hexdigest()[:12]


def test_fields_are_views_by_name(dataset):
    assert np.shares_memory(dataset.object_xy, dataset.objects) and np.shares_memory(dataset.tool_xy, dataset.tool)
    np.testing.assert_array_equal(dataset.tool_at(("z",))[:, 0], np.float32(TASK.action.held["z"]))
    np.testing.assert_array_equal(dataset.object_at(("yaw", "x")), dataset.objects[:, 0, [3, 0]])


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_dataset_is_refused_with_file_and_index(dataset, tmp_path, name):
    change, problem = FAULTS[name]
    folder = stored(dataset, tmp_path / "dataset")
    Dataset.load(folder)
    change(folder)
    with pytest.raises(DatasetError, match=problem) as refusal:
        Dataset.load(folder)
    assert str(folder) in str(refusal.value)


@pytest.fixture
def halves(dataset):
    """The synthetic dataset as two with other worlds."""
    result = []
    for number, keep in enumerate((dataset.episode < 5, dataset.episode >= 5)):
        arrays = {name: getattr(dataset, name)[keep] for name in ("bev", *SMALL)}
        arrays["episode"] = arrays["episode"] - arrays["episode"].min()
        result.append(
            replace(
                dataset,
                **arrays,
                worlds=[f"world{number}"],
                seeds=dataset.seeds[:5] if not number else dataset.seeds[5:],
            )
        )
    return result


def test_several_datasets_are_used_as_one(dataset, halves, tmp_path):
    places = [stored(half, tmp_path / f"half{i}") for i, half in enumerate(halves)]
    joined = load_data(places, tmp_path / "run")
    for name in SMALL:
        if name != "world":
            np.testing.assert_array_equal(getattr(joined, name), getattr(dataset, name))
    assert joined.worlds == ["world0", "world1"]
    assert joined.world.tolist() == [0] * 200 + [1] * 280
    assert joined.seeds == dataset.seeds
    starts = joined.windows(30)
    np.testing.assert_array_equal(starts, dataset.windows(30))
    for index in (7, -1, slice(190, 210), starts[:5], starts[-3:, None] + np.arange(4), dataset.episode == 5):
        np.testing.assert_array_equal(joined.bev[index], dataset.bev[index])
    np.testing.assert_array_equal(joined.bev[198:202, 1], dataset.bev[198:202, 1])
    with pytest.raises(IndexError, match="below 480"):
        joined.bev[480]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (lambda data: replace(data, spec=BevSpec(z_max=0.5)), "same maps, got .*z_max=0.5"),
        (
            lambda data: replace(data, action_spec=ActionSpec({"x": 0.02, "y": 0.02}, (("x", "y"),), {"z": 0.027})),
            "same actions, as number 2: expected action.axes",
        ),
        (lambda data: replace(data, objects=data.objects.repeat(2, 1)), "with 1 objects, got 2 in number 2"),
        (lambda data: replace(data, action=data.action * np.nan, target=data.target * np.nan), "commands in all"),
        (lambda data: data, "got one twice"),
    ],
)
def test_datasets_that_do_not_fit_are_not_joined(dataset, other, problem):
    with pytest.raises(DatasetError, match=problem):
        Dataset.join([dataset, other(dataset)])
