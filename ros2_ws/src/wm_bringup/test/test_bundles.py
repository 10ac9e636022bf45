"""`./wm bundles`, `./wm rollback` and `bundle:=promoted`: the registry from the command line."""

import shutil

import pytest
import yaml

from wm_bringup.graph import arm_sim
from wm_bringup.launch_arguments import LaunchError
from wm_core.bundle import Bundle
from wm_core.command_line import main
from wm_core.paths import bundles_dir
from wm_core.registry import Registry


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("WM_REGISTRY", str(tmp_path / "registry"))
    return Registry()


def test_a_bundle_is_added_listed_promoted_and_rolled_back(registry, another, capsys):
    root = registry.promoted().id
    assert main(["bundles", "add", str(another), "--why", "of ice", "--bags", "monday"]) == 0
    assert registry.state().entries["another"].bags == ("monday",)
    registry.promote("another", "better on ice")
    capsys.readouterr()
    assert main(["bundles"]) == 0
    listed = capsys.readouterr().out
    assert "* another" in listed and f"  {root}" in listed and "of ice" in listed and "better on ice" in listed
    assert main(["rollback", "--why", "slips"]) == 0
    assert registry.promoted().id == root and registry.state().history[-1].why == "slips"
    assert main(["rollback"]) == 1
    assert "it is the first one" in capsys.readouterr().err


def test_what_was_trained_from_what_is_shown_as_a_tree(registry, another, tmp_path, capsys):
    root = registry.promoted().id
    child = shutil.copytree(another, tmp_path / "child")
    spec = yaml.safe_load((child / "bundle.yaml").read_text())
    spec |= {"id": "child", "data": {"training": {"base": root}}}
    (child / "bundle.yaml").write_text(yaml.safe_dump(spec))
    registry.add(child)
    registry.add(another)
    main(["bundles"])
    tree = [line.split("  grounded")[0].rstrip() for line in capsys.readouterr().out.splitlines()[2:5]]
    assert tree == [f"* {root}", "  └─ child", "  another"]


def test_refusals_say_why(registry, tmp_path, capsys):
    assert main(["bundles", "add", str(tmp_path)]) == 1
    assert "bundle.yaml" in capsys.readouterr().err
    (registry.folder / "registry.json").write_text("{")
    assert main(["bundles"]) == 1
    assert "registry.json: expected JSON" in capsys.readouterr().err


def test_the_promoted_bundle_is_launched_and_followed(registry, another):
    registry.add(another)
    registry.promote("another", "")
    nodes = {node.name: node for node in arm_sim({"bundle": "promoted"}).nodes}
    folder = nodes["wm_planner"].parameters["bundle"]
    assert Bundle.load(folder).id == "another"
    manager = nodes["wm_bundle_manager"]
    assert manager.parameters["registry"] == str(registry.folder) and not manager.ends_all
    shipped = {node.name: node for node in arm_sim({}).nodes}
    assert shipped["wm_planner"].parameters["bundle"] == str(bundles_dir() / "default")
    assert shipped["wm_bundle_manager"].parameters["registry"] == ""
    (registry.folder / "registry.json").write_text("{")
    with pytest.raises(LaunchError, match=r"'bundle': .*registry\.json"):
        arm_sim({"bundle": "promoted"})
