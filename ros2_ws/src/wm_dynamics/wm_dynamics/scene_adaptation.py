"""How an object resists, from how it moved: friction and mass that explain what was seen best, among some that are possible.

A grid of codes for each object is weighed by what each predicts of the last steps (after AdaptiGraph, Zhang et al. 2024).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from wm_core.object_state import POSITION
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneModel

FRICTION = np.log([0.2, 0.5, 1.0, 2.0, 4.0])  # over the usual one
MASS = np.log([0.3, 1.0, 4.0])
GRID = np.array([(friction, mass) for friction in FRICTION for mass in MASS])  # (C, 2)
USUAL = np.exp(-0.5 * (GRID / [0.5, 0.7]) ** 2).prod(-1)  # how likely each is at first
WINDOW = 8  # steps that are explained at once
MOVED = 0.012  # [m] that an object must have moved in them
ERROR = 0.006  # [m] by which the right code may be wrong
FORGET = 0.9  # of what was learned before, with each window


@dataclass(frozen=True)
class _Step:
    state: np.ndarray  # (K, 13)
    tool: np.ndarray  # (6,)
    move: np.ndarray  # (6,)
    before: np.ndarray  # (6,)


class SceneAdaptation:
    """Codes of all objects of a scene, step by step."""

    def __init__(self, model: SceneModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Nothing is known of the objects any more."""
        self._steps: deque[_Step] = deque(maxlen=WINDOW)
        self._evidence: np.ndarray | None = None

    def update(self, belief: SceneBelief, tool: np.ndarray, move: np.ndarray, before: np.ndarray) -> np.ndarray:
        """The codes (K, 2) as far as is known; `belief`: before `move` (6,) of the tool from `tool` (6,)."""
        count = belief.slots
        if self._evidence is None or len(self._evidence) != count:
            self.reset()
            self._evidence = np.tile(np.log(USUAL), (count, 1))
        if len(self._steps) == WINDOW:
            moved = np.linalg.norm(belief.position - self._steps[0].state[:, POSITION], axis=1) > MOVED
            if moved.any():
                self._weigh(belief, np.flatnonzero(moved))
                self._steps.clear()
        self._steps.append(_Step(belief.state.copy(), np.array(tool), np.array(move), np.array(before)))
        weight = np.exp(self._evidence - self._evidence.max(1, keepdims=True))
        return (weight / weight.sum(1, keepdims=True)) @ GRID

    def _weigh(self, belief: SceneBelief, slots: np.ndarray) -> None:
        assert self._evidence is not None
        first = self._steps[0]
        moves = np.stack([step.move for step in self._steps])
        codes = np.broadcast_to(belief.code, (len(GRID), belief.slots, 2)).copy()
        codes[:, slots] = GRID[:, None]
        predicted = self._model.with_codes(belief.at(first.state), first.tool, moves, first.before, codes)[:, -1]
        for slot in slots:
            off = np.linalg.norm(predicted[:, slot, POSITION] - belief.position[slot], axis=-1)
            self._evidence[slot] = FORGET * self._evidence[slot] - 0.5 * (off / ERROR) ** 2
            self._evidence[slot] -= self._evidence[slot].max()
