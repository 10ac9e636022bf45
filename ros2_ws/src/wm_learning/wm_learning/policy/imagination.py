"""A world to act in that is made of the model: many latents at once, each moved by a member of the ensemble of its own."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wm_learning.families.base import OBJECT, WorldModel
from wm_tasks.settings import OBJECT_REGION, TASK

Act = Callable[[Tensor, Tensor], Tensor]  # latents (n, L), goals (n, 2) [m] -> actions (n, 2)


class Imagination:
    """Steps latents (n, L) under actions (n, 2); with gradient where the caller wants one."""

    def __init__(self, model: WorldModel, members: np.ndarray) -> None:
        """`members` (n,): which member of the ensemble moves each latent."""
        self.model = model.eval().requires_grad_(False)
        self._members = torch.from_numpy(np.asarray(members, np.int64) % model.sizes.members)
        self._rows = torch.arange(len(members))

    def step(self, latent: Tensor, action: Tensor) -> Tensor:
        """The next latents (n, L)."""
        return self.model.rollout(latent[None], action[:, None])[2][self._members, self._rows]

    @torch.no_grad()
    def success(self, act: Act, latent: Tensor, goal: Tensor, steps: int) -> float:
        """Share of latents (n, L) from which a policy brings the object to its goal (n, 2) within `steps` steps."""
        arrived = torch.zeros(len(latent), dtype=torch.bool)
        for _ in range(steps):
            latent = self.step(latent, act(latent, goal))
            arrived |= torch.linalg.vector_norm(latent[:, OBJECT] - goal, dim=-1) < TASK.success.tolerance
        return float(arrived.float().mean())


def draw_goals(rng: np.random.Generator, object_xy: np.ndarray) -> np.ndarray:
    """Goals (n, 2) float32 [m] for objects at (n, 2): anywhere, or one in three near, so that arriving is practised as well."""
    anywhere = rng.uniform(OBJECT_REGION[0], OBJECT_REGION[1], (len(object_xy), 2))
    near = np.clip(object_xy + rng.normal(0, 0.03, (len(object_xy), 2)), OBJECT_REGION[0], OBJECT_REGION[1])
    return np.where(rng.random((len(object_xy), 1)) < 1 / 3, near, anywhere).astype(np.float32)
