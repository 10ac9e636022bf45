"""Tasks as data: the shipped one, and files that say nonsense are refused by file and field."""

import numpy as np
import pytest
import yaml

from wm_core.task import Region, TaskError, load_task, task_path


def changed(tmp_path, change):
    """A copy of push.yaml after `change` of its content."""
    data = yaml.safe_load(task_path("push").read_text())
    change(data)
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def test_pushing_is_a_task():
    task = load_task("push")
    assert (task.name, task.step_duration, task.step_ns, task.max_steps) == ("push", 0.1, 100_000_000, 100)
    assert task.action.axes == ("x", "y") and task.action.scale["x"] == 0.03
    assert (task.success.tolerance, task.success.cycles, task.success.distance) == (0.01, 3, 0.02)
    assert task.regions.goals.contains(np.array([0.5, 0.0])) and task.exploring.places.axes == ("x", "y")
    assert (task.explorer.name, task.expert.name) == ("push", "push")
    np.testing.assert_array_equal(task.action.to_displacement(np.ones(2))[:3], [0.03, 0.03, 0.0])


def test_the_faster_task_is_the_same_at_twice_the_rate():
    slow, fast = (yaml.safe_load(task_path(name).read_text()) for name in ("push", "push_20hz"))
    assert (fast.pop("rate"), fast.pop("description")) == (2 * slow.pop("rate"), f"{slow.pop('description')}, at 20 Hz")
    assert fast["success"].pop("cycles") == 2 * slow["success"].pop("cycles")  # as long within the tolerance
    for axis in "xy":
        assert fast["action"]["axes"][axis].pop("scale") == slow["action"]["axes"][axis].pop("scale") / 2  # as fast
    assert fast == slow
    assert load_task("push_20hz").max_steps == 2 * load_task("push").max_steps


def test_costs_keep_the_order_of_the_file(tmp_path):
    def reverse(data):
        data["costs"] = dict(reversed(data["costs"].items()))

    assert list(load_task(changed(tmp_path, reverse)).costs) == list(reversed(load_task("push").costs))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.pop("rate"), "file: 'rate' is a required property"),
        (lambda d: d.update(rate=0), "rate: 0 is less"),
        (lambda d: d.update(schema=2), "schema: 1 was expected"),
        (lambda d: d.update(colour="red"), "file: unknown field .colour., known are schema"),
        (lambda d: d["action"]["axes"].update(u={"scale": 0.1, "unit": "m"}), "action.axes.*'u'"),
        (lambda d: d["action"].update(groups=[["x", "z"]]), "action.groups: .*in use"),
        (lambda d: d["goal"].update(kind="dream"), "goal.kind: 'dream'"),
        (
            lambda d: d["regions"]["goals"].update(x=[0.6, 0.4]),
            "regions.goals.x: expected lower < upper, got 0.6 and 0.4",
        ),
        (
            lambda d: d["regions"]["exploring"]["lost"].update(y=[1, 1]),
            "regions.exploring.lost.y: expected lower < upper",
        ),
        (lambda d: d["regions"]["exploring"].pop("lost"), "regions.exploring: 'lost' is a required"),
        (lambda d: d["costs"].update(goal={"weight": -1}), "costs.goal.weight: -1 is less"),
        (lambda d: d["costs"].update(fine={}), "costs.fine: 'weight' is a required"),
        (lambda d: d.update(costs={}), "costs: "),
        (lambda d: d["success"].update(cycles=0), "success.cycles: 0"),
        (lambda d: d["success"].update(tolerance=0.05), "success: expected a tolerance of at most the distance"),
        (lambda d: d.update(explorer={}), "explorer: 'name' is a required"),
        (lambda d: d.update(modules=["../elsewhere"]), "modules.0: '../elsewhere' does not match"),
    ],
)
def test_nonsense_is_refused_by_file_and_field(tmp_path, change, expected):
    file = changed(tmp_path, change)
    with pytest.raises(TaskError, match=rf"{file}: {expected}"):
        load_task(file)


def test_what_is_no_task_file_is_refused(tmp_path):
    with pytest.raises(TaskError, match="cannot read .*juggle.yaml.*known are.*push"):
        load_task("juggle")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(TaskError, match="expected YAML"):
        load_task(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(TaskError, match="list.yaml: file: .* is not of type 'object'"):
        load_task(tmp_path / "list.yaml")


def test_a_task_without_regions_to_explore_says_so_when_asked(tmp_path):
    task = load_task(changed(tmp_path, lambda data: data["regions"].pop("exploring")))
    with pytest.raises(TaskError, match="mine.yaml: regions.exploring: expected regions"):
        _ = task.exploring


def test_a_region_contains_what_is_within_its_bounds():
    region = Region(("x", "y"), (0.4, -0.1), (0.6, 0.1))
    places = np.array([[0.4, 0.1], [0.5, 0.11], [np.nan, 0.0]])
    assert region.contains(places).tolist() == [True, False, False]
    assert region.contains(places, margin=0.02).tolist() == [True, True, False]
    np.testing.assert_allclose(region.centre, [0.5, 0.0])
    assert str(region) == "x 0.4..0.6, y -0.1..0.1 m"
