"""A short lockstep run is recorded and given to the nodes again: all is equal, and a change of anything is noticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import numpy_helper

from wm_bags.replay.options import ReplayError
from wm_bags.replay.recorded import Recorded
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.reading import Bag
from wm_bags.storage.writer import BagWriter
from wm_bringup.replay.check import check, settings
from wm_core.bundle import sha256
from wm_core.paths import bundles_dir

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(400)]
SHIPPED = bundles_dir() / "default"


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """One episode, recorded from the launch on. No recording is committed: another processor may round otherwise."""
    bag = tmp_path_factory.mktemp("replay") / "bag"
    arguments = ["real_time:=false", "episodes:=1", "seed:=10000", f"bundle:={SHIPPED}", f"record:={bag}"]
    command = [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": "67", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return bag


@pytest.fixture(scope="module")
def changed_bundle(tmp_path_factory) -> Path:
    """The shipped bundle, with the least change of one weight of its encoder."""
    folder = shutil.copytree(SHIPPED, tmp_path_factory.mktemp("changed") / "bundle")
    graph = onnx.load(folder / "encode.onnx")
    weights = max(graph.graph.initializer, key=lambda each: np.prod(each.dims))
    values = numpy_helper.to_array(weights).copy()
    values.reshape(-1)[: values.size // 2] *= 1 + 1e-6
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save(graph, folder / "encode.onnx")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    spec["files"]["encode.onnx"] = sha256(folder / "encode.onnx")
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    return folder


def counts(report):
    return {tally.topic: (tally.recorded, tally.equal) for tally in report.tallies}


def test_what_was_recorded_is_computed_again_bit_for_bit(recording):
    report = check(recording)
    assert report.good, report.text()
    compared = counts(report)
    assert set(compared) == {
        "wm/observation",
        "wm/belief",
        "wm/prediction_error",
        "wm/command",
        "wm/plan",
        "wm/goal",
    }
    assert all(recorded == equal for recorded, equal in compared.values())
    assert compared["wm/observation"][0] >= 20 and compared["wm/plan"][0] >= 10 and compared["wm/goal"][0] == 2


def test_another_seed_of_the_planner_changes_plans_and_nothing_before_them(recording):
    report = check(recording, overrides=settings(["wm_planner.seed=7"]))
    assert not report.good
    bad = {tally.topic: tally for tally in report.tallies if not tally.good}
    assert {"wm/plan", "wm/command"} <= bad.keys() <= {"wm/plan", "wm/command", "wm/goal"}, report.text()
    assert bad["wm/plan"].first.startswith("step ") and "was" in bad["wm/plan"].first


def test_a_millionth_of_some_weights_is_noticed_where_it_matters(recording, changed_bundle):
    report = check(recording, [changed_bundle])
    bad = {tally.topic for tally in report.tallies if not tally.good}
    assert bad == {"wm/observation"}  # what follows gets the recorded observations
    assert "embedding" in next(tally.first for tally in report.tallies if tally.topic == "wm/observation")


def test_another_bundle_is_refused(recording, bare, tmp_path):
    folder = shutil.copytree(bare, tmp_path / "other")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    recorded, spec["id"] = spec["id"], "other"
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(ReplayError, match=f"recorded with the bundle '{recorded}', found 'other'"):
        check(recording, [folder])


def stamp_ns(message):
    return Recorded(message.topic, 0, message.data).stamp_ns


def end_between_answers(recording, folder):
    """A copy that holds one of the two answers of wm_dynamics to its last step.

    A recording may end there by itself, with either of them: the recorder is stopped while the nodes still answer. So the last
    prediction error may be of the step before.
    """
    ended = BagWriter(folder)
    with Bag(recording) as bag:
        messages = list(bag.messages(bag.topics))
        beliefs, errors = ([m for m in messages if m.topic == f"/wm/{name}"] for name in ("belief", "prediction_error"))
        last_ns = max(map(stamp_ns, (*beliefs, *errors)))
        believed = any(stamp_ns(message) == last_ns for message in beliefs)
        left_out = [message for message in errors if believed and stamp_ns(message) == last_ns]
        for topic in bag.topics.values():
            ended.add_topic(Topic(topic.name, definition_of(topic.type)))
        for message in messages:
            if message not in left_out:
                ended.write(message.topic, message.data, message.log_ns, message.sent_ns)
    ended.close()
    return folder


def test_a_recording_may_end_between_the_answers_of_its_last_step(recording, tmp_path):
    report = check(end_between_answers(recording, tmp_path / "ended"))
    assert report.good, report.text()
    assert "wm_dynamics: 1 answers of the last step that the recording ends before: not compared" in report.notes
