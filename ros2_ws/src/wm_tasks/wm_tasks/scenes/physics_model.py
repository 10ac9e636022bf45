"""The simulator itself in the learned model's place: the ceiling of what planning with a model can reach, at its price."""

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.object_state import POSITION, ROTATION, STATE, VELOCITY
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneFutures
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, PERIOD
from wm_sim.tool_driver import ToolDriver


class PhysicsModel:
    """Imagines by stepping the scene of a SceneSim and putting it back; it knows shapes, friction and masses."""

    def __init__(self, sim: SceneSim, period: float = PERIOD, horizon: int = 12) -> None:
        self._sim, self._driver, self.horizon = sim, ToolDriver(sim, period), horizon
        self.limit = LIMIT

    def imagine(
        self,
        belief: SceneBelief,
        tool: np.ndarray,
        moves: np.ndarray,
        before: np.ndarray | None = None,
        *,
        every: bool = False,
    ) -> SceneFutures:
        """As SceneModel.imagine, with one member. Objects start where they are believed."""
        count, steps = moves.shape[:2]
        states = np.zeros((1, count, steps, belief.slots, STATE))
        contacts = np.zeros((1, count, steps, belief.slots))
        tools = np.broadcast_to(tool, (count, 6))
        self._driver.anchor()
        with self._driver.saved() as back:
            for number in range(count):
                self._put(belief)
                if np.abs(tools[number] - self._driver.commanded.values).max() > 1e-4:
                    self._driver.teleport(tools[number])
                for step in range(steps):
                    self._driver.move(moves[number, step])
                    scene = self._sim.scene
                    states[0, number, step] = np.concatenate([scene.position, scene.rotation, scene.velocity], -1)
                    contacts[0, number, step] = self._sim.touched()[0]
                back()
        path = tools[:, None] + np.cumsum(moves, 1)
        return SceneFutures(states, np.zeros((*states.shape[:-1], 2)), contacts, path)

    def _put(self, belief: SceneBelief) -> None:
        for slot in range(belief.slots):
            rotation = Rotation.from_quat(belief.state[slot, ROTATION]).as_matrix()
            self._sim.put(slot, belief.state[slot, POSITION], rotation, belief.state[slot, VELOCITY])
