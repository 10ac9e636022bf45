"""The registry: lineage, the pointer and its history, kills at any moment, many writers, files that are not as they were."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.bundle import Bundle, BundleError
from wm_core.paths import bundles_dir, registry_dir
from wm_core.registry import (
    FORCED,
    PROMOTED,
    REFUSED,
    ROLLED_BACK,
    STARTED,
    Event,
    Registry,
    RegistryError,
    State,
)

SHIPPED = bundles_dir() / "default"
ROOT = Bundle.load(SHIPPED).id


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "registry")


@pytest.fixture
def two(registry):
    """A registry with the bundles 'a' and 'b' beside the root."""
    for name in "ab":
        registry.add(SHIPPED, f"try {name}", id=name)
    return registry


def test_a_new_registry_has_the_shipped_bundle_as_its_root(registry):
    entry = registry.promoted()
    assert entry.id == ROOT and entry.why == "shipped" and entry.data
    assert [event.kind for event in registry.state().history] == [STARTED]
    assert Bundle.load(registry.path(ROOT)).id == ROOT


def test_where_the_registry_is(monkeypatch, tmp_path):
    assert registry_dir().parts[-2:] == ("runs", "registry")  # of this checkout
    monkeypatch.setenv("WM_REGISTRY", str(tmp_path))
    assert registry_dir() == tmp_path


def test_what_is_known_of_a_bundle(registry, tmp_path):
    folder = shutil.copytree(SHIPPED, tmp_path / "tuned")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    spec["id"] = "tuned"
    spec["data"] = {
        "fingerprint": "c",
        "parts": {"new": {"fingerprint": "a"}, "old": {"fingerprint": "b"}},
        "training": {"base": ROOT},
    }
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    entry = registry.add(folder, "of ice", ["monday", "tuesday"])
    assert registry.state().entries["tuned"] == entry
    assert (entry.base, entry.data, entry.bags) == (ROOT, {"new": "a", "old": "b"}, ("monday", "tuesday"))
    assert entry.metrics == spec["metrics"] and entry.why == "of ice"
    shutil.rmtree(folder)  # the registry has its own copy
    assert Bundle.load(registry.path("tuned")).id == "tuned"


def test_metrics_that_could_not_be_measured_are_none(registry, tmp_path):
    folder = shutil.copytree(SHIPPED, tmp_path / "unmeasured")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    spec["id"], spec["metrics"] = "unmeasured", {"open_loop_moving_mm": {"model": {"1": float("nan"), "5": 4.0}}}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    assert registry.add(folder).metrics == {"open_loop_moving_mm": {"model": {"1": None, "5": 4.0}}}
    assert registry.state().entries["unmeasured"].metrics["open_loop_moving_mm"]["model"]["1"] is None


def test_adding_twice_is_once_and_another_under_the_same_id_is_refused(registry, tmp_path):
    assert registry.add(SHIPPED) == registry.promoted()
    other = shutil.copytree(SHIPPED, tmp_path / "other")
    (other / "bundle.yaml").write_text((other / "bundle.yaml").read_text() + "# calibrated again\n")
    with pytest.raises(RegistryError, match=f"another bundle with the id '{ROOT}'.*--as ID"):
        registry.add(other)
    assert registry.add(other, id="again").id == "again"
    with pytest.raises(RegistryError, match=r"expected an id of letters.*got '\.\./x'"):
        registry.add(other, id="../x")


def test_a_bundle_that_does_not_load_is_not_added(registry, tmp_path):
    torn = shutil.copytree(SHIPPED, tmp_path / "torn")
    (torn / "filter.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"filter\.onnx"):
        registry.add(torn)
    assert list(registry.state().entries) == [ROOT]


def test_promoting_and_going_back(two):
    two.promote("a", "better", {"passed": True})
    two.promote("b", "must be", {"passed": False}, forced=True)
    assert two.state().in_use == (ROOT, "a", "b")
    assert two.rollback("worse live").id == "a"
    assert two.rollback("worse, too").id == ROOT
    with pytest.raises(RegistryError, match=f"before '{ROOT}', it is the first"):
        two.rollback("and on")
    kinds = [event.kind for event in two.state().history]
    assert kinds == [STARTED, PROMOTED, FORCED, ROLLED_BACK, ROLLED_BACK]
    assert two.state().entries["b"].gates == ({"passed": False},)


def test_going_back_to_one_of_those_before(two):
    two.promote("a", "")
    two.promote("b", "")
    with pytest.raises(RegistryError, match=f"expected one of {ROOT}, a, got 'c'"):
        two.rollback("", to="c")
    assert two.rollback("", to=ROOT).id == ROOT


def test_a_refusal_is_kept_and_changes_nothing(two):
    two.refuse("a", "loses 4 points", {"passed": False})
    assert two.promoted().id == ROOT
    assert two.state().history[-1].why == "loses 4 points"
    with pytest.raises(RegistryError, match="expected a bundle out of .*, got 'nothing'"):
        two.refuse("nothing", "")
    with pytest.raises(RegistryError, match="another bundle than the promoted one"):
        two.promote(ROOT, "")


def test_who_goes_back_from_what_is_not_promoted_any_more_changes_nothing(two):
    two.promote("a", "")
    two.promote("b", "")
    assert two.rollback("a predicts worse", only_from="a").id == "b"
    assert two.promoted().id == "b"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[: len(text) // 2], r"registry\.json: expected JSON"),
        (lambda text: text.replace('"promoted": "', '"promoted": "x'), "history that leads to the promoted bundle"),
        (lambda text: text.replace('"kind": "started"', '"kind": "stolen"'), r"history\.0\.kind: 'stolen'"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema"),
        (lambda text: "[]", "registry.json"),
    ],
)
def test_a_damaged_registry_is_refused_by_name(two, damage, says):
    file = two.folder / "registry.json"
    file.write_text(damage(file.read_text()))
    with pytest.raises(RegistryError, match=f"(?s)registry.json.*({says}).*restore it|{says}"):
        two.state()


def test_missing_and_changed_bundles_are_refused_by_name(two):
    file = two.folder / "bundles/a/bundle.yaml"
    file.write_text(file.read_text() + "\n")
    with pytest.raises(RegistryError, match=r"a/bundle\.yaml: expected sha256 .*not the bundle that was added"):
        two.promote("a", "")
    shutil.rmtree(file.parent)
    with pytest.raises(RegistryError, match=r"a/bundle\.yaml of the bundle 'a', found none"):
        two.path("a")
    assert two.promoted().id == ROOT


WRITER = textwrap.dedent("""
    import sys
    from wm_core.registry import Registry
    registry, i = Registry(sys.argv[1]), 0
    print("ready", flush=True)
    while True:
        registry.add(sys.argv[2], "again", id=f"{sys.argv[3]}{i}")
        registry.promote(f"{sys.argv[3]}{i}", "next")
        i += 1
