"""The rollout graph that the robot runs: folded, with the numbers of EnsembleDynamics.rollout."""

import torch

from wm_learning.families.base import LAG, OBJECT, TOOL
from wm_learning.families.folded import Folded
from wm_learning.families.grounded.dynamics import (
    CODE_SCALE,
    MOTION_SCALE,
    RELATIVE_SCALE,
    EnsembleDynamics,
)


class FoldedRollout(Folded):
    def __init__(self, dynamics: EnsembleDynamics) -> None:
        code, scale = dynamics.network.input.weight.shape[1] - 6, dynamics.action_scale
        latent = 6 + code
        codes, action = slice(6, latent), slice(latent + 2, latent + 4)
        eye = torch.eye(2)
        # State -> input of the network.
        prepare = torch.zeros(latent + 5, 6 + code)
        prepare[OBJECT, 0:2], prepare[TOOL, 0:2] = eye / RELATIVE_SCALE, -eye / RELATIVE_SCALE
        prepare[LAG, 2:4] = eye / scale
        prepare[action, 4:6] = eye
        prepare[codes, 6:] = torch.eye(code)
        # State -> next latent and variance logits, without the network's part.
        carry = torch.zeros(latent + 5, latent + 2)
        carry[OBJECT, OBJECT], carry[TOOL, TOOL], carry[LAG, TOOL] = eye, eye, eye
        carry[action, TOOL] = scale * eye
        carry[codes, codes] = torch.eye(code)
        # Output of the network -> next latent and variance logits.
        apply = torch.zeros(6 + code, latent + 2)
        apply[0:2, OBJECT] = MOTION_SCALE * eye
        apply[2:4, LAG], apply[2:4, TOOL] = scale * eye, -scale * eye
        apply[4:6, latent : latent + 2] = eye
        apply[6:, codes] = CODE_SCALE * torch.eye(code)
        super().__init__(dynamics.network, prepare, carry, apply)
