"""A model in which nothing moves: what planning is worth without prediction."""

import numpy as np

from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneFutures
from wm_sim.scene_task import LIMIT


class StillModel:
    """As SceneModel, with one member."""

    horizon, limit = 12, LIMIT

    def imagine(
        self,
        belief: SceneBelief,
        tool: np.ndarray,
        moves: np.ndarray,
        before: np.ndarray | None = None,
        *,
        every: bool = False,
    ) -> SceneFutures:
        count, steps = moves.shape[:2]
        states = np.broadcast_to(belief.state, (1, count, steps, *belief.state.shape))
        path = np.asarray(tool, float).reshape(-1, 1, 6) + np.cumsum(moves, 1)
        return SceneFutures(states, np.zeros((*states.shape[:-1], 2)), np.zeros(states.shape[:-1]), path)
