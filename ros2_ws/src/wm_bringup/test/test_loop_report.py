"""What the report of the data loop reads out of a recording: attempts, the change of bundles, errors, drift."""

from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from wm_msgs.msg import ActiveBundle, Belief, Command, Drift, Episode, ObjectState, PredictionError

from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter
from wm_bringup.loop.recorded import read_run
from wm_bringup.loop.report import page

STEP_NS = 100_000_000
SWAP = 50  # cycle from which the new bundle is in use


def header(cycle: int) -> Header:
    stamp = Header()
    stamp.stamp.sec, stamp.stamp.nanosec = divmod(cycle * STEP_NS, 10**9)
    return stamp


def episode(cycle: int, event: int, model: str, outcome: int = Episode.UNKNOWN) -> Episode:
    return Episode(
        header=header(cycle),
        event=event,
        purpose=Episode.TASK,
        model_id=model,
        goal=Point(x=0.5),
        outcome=outcome,
        final_distance=0.01 if outcome == Episode.REACHED else 0.2,
    )


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds: a goal missed with `old`, one that the change falls into, one reached with `new`; one command is missing."""
    folder = tmp_path_factory.mktemp("bags") / "live"
    messages: list[tuple[int, str, object]] = []
    block = ObjectState(id="object_0", pose=Pose(position=Point(x=0.5, y=0.1)))
    for cycle in range(1, 100):
        model = "new" if cycle >= SWAP else "old"
        error = 0.05 if cycle < SWAP else 0.002
        messages.append((cycle, "/wm/belief", Belief(header=header(cycle), model_id=model, objects=[block])))
        messages.append((cycle, "/wm/prediction_error", PredictionError(header=header(cycle), error=error)))
        messages.append(
            (cycle, "/wm/drift", Drift(header=header(cycle), level=0.05 * cycle if model == "old" else 0.0))
        )
        if cycle != SWAP:
            messages.append((cycle, "/wm/command", Command(header=header(cycle))))
    for cycle, event in (
        (5, episode(5, Episode.BEGIN, "old")),
        (30, episode(30, Episode.END, "old", Episode.MISSED)),
        (35, episode(35, Episode.BEGIN, "old")),
        (60, episode(60, Episode.END, "new", Episode.REACHED)),
        (65, episode(65, Episode.BEGIN, "new")),
        (90, episode(90, Episode.END, "new", Episode.REACHED)),
    ):
        messages.append((cycle, "/wm/episode", event))
    messages.append((1, "/wm/active_bundle", ActiveBundle(header=header(1), model_id="old", reason="started")))
    swapped = ActiveBundle(header=header(SWAP), model_id="new", previous_id="old", reason="promoted: passed the gate")
    messages.append((SWAP, "/wm/active_bundle", swapped))
    writer = BagWriter(folder)
    for topic in sorted({topic for _, topic, _ in messages}):
        kind = next(type(message) for _, name, message in messages if name == topic)
        writer.add_topic(Topic(topic, definition_of(f"wm_msgs/msg/{kind.__name__}")))
    for cycle, topic, message in sorted(messages, key=lambda item: item[0]):
        writer.write(topic, serialize_message(message), cycle * STEP_NS, cycle * STEP_NS)
    writer.close()
    return folder


def test_attempts_belong_to_the_bundle_with_which_they_began_and_ended(bag):
    run = read_run(bag)
    assert [attempt.reached for attempt in run.attempts] == [False, True, True]
    assert [attempt.reached for attempt in run.of("old")] == [False]
    assert [attempt.reached for attempt in run.of("new")] == [True]


def test_cycles_without_a_command_around_a_change_are_counted(bag):
    (change,) = read_run(bag).changes
    assert (change.model_id, change.reason, change.missed) == ("new", "promoted: passed the gate", 1)


def test_errors_and_drift_come_with_their_stamps(bag):
    run = read_run(bag)
    assert run.error.shape == (99, 2) and run.drift.shape == (99, 2)
    assert np.median(run.error[:40, 1]) == pytest.approx(0.05) and np.median(run.error[60:, 1]) == pytest.approx(0.002)


def test_the_page_shows_all_of_it_and_needs_nothing_else(bag):
    run = read_run(bag)
    errors = {"1": 2.0, "5": 4.0}
    figures = {
        "see_mm": {"median": 1.0},
        "filter_mm": {"median": 1.0},
        "open_loop_moving_mm": {"model": errors, "copy_last": errors},
    }
    row = {
        "domain": "new",
        "measure": "goals reached within 2 cm [%]",
        "promoted": "0.0 (0/50)",
        "candidate": "98.0 (49/50)",
        "change": "+98.0 [+94.0, +100.0]",
        "limit": "",
        "verdict": "better",
        "passed": True,
    }
    report = {
        "world": "tabletop_plate",
        "minutes": 20.0,
        "seconds": {"explore": 240.0, "fine-tune": 300.0},
        "recorded": {"steps": 6000, "episodes": 40, "drift_alarm_s": 2.1},
        "finetuning": {
            "held_out_mm": {"new": {"before": figures, "after": figures}},
            "weights_moved": {"encoder": 0.1},
        },
        "gate": {"passed": True, "criteria": [row]},
        "live": {
            "before": {"goals": 1, "reached": 0},
            "after": {"goals": 1, "reached": 1},
            "changes": [{"model_id": "new", "reason": "promoted", "missed": 1}],
        },
    }
    html = page(report, run, [run, run])
    assert "promoted after 20 minutes" in html and "49/50" in html and "1 control cycles missed" in html
    assert html.count("data:image/png") == 2 and "http" not in html.replace("http-equiv", "")
