"""The graph that the robot runs imagines exactly what the trained dynamics do."""

import torch

from wm_learning.families.grounded import GroundedModel
from wm_learning.families.grounded.rollout import FoldedRollout


def test_folding_changes_nothing():
    torch.manual_seed(0)
    model = GroundedModel().eval()
    for parameter in model.dynamics.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)  # biases start at zero
    latent = 0.3 * torch.randn(1, 1, model.sizes.latent)
    actions = 2 * torch.rand(5, 12, 2) - 1
    with torch.no_grad():
        latents, variances = model.dynamics.rollout(latent.expand(model.sizes.members, 5, -1), actions)
        readout, variance, final = FoldedRollout(model.dynamics)(latent, actions)
    torch.testing.assert_close(readout, latents[..., 0:4], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(variance, variances, rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(final, latents[:, :, -1], rtol=1e-4, atol=1e-4)
