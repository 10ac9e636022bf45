"""Kinds of objects: drawn within their ranges, read from meshes, refused by file and field."""

import numpy as np
import pytest

from wm_sim.kinds import WIDEST, KindError, kinds_dir, load_kind

KINDS = sorted(path.stem for path in kinds_dir().glob("*.yaml"))


@pytest.mark.parametrize("name", KINDS)
def test_objects_of_every_shipped_kind_are_bodies_that_an_arm_can_push(name):
    kind, rng = load_kind(name), np.random.default_rng(1)
    for _ in range(4):
        body = kind.draw(rng, off_centre=0.2)
        assert body.solid.size.max() <= WIDEST and 0.001 < body.mass < 1.0
        assert (body.centre_of_mass > body.solid.lower).all() and (body.centre_of_mass < body.solid.upper).all()
        np.testing.assert_allclose(body.solid.origin, 0, atol=1e-9)
        together = np.concatenate([piece.solid.corners for piece in body.pieces])
        np.testing.assert_allclose(together.min(0), body.solid.lower, atol=1e-9)


def test_two_blobs_are_not_alike_and_the_same_seed_gives_the_same():
    blob = load_kind("blob")
    first, second = (blob.draw(np.random.default_rng(seed)).solid.corners for seed in (0, 1))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, blob.draw(np.random.default_rng(0)).solid.corners)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("parts: []\ndensity: [1, 2]\nfriction: [1, 1]", "parts: .*non-empty"),
        ("parts: [{shape: box}]\ndensity: [1, 2]\nfriction: [1, 1]", "parts.0: 'size' is a required property"),
        ("parts: [{shape: ball}]\ndensity: [1, 2]\nfriction: [1, 1]", "parts.0"),
        ("parts: [{shape: box, size: [1, 1, 1]}]\ndensity: [1, 2]", "'friction' is a required property"),
        (
            "parts: [{shape: box, size: [1, 1, 1]}]\ndensity: [3, 2]\nfriction: [1, 1]",
            "density: expected lower <= upper",
        ),
        ("parts: [{shape: box, size: [1, 1, 1]}]\ndensity: [1, 2]\nfriction: [1, 1]\nhue: 1", "unknown field 'hue'"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(tmp_path, text, error):
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    with pytest.raises(KindError, match=error):
        load_kind(file)


def test_what_is_too_large_or_not_there_is_named(tmp_path):
    with pytest.raises(KindError, match=r"known kinds: .*mug"):
        load_kind("teapot")
    file = tmp_path / "huge.yaml"
    file.write_text("parts: [{shape: box, size: [1, 1, 1]}]\ndensity: [1, 2]\nfriction: [1, 1]")
    with pytest.raises(KindError, match="huge.yaml: parts: expected an object of 5 to 200 mm"):
        load_kind(file).draw(np.random.default_rng(0))
    file.write_text("parts: [{shape: mesh, file: gone.obj}]\ndensity: [1, 2]\nfriction: [1, 1]")
    with pytest.raises(KindError, match="huge.yaml: parts: .*gone.obj"):
        load_kind(file).draw(np.random.default_rng(0))


def test_no_random_mesh_has_more_pieces_than_the_physics_engine_takes():
    """PyBullet crashes with more than 16."""
    kind = load_kind("random_mesh")
    assert max(len(kind.draw(np.random.default_rng(seed)).pieces) for seed in range(80)) <= 16
