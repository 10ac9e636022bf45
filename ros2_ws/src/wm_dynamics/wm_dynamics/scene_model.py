"""Imagining futures of a scene with a bundle: many candidates in one call of one graph."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wm_core.object_state import STATE, VELOCITY
from wm_core.scene_bundle import STILL, SceneBundle
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_concern import concerned, near_pairs


@dataclass(frozen=True)
class SceneFutures:
    """N candidates of H steps as E members see them; SI units, table frame."""

    states: np.ndarray  # (E, N, H, K, 13)
    variances: np.ndarray  # (E, N, H, K, 2) of position and rotation
    contacts: np.ndarray  # (E, N, H, K) probabilities that the tool touches
    tool: np.ndarray  # (N, H, 6) tool states


class SceneDynamics(Protocol):
    """What planning needs of a model: the learned one, or another in its place."""

    @property
    def horizon(self) -> int: ...

    @property
    def limit(self) -> np.ndarray: ...

    def imagine(
        self,
        belief: SceneBelief,
        tool: np.ndarray,
        moves: np.ndarray,
        before: np.ndarray | None = None,
        *,
        every: bool = False,
    ) -> SceneFutures: ...


class SceneModel:
    """Futures by a SceneBundle over a table with lower and upper corner (4,) [m].

    The graph sees the objects that a candidate can change; the others stay where they are. So its cost goes with how many are
    near, not with how many there are.
    """

    def __init__(self, bundle: SceneBundle, table: np.ndarray, tool_speed: float = 0.0) -> None:
        """`tool_speed` [m/s]: of the tool at most, 0: as fast as the bundle has learned."""
        self.bundle = bundle
        fastest = float(np.hypot(bundle.limit[0], bundle.limit[2])) / bundle.step_duration
        self._limit = bundle.limit * (min(1.0, tool_speed / fastest) if tool_speed else 1.0)
        self._table = np.asarray(table, np.float32).reshape(1, 1, 4)

    @property
    def horizon(self) -> int:
        """Most steps of a call."""
        return self.bundle.horizon

    @property
    def limit(self) -> np.ndarray:
        """(6,) largest displacement of the tool in a step."""
        return self._limit

    def imagine(
        self,
        belief: SceneBelief,
        tool: np.ndarray,
        moves: np.ndarray,
        before: np.ndarray | None = None,
        *,
        every: bool = False,
    ) -> SceneFutures:
        """Under displacements `moves` (N, H, 6) [m, rad] of the tool from `tool` (6,) or (N, 6); `before`: of the step before.

        Each candidate by one member (E = 1, they take turns), or `every` candidate by all members.
        """
        members, (count, steps) = self.bundle.ensemble, moves.shape[:2]
        groups = count if every else -(-count // members)
        graph, length = ("step", 1) if steps == 1 else ("rollout", self.horizon)
        padded = np.zeros((groups if every else groups * members, length, 6), np.float32)
        padded[:count, :steps] = moves
        tools = np.zeros((len(padded), 6), np.float32)
        tools[:] = tool[-1] if np.ndim(tool) > 1 else tool
        tools[:count] = tool

        def spread(values: np.ndarray) -> np.ndarray:
            """(N, ...) -> (E, M, ...): candidates take turns among members, or all have all."""
            if every:
                return np.broadcast_to(values, (members, *values.shape))
            return np.swapaxes(values.reshape(groups, members, *values.shape[1:]), 0, 1)

        result = self._run(
            graph,
            belief,
            concerned(belief, self.bundle.hand, tool, moves),
            belief.code[None, None],
            moves=np.ascontiguousarray(spread(padded).transpose(2, 0, 3, 1)),
            tool=np.ascontiguousarray(spread(tools).transpose(0, 2, 1)),
            before=np.zeros((1, 6, 1), np.float32) if before is None else before.reshape(1, 6, 1).astype(np.float32),
        )

        def gathered(values: np.ndarray) -> np.ndarray:
            """(E, M, H, ...) -> (E or 1, N, H, ...)."""
            if not every:
                values = np.swapaxes(values, 0, 1).reshape(1, groups * members, *values.shape[2:])
            return values[:, :count, :steps]

        tool_states = np.asarray(tool, float).reshape(-1, 1, 6) + np.cumsum(moves, 1)
        return SceneFutures(
            gathered(result["states"].transpose(1, 4, 0, 3, 2)),
            gathered(result["variances"].transpose(1, 4, 0, 3, 2)),
            gathered(result["contacts"].transpose(1, 3, 0, 2)),
            tool_states,
        )

    def with_codes(
        self, belief: SceneBelief, tool: np.ndarray, moves: np.ndarray, before: np.ndarray, codes: np.ndarray
    ) -> np.ndarray:
        """States (C, H, K, 13), the members' mean, under moves (H, 6) if objects had codes (C, K, 2)."""
        members, steps = self.bundle.ensemble, len(moves)
        padded = np.zeros((self.horizon, members, 6, len(codes)), np.float32)
        padded[:steps] = moves[:, None, :, None]
        result = self._run(
            "rollout",
            belief,
            concerned(belief, self.bundle.hand, tool, moves[None]),
            codes[None],
            moves=padded,
            tool=tool.reshape(1, 6, 1).astype(np.float32),
            before=before.reshape(1, 6, 1).astype(np.float32),
        )
        return result["states"][:steps].mean(1).transpose(3, 0, 2, 1)

    def _run(
        self, graph: str, belief: SceneBelief, slots: np.ndarray, code: np.ndarray, **inputs: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The graph's outputs for all objects, imagined for those in `slots` only; `code` (1, m, K, 2)."""
        steps, members, _, count = inputs["moves"].shape
        still = belief.state.T.astype(np.float32)
        still[VELOCITY] = 0.0
        spread = np.exp(STILL) * np.arange(1, steps + 1, dtype=np.float32)
        states = np.empty((steps, members, STATE, belief.slots, count), np.float32)
        variances = np.empty((steps, members, 2, belief.slots, count), np.float32)
        contacts = np.zeros((steps, members, belief.slots, count), np.float32)
        states[:], variances[:] = still[..., None], spread[:, None, None, None, None]
        if len(slots):
            imagined = self.bundle.run(graph, **self._facts(belief.only(slots), code[:, :, slots]), **inputs)
            states[:, :, :, slots], variances[:, :, :, slots] = imagined["states"], imagined["variances"]
            contacts[:, :, slots] = imagined["contacts"]
        return {"states": states, "variances": variances, "contacts": contacts}

    def _facts(self, belief: SceneBelief, code: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs that all candidates share; `code` (1, m, K, 2)."""
        return {
            "state": np.ascontiguousarray(belief.state.T.reshape(1, STATE, belief.slots, 1), np.float32),
            "outline": belief.outline[None, None].astype(np.float32),
            "height": belief.height[None, None].astype(np.float32),
            "code": np.ascontiguousarray(code, np.float32),
            "table": self._table,
            "pairs": near_pairs(belief),
        }