""")


def test_a_kill_at_any_moment_leaves_a_whole_registry(tmp_path):
    folder = tmp_path / "registry"
    for round in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(SHIPPED), f"r{round}-"], stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(0.02 + 0.037 * round)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        registry = Registry(folder)
        for id in registry.state().entries:
            Bundle.load(registry.path(id))
        registry.rollback("after the kill") if len(registry.state().in_use) > 1 else None
    registry.add(SHIPPED, id="last")
    assert not list((folder / "bundles").glob(".*"))  # what killed writers left is cleared away
    names = {path.name for path in folder.iterdir()}
    assert names <= {"registry.json", "registry.lock", "bundles", ".registry.json.part"}


def _write(folder, name):
    registry = Registry(folder)
    for i in range(5):
        registry.refuse(ROOT, f"{name}{i}")


def test_two_writers_lose_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path / "registry", name)) for name in ("x", "y")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    said = [event.why for event in Registry(tmp_path / "registry").state().history[1:]]
    assert sorted(said) == [f"{name}{i}" for name in "xy" for i in range(5)]
    assert [why for why in said if why[0] == "x"] == [f"x{i}" for i in range(5)]


STEPS = st.lists(st.tuples(st.sampled_from([PROMOTED, FORCED, REFUSED, ROLLED_BACK]), st.sampled_from("abcd")))


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_any_history_leads_to_one_bundle_and_back(steps):
    """The pointer is the last of those in use; a way back undoes what came after it."""
    history, model = [Event(STARTED, "a", "")], ["a"]
    for kind, id in steps:
        if kind in (PROMOTED, FORCED):
            if id == model[-1]:
                continue
            model.append(id)
        elif kind == ROLLED_BACK:
            if len(model) < 2:
                continue
            model.pop()
            id = model[-1]
        history.append(Event(kind, id, ""))
        assert State({}, tuple(history)).in_use == tuple(model)


def test_what_is_written_can_be_read_by_others(two):
    document = json.loads((two.folder / "registry.json").read_text())
    assert document["promoted"] == ROOT and set(document["entries"]) == {ROOT, "a", "b"}
    assert os.access(two.folder / "registry.json", os.R_OK)
