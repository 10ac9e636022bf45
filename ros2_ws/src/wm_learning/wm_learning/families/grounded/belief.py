"""Belief filter: a Kalman filter whose prediction, process noise and measurement noise are learned.

Kalman 1960, diagonal covariance; the measurement noise is the encoder's own variance, the process noise the ensemble's
predictive variance plus its disagreement. An unseen object keeps its prediction.
"""

import torch
from torch import Tensor, nn

from wm_learning.families.base import OBJECT
from wm_learning.families.grounded.dynamics import CODE, EnsembleDynamics

UNSEEN_VARIANCE = 1.0  # [m^2] measurement variance of an invisible object


class BeliefFilter(nn.Module):
    def __init__(self, dynamics: EnsembleDynamics, code: int) -> None:
        super().__init__()
        self.dynamics = dynamics
        self.log_floor = nn.Parameter(
            torch.tensor(-14.0)
        )  # encoder errors repeat from frame to frame: never trust one fully
        self.log_code_process = nn.Parameter(torch.full((code,), -5.0))
        self.log_code_measurement = nn.Parameter(torch.full((code,), -3.0))

    def forward(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step for a batch.

        mean, variance (b, L); action (b, 2) executed since the last step; embedding (b, D); proprio (b, 4) = tool xy and
        commanded tool xy [m] -> mean, variance (b, L), predicted object (b, 2), its variance (b, 2), surprise (b,).
        """
        latents, predictive = self.dynamics(mean.expand(self.dynamics.members, -1, -1), action)
        predicted = latents.mean(0)
        spread = ((latents[..., OBJECT] - predicted[..., OBJECT]) ** 2).mean(0)
        prior = variance[..., OBJECT] + predictive.mean(0) + spread
        visible = torch.sigmoid(embedding[:, 4:5])
        noise = torch.exp(embedding[:, 2:4]) + torch.exp(self.log_floor) + UNSEEN_VARIANCE * (1 - visible) ** 4
        innovation = embedding[:, 0:2] - predicted[:, OBJECT]
        gain = prior / (prior + noise)
        code_prior = variance[..., CODE] + torch.exp(self.log_code_process)
        code_noise = (
            torch.exp(self.log_code_measurement)
            + 10.0 * (1 - visible) ** 2
            + 10.0 * torch.exp(embedding[:, 2:4]).sum(-1, keepdim=True)
        )
        code_gain = code_prior / (code_prior + code_noise)
        tool, target = proprio[:, 0:2], proprio[:, 2:4]
        mean = torch.cat(
            [
                predicted[:, OBJECT] + gain * innovation,
                tool,
                target - tool,
                predicted[:, CODE] + code_gain * (embedding[:, 5:] - predicted[:, CODE]),
            ],
            -1,
        )
        known = torch.full_like(tool, 1e-8)
        variance = torch.cat([(1 - gain) * prior, known, known, (1 - code_gain) * code_prior], -1)
        surprise = 0.5 * visible[:, 0] * (innovation**2 / (prior + noise)).sum(-1)
        return mean, variance, predicted[:, OBJECT], prior, surprise
