"""Bundle and task fit together, or are refused with what differs."""

import pytest
import yaml

from wm_core.bundle import Bundle
from wm_core.compatibility import FitError, check_fit
from wm_core.paths import bundles_dir
from wm_core.task import load_task, task_path


@pytest.fixture(scope="module")
def bundle():
    return Bundle.load(bundles_dir() / "default")


def test_the_shipped_bundle_pushes(bundle):
    check_fit(load_task("push"), bundle)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda d: d["action"].update(axes={"x": {"scale": 0.03, "unit": "m"}}, groups=[]),
            "action.axes: the task moves x, the bundle x, y",
        ),
        (
            lambda d: d["action"]["axes"].update(yaw={"scale": 0.1, "unit": "rad"}),
            "action.axes: the task moves x, y, yaw, the bundle x, y",
        ),
        (
            lambda d: d["action"]["axes"]["y"].update(scale=0.02),
            "action.axes.y.scale: the task says 0.02, the bundle 0.03 m in a step",
        ),
        (lambda d: d.update(rate=20), "rate: the task says 20 Hz, the bundle 10 Hz"),
    ],
)
def test_what_differs_is_named_with_both_sides(bundle, tmp_path, change, expected):
    data = yaml.safe_load(task_path("push").read_text())
    change(data)
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(
        FitError, match=rf"task 'other' .*other.yaml.* and bundle '{bundle.id}' .*do not fit: {expected}"
    ):
        check_fit(load_task(file), bundle)
