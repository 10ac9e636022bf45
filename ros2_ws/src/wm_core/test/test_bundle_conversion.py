"""Bundles of the first schema: refused with the remedy, converted without a change of any number, in a folder and in the registry."""

import shutil

import numpy as np
import pytest
import yaml

from wm_core.bundle import Bundle, BundleError, sha256
from wm_core.bundle_conversion import convert
from wm_core.paths import bundles_dir
from wm_core.registry import Registry, RegistryError

OLD = {
    "schema": 1,
    "action_scale": 0.03,
    "sizes": {"latent": 18, "embedding": 17, "action": 2, "proprio": 4},
    "bev": {"x_min": 0.24, "y_min": -0.32, "cell": 0.008, "rows": 64, "columns": 80, "z_max": 0.25},
}


def as_before(folder, **changes):
    """The same bundle as the first version wrote it."""
    file = folder / "bundle.yaml"
    spec = yaml.safe_load(file.read_text())
    kept = {key: value for key, value in spec.items() if key not in ("state", "action", "observation")}
    file.write_text(yaml.safe_dump({**kept, **OLD, **changes}))
    return folder


@pytest.fixture
def old(tmp_path):
    return as_before(shutil.copytree(bundles_dir() / "default", tmp_path / "bundle"))


@pytest.fixture
def registry(tmp_path):
    """A registry whose only bundle is of the first schema."""
    registry = Registry(tmp_path / "registry")
    entry = registry.promoted()
    folder = as_before(registry.path(entry.id))
    file = tmp_path / "registry/registry.json"
    file.write_text(file.read_text().replace(entry.sha256, sha256(folder / "bundle.yaml")))
    return registry


def test_an_old_bundle_is_refused_with_the_remedy(old):
    with pytest.raises(BundleError, match=rf"expected schema 2, got 1; convert it: ./wm bundles convert {old}"):
        Bundle.load(old)


def test_a_converted_bundle_is_the_shipped_one(old):
    graphs = {file.name: sha256(file) for file in old.glob("*.onnx")}
    converted, shipped = convert(old), Bundle.load(bundles_dir() / "default")
    assert converted.spec == shipped.spec
    assert {file.name: sha256(file) for file in old.glob("*.onnx")} == graphs
    latent, actions = np.zeros((1, 1, 18), np.float32), np.full((2, 12, 2), 0.3, np.float32)
    for name, values in converted.run("rollout", latent=latent, actions=actions).items():
        np.testing.assert_array_equal(values, shipped.run("rollout", latent=latent, actions=actions)[name])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": {}}, "expected sizes, bev and action_scale as of schema 1"),
        ({"action_scale": "much"}, "expected sizes, bev and action_scale"),
        ({"schema": 2}, "expected a bundle of schema 1, got schema 2"),
        ({"sizes": {"latent": 40, "embedding": 17, "action": 2, "proprio": 4}}, "of shape"),
    ],
)
def test_what_cannot_be_converted_stays_as_it_was(old, changes, message):
    as_before(old, **changes)
    before = (old / "bundle.yaml").read_bytes()
    with pytest.raises(BundleError, match=message):
        convert(old)
    assert (old / "bundle.yaml").read_bytes() == before


def test_bundles_of_the_registry_are_converted_in_place(registry):
    id = registry.promoted().id
    folder = registry.path(id)
    with pytest.raises(BundleError, match=rf"./wm bundles convert {folder}"):
        Bundle.load(folder)
    assert registry.convert(id).sha256 == sha256(folder / "bundle.yaml")
    assert Bundle.load(registry.path(id)).id == registry.promoted().id == id
    with pytest.raises(BundleError, match="got schema 2"):
        registry.convert(id)
    with pytest.raises(RegistryError, match="expected a bundle out of"):
        registry.convert("another")


def test_a_conversion_that_was_killed_is_finished_by_the_next(registry, monkeypatch):
    id = registry.promoted().id

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("wm_core.registry.convert", killed)
        registry.convert(id)
    with pytest.raises(RegistryError, match="expected sha256"):
        registry.path(id)
    registry.convert(id)
    assert Bundle.load(registry.path(id)).id == id
