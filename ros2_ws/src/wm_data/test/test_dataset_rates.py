"""Datasets of another rate: in the steps of their task, and not mixed."""

import numpy as np
import pytest

from wm_bags.steps.step_spec import StepSpec
from wm_core.command_line import main
from wm_core.task import load_task
from wm_data.collect import Batch, collect_bag
from wm_data.dataset import Dataset
from wm_data.dataset_files import DatasetError
from wm_data.loading import load_data


def test_what_is_collected_for_a_faster_task_has_its_steps(tmp_path):
    task = load_task("push_20hz")
    words = ["collect", "--task", "push_20hz", "--world", "tabletop_block", "--episodes", "2", "--steps", "8"]
    assert main([*words, "--seed", "10100", "--workers", "1", "--out", str(tmp_path / "bags")]) == 0
    (bag,) = (tmp_path / "bags").iterdir()  # its name says the task: at another rate it is another
    assert bag.name == "tabletop_block_push_20hz_010100"
    assert main(["dataset", str(bag), "--strict", "--task", "push_20hz", "--out", str(tmp_path / "data")]) == 0
    data = Dataset.load(tmp_path / "data")
    assert (data.step_duration, data.action_spec.scale["x"], len(data.episode)) == (0.05, 0.015, 16)
    assert 0.3 < np.linalg.norm(data.action, axis=1).max() <= 1 + 1e-6
    np.testing.assert_allclose(  # what is commanded is where the step before led to
        data.target_xy[1:8], (data.target_xy + task.action.scaled(data.action))[:7], atol=1e-6
    )
    assert data.subset(np.array([0])).step_duration == data.as_video().step_duration == 0.05


def test_steps_of_another_rate_are_not_mixed(tmp_path):
    bag = collect_bag(Batch("tabletop_block", 10_100, 1, 8, tmp_path / "bag", task="push_20hz"))
    steps = StepSpec.of(load_task("push_20hz"))
    fast = load_data([bag], tmp_path / "run", 1, steps=steps)
    assert len(fast.episode) == 8
    slow = load_data([bag], tmp_path / "run", 1)  # what was built of the same bag is of other steps: built again
    assert (slow.step_duration, len(slow.episode)) == (0.1, 4)  # every second picture
    with pytest.raises(DatasetError, match="number 2: expected steps of 0.05 s, got 0.1 s"):
        Dataset.join([fast, slow])
    with pytest.raises(DatasetError, match=r"dataset: expected steps of 0.05 s, got 0.1 s; build it again"):
        load_data([tmp_path / "run" / "dataset"], tmp_path / "other", 1, steps=steps)
