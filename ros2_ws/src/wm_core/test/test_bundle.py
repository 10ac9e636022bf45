"""Model bundles: what is whole loads, what is torn or foreign is refused with the reason."""

import shutil

import numpy as np
import pytest
import yaml

from wm_core.bundle import Bundle, BundleError, sha256
from wm_core.paths import bundles_dir


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(bundles_dir() / "default", tmp_path / "bundle")


def rewrite(folder, **changes):
    file = folder / "bundle.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))


def test_a_bundle_of_scenes_is_refused_by_what_it_is():
    with pytest.raises(BundleError, match="expected a bundle that the nodes run, got one of scenes"):
        Bundle.load(bundles_dir() / "scene")


def test_the_shipped_bundle_loads_and_answers():
    bundle = Bundle.load(bundles_dir() / "default")
    out = bundle.run("encode", bev=np.zeros((1, 5, bundle.bev.rows, bundle.bev.columns), np.float32))
    assert out["embedding"].shape == (1, bundle.embedding_size)
    assert np.isfinite(out["embedding"]).all()


def test_the_shipped_bundle_is_small():
    assert sum(file.stat().st_size for file in (bundles_dir() / "default").iterdir()) < 10e6


def test_flipped_bytes_are_refused(copy):
    file = copy / "rollout.onnx"
    data = bytearray(file.read_bytes())
    data[1000] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(BundleError, match=r"rollout\.onnx.*sha256.*copy it again"):
        Bundle.load(copy)


def test_a_missing_graph_is_refused(copy):
    (copy / "encode.onnx").unlink()
    with pytest.raises(BundleError, match=r"encode\.onnx"):
        Bundle.load(copy)


def test_a_missing_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"bundle\.yaml"):
        Bundle.load(tmp_path)


def test_another_schema_is_refused(copy):
    rewrite(copy, schema=3)
    with pytest.raises(BundleError, match="schema"):
        Bundle.load(copy)


def test_sizes_that_do_not_fit_the_graphs_are_refused(copy):
    spec = yaml.safe_load((copy / "bundle.yaml").read_text())
    rewrite(copy, state={**spec["state"], "own": 99})
    with pytest.raises(BundleError, match=r"expected (input|output) '\w+' of shape .*105"):
        Bundle.load(copy)


def test_specifications_without_sense_are_refused_by_name(copy):
    spec = yaml.safe_load((copy / "bundle.yaml").read_text())
    rewrite(copy, action={**spec["action"], "groups": [["x", "z"]]})
    with pytest.raises(BundleError, match=r"action\.groups: expected axes in use"):
        Bundle.load(copy)
    rewrite(copy, action=spec["action"], state={**spec["state"], "fields": ["x", "roll"]})
    with pytest.raises(BundleError, match=r"state\.fields\.1"):
        Bundle.load(copy)


def test_a_graph_that_is_no_graph_is_refused(copy):
    (copy / "decode.onnx").write_bytes(b"not a graph")
    spec = yaml.safe_load((copy / "bundle.yaml").read_text())
    rewrite(copy, files={**spec["files"], "decode.onnx": sha256(copy / "decode.onnx")})
    with pytest.raises(BundleError, match=r"decode\.onnx.*expected an ONNX graph"):
        Bundle.load(copy)


def test_a_path_out_of_the_bundle_is_refused(copy):
    spec = yaml.safe_load((copy / "bundle.yaml").read_text())
    rewrite(copy, files={**spec["files"], "../outside": "0" * 64})
    with pytest.raises(BundleError, match="files"):
        Bundle.load(copy)


def test_yaml_that_is_none_is_refused(copy):
    (copy / "bundle.yaml").write_text("{ not: [yaml")
    with pytest.raises(BundleError, match="expected YAML"):
        Bundle.load(copy)


def test_jumps_without_their_block_are_refused(jumping, tmp_path):
    folder = shutil.copytree(jumping.path, tmp_path / "bundle")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    (folder / "bundle.yaml").write_text(yaml.safe_dump({key: spec[key] for key in spec if key != "macro"}))
    with pytest.raises(BundleError, match="one without the other"):
        Bundle.load(folder)


def test_jumps_that_do_not_fit_their_block_are_refused(jumping, tmp_path):
    folder = shutil.copytree(jumping.path, tmp_path / "bundle")
    rewrite(folder, macro={"steps": 2, "jumps": 4})
    with pytest.raises(BundleError, match=r"jump\.onnx: expected input 'actions'"):
        Bundle.load(folder)
