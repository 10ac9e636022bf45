"""Arrays for training: one folder of memory-mapped arrays, or several joined.

Arrays over all steps of all episodes, in order: `bev` (T, cameras, 5, rows, columns) uint8 (0..255 for 0..1), `tool` (T, 6)
measured and `target` (T, 6) commanded tool state, `action` (T, A) executed after the step, `objects` (T, K, 4) x, y, z [m] and yaw
[rad] of each object (NaN without a label), `episode` (T,) int32, `world` (T,) int16. In video nobody knows `target` and `action`:
they are NaN. Fields are looked up by name: `object_at`, `tool_at`, `target_at`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_core.futures import XY
from wm_core.layout import columns
from wm_core.specs import ActionSpec, BevSpec
from wm_core.specs_schema import TOOL_FIELDS
from wm_data.dataset_files import LABEL, DatasetError, read_dataset
from wm_data.rows import JoinedRows

MOTION = ("tool", "target", "action", "objects")
SMALL = (*MOTION, "episode", "world")
FIELDS = ("bev", *SMALL)


@dataclass(frozen=True)
class Dataset:
    """Arrays described in the module's docstring; `bev` stays on disk."""

    bev: np.ndarray | JoinedRows
    tool: np.ndarray
    target: np.ndarray
    action: np.ndarray
    objects: np.ndarray
    episode: np.ndarray
    world: np.ndarray
    worlds: list[str]
    seeds: list[int]  # by episode; -1: unknown
    action_spec: ActionSpec
    spec: BevSpec = BevSpec()
    step_duration: float = DEFAULT_STEPS.duration  # [s]

    @staticmethod
    def load(folder: Path) -> "Dataset":
        """Load and verify a folder; raises DatasetError naming file, array and index of what is wrong."""
        facts, arrays = read_dataset(Path(folder))
        spec, action = BevSpec(**facts["bev"]), ActionSpec.from_dict(facts["action"])
        duration = float(facts.get("step_duration", DEFAULT_STEPS.duration))  # older ones are all of the default task
        return Dataset(
            **arrays,
            worlds=facts["worlds"],
            seeds=facts["seeds"],
            action_spec=action,
            spec=spec,
            step_duration=duration,
        )

    @staticmethod
    def join(parts: Sequence["Dataset"]) -> "Dataset":
        """Several datasets as one, without copying their maps; raises DatasetError when they do not fit together.

        Rigs may differ: a camera that a dataset has not, saw nothing there.
        """
        first = parts[0]
        if len(parts) == 1:
            return first
        for i, part in enumerate(parts[1:], 1):
            if part.spec != first.spec:
                raise DatasetError(
                    f"expected datasets with the same maps, got {first.spec} and, as number {i + 1}, {part.spec}; build them again"
                    " from their bags"
                )
            if differs := first.steps.mismatch(part.steps):
                raise DatasetError(
                    f"expected datasets of the same steps and the same actions, as number {i + 1}: {differs}"
                )
            if part.objects.shape[1:] != first.objects.shape[1:]:
                raise DatasetError(
                    f"expected datasets with {first.objects.shape[1]} objects, got {part.objects.shape[1]} in number {i + 1}"
                )
            if part.video != first.video:
                raise DatasetError(
                    f"expected commands in all datasets or in none, got both (number {i + 1}): use pretrain="
                )
        if len({part.fingerprint() for part in parts}) < len(parts):
            raise DatasetError("expected different datasets, got one twice: its held-out episodes would be trained on")
        worlds = sorted({world for part in parts for world in part.worlds})
        offsets = np.cumsum([0] + [len(part.seeds) for part in parts])
        joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in MOTION}
        return Dataset(
            bev=JoinedRows([row for part in parts for row in [part.bev]]),  # type: ignore[misc]
            episode=np.concatenate([p.episode + offsets[i] for i, p in enumerate(parts)]).astype(np.int32),
            world=np.concatenate([np.array([worlds.index(w) for w in p.worlds], np.int16)[p.world] for p in parts]),
            worlds=worlds,
            seeds=[seed for part in parts for seed in part.seeds],
            action_spec=first.action_spec,
            spec=first.spec,
            step_duration=first.step_duration,
            **joined,
        )

    @property
    def steps(self) -> StepSpec:
        """How long a step is and what its action moves."""
        return StepSpec(self.step_duration, self.action_spec)

    def object_at(self, fields: Sequence[str] = XY, slot: int = 0) -> np.ndarray:
        """Labels (T, n) of one object: a view where the fields follow each other."""
        return self.objects[:, slot, columns([LABEL.index(name) for name in fields])]

    def tool_at(self, fields: Sequence[str] = XY) -> np.ndarray:
        """Measured tool (T, n): a view where the fields follow each other."""
        return self.tool[:, columns([TOOL_FIELDS.index(name) for name in fields])]

    def target_at(self, fields: Sequence[str] = XY) -> np.ndarray:
        """Commanded tool (T, n): a view where the fields follow each other."""
        return self.target[:, columns([TOOL_FIELDS.index(name) for name in fields])]

    @property
    def object_xy(self) -> np.ndarray:
        """Where the first object is (T, 2) [m]: a view."""
        return self.object_at()

    @property
    def tool_xy(self) -> np.ndarray:
        """Measured tool position in the plane (T, 2) [m]: a view."""
        return self.tool_at()

    @property
    def target_xy(self) -> np.ndarray:
        """Commanded tool position in the plane (T, 2) [m]: a view."""
        return self.target_at()

    @property
    def video(self) -> bool:
        """Whether there are no commands."""
        return bool(np.isnan(self.action).all())

    def as_video(self) -> "Dataset":
        """The same without commands and labels."""
        unknown = {name: np.full_like(getattr(self, name), np.nan) for name in ("target", "action", "objects")}
        return replace(self, **unknown)

    def fingerprint(self) -> str:
        """Short hash of what was recorded: labels, actions and episodes tell datasets apart; the same whatever the schema."""
        digest = hashlib.sha256()
        fields = [LABEL.index(name) for name in ("x", "y", "yaw")]
        for values in (self.tool_xy, self.action, self.objects[..., fields], self.episode):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:12]

    def subset(self, episodes: np.ndarray) -> "Dataset":
        """A copy with only some episodes, by number; their numbers and the list of seeds stay."""
        keep = np.flatnonzero(np.isin(self.episode, episodes))
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)[keep]) for name in FIELDS}
        return replace(self, **arrays)

    def windows(self, length: int, episodes: np.ndarray | None = None) -> np.ndarray:
        """First indices (n,) of all windows of `length` consecutive steps within one episode.

        `episodes`: only of these; what is listed k times counts k times.
        """
        starts = np.arange(len(self.episode) - length + 1)
        starts = starts[self.episode[starts] == self.episode[starts + length - 1]]
        if episodes is None:
            return starts
        times = np.bincount(episodes, minlength=self.episode.max() + 1)
        return np.repeat(starts, times[self.episode[starts]])
