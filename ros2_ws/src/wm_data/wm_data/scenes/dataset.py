"""A dataset of scenes: all shards of a folder as one, in memory."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wm_data.scenes.layout import ARRAYS, shape_of


class SceneDataError(ValueError):
    """Shards that cannot be used: names the file, says what was expected and what came."""


@dataclass(frozen=True)
class SceneDataset:
    """`arrays`: by the names of wm_data.scenes.layout.ARRAYS, motions first."""

    arrays: dict[str, np.ndarray]
    worlds: tuple[str, ...]

    @property
    def motions(self) -> int:
        return len(self.arrays["seed"])

    @property
    def steps(self) -> int:
        """Of each motion."""
        return self.arrays["moves"].shape[1]

    def split(self, share: float, seed: int = 0) -> tuple["SceneDataset", "SceneDataset"]:
        """For training and held out: `share` of the starts, all motions of a start on one side."""
        starts = np.unique(self.arrays["seed"])
        held = np.random.default_rng(seed).permutation(starts)[: max(1, round(share * len(starts)))]
        out = np.isin(self.arrays["seed"], held)
        return self.only(~out), self.only(out)

    def only(self, chosen: np.ndarray) -> "SceneDataset":
        """Some motions: a mask (M,) or their numbers."""
        return SceneDataset({name: values[chosen] for name, values in self.arrays.items()}, self.worlds)

    def fingerprint(self) -> str:
        """Of what is in it."""
        digest = hashlib.sha256()
        for name in ("seed", "moves", "objects"):
            digest.update(np.ascontiguousarray(self.arrays[name]).tobytes())
        return digest.hexdigest()[:16]


def load_scenes(folder: Path) -> SceneDataset:
    """All shards under a folder, in the order of their names; raises SceneDataError."""
    files = sorted(path for path in folder.glob("*.npz") if not path.name.endswith(".part.npz"))
    if not files:
        raise SceneDataError(
            f"{folder}: expected shards *.npz of scenes, found none; collect some: ./wm collect --states"
        )
    parts = [_read(file) for file in files]
    steps = {part["moves"].shape[1] for part in parts}
    if len(steps) > 1:
        raise SceneDataError(f"{folder}: expected motions of one length, got {sorted(steps)} steps")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in ARRAYS}
    worlds = sorted({file.stem.rpartition("_")[0] for file in files})
    return SceneDataset(arrays, tuple(worlds))


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file) as found:
            arrays = {name: found[name] for name in ARRAYS if name in found}
    except (OSError, ValueError) as error:
        raise SceneDataError(f"{file}: expected a shard of scenes, got {error}; collect it again") from error
    if missing := sorted(set(ARRAYS) - set(arrays)):
        raise SceneDataError(f"{file}: expected the arrays {sorted(ARRAYS)}, {missing} are missing; collect it again")
    motions, steps = arrays["moves"].shape[:2]
    for name, values in arrays.items():
        wanted = shape_of(ARRAYS[name], motions, steps)
        if values.shape != wanted:
            raise SceneDataError(f"{file}: {name}: expected shape {wanted}, got {values.shape}; collect it again")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise SceneDataError(f"{file}: {name}: expected finite numbers; collect it again")
    return arrays
