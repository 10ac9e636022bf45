"""Imagined futures: where objects and tool will be under action sequences, as each member of an ensemble sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wm_core.scene import SceneState, ToolState, scene_of
from wm_core.specs import ActionSpec, StateSpec
from wm_core.specs_schema import TOOL_FIELDS

XY = ("x", "y")


@dataclass(frozen=True)
class Futures:
    """Futures of N action sequences at H instants by E ensemble members; metres, radians, frame of the table.

    The instants are every step, or the ends of jumps. The arrays belong to the engine and are overwritten by its next rollout
    of the same size.
    """

    state: StateSpec  # says what the numbers are
    action: ActionSpec  # says where the tool's axes that are not imagined are held
    readout: np.ndarray  # (E, N, H, R) objects and tool at each instant
    variance: np.ndarray  # (E, N, H, K * fields) predictive variances of the objects
    latents: Mapping[str, np.ndarray]  # of the family, by name; final (E, N, L): after the last step of the graph
    start: np.ndarray  # (N or 1, R) from which was imagined
    ends: np.ndarray | None = None  # (H,) steps from the start to each instant; None: every step is one

    @property
    def steps(self) -> np.ndarray:
        """Steps (H,) of the robot from the start to each instant."""
        return np.arange(1, self.readout.shape[2] + 1) if self.ends is None else self.ends

    @property
    def final(self) -> np.ndarray:
        """Latents (E, N, L) after the last step of the graph."""
        return self.latents["final"]

    @property
    def scene(self) -> SceneState:
        """Everything about the objects, (E, N, H, K, ...)."""
        return scene_of(self.state, self.readout, self.variance)

    @property
    def tool(self) -> ToolState:
        """Everything about the tool, (E, N, H, 6)."""
        values = np.empty((*self.readout.shape[:-1], len(TOOL_FIELDS)), self.readout.dtype)
        for i, (name, axis) in enumerate(zip(TOOL_FIELDS, (*TOOL_FIELDS[:-1], "grip"), strict=True)):
            if name in self.state.tool:
                values[..., i] = self.state.readout.of(self.readout, "tool", (name,))[..., 0]
            else:
                values[..., i] = self.action.held.get(axis, np.nan)
        return ToolState(values)

    def object(self, fields: Sequence[str] = XY, slot: int = 0) -> np.ndarray:
        """Fields (E, N, H, n) of one object."""
        return self.state.readout.of(self.readout, "object", fields, slot)

    def object_variance(self, fields: Sequence[str] = XY, slot: int = 0) -> np.ndarray:
        """Predictive variances (E, N, H, n) of one object."""
        return self.state.readout.of(self.variance, "object", fields, slot)

    def tool_at(self, fields: Sequence[str] = XY) -> np.ndarray:
        """Fields (E, N, H, n) of the tool that are imagined."""
        return self.state.readout.of(self.readout, "tool", fields)

    def object_start(self, fields: Sequence[str] = XY, slot: int = 0) -> np.ndarray:
        """Fields (N or 1, n) of one object where was imagined from."""
        return self.state.readout.of(self.start, "object", fields, slot)

    def tool_start(self, fields: Sequence[str] = XY) -> np.ndarray:
        """Fields (N or 1, n) of the tool where was imagined from."""
        return self.state.readout.of(self.start, "tool", fields)

    def mean_object(self, fields: Sequence[str] = XY, slot: int = 0) -> np.ndarray:
        """Ensemble mean of one object's fields (N, H, n)."""
        return self.object(fields, slot).mean(0)

    def mean_tool(self, fields: Sequence[str] = XY) -> np.ndarray:
        """Ensemble mean of the tool's fields (N, H, n)."""
        return self.tool_at(fields).mean(0)

    def epistemic_std(self, slot: int = 0) -> np.ndarray:
        """Disagreement of the ensemble about one object's position (N, H) [m]: root of the largest axis variance."""
        return np.sqrt(self.object(self.state.position, slot).var(0).max(-1))

    def total_std(self, slot: int = 0) -> np.ndarray:
        """Disagreement and predictive noise together (N, H) [m]."""
        axes = self.state.position
        return np.sqrt((self.object(axes, slot).var(0) + self.object_variance(axes, slot).mean(0)).max(-1))
