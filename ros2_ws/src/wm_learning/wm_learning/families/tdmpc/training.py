"""Training of the tdmpc family.

First from maps: the prediction of each later step must meet its own embedding (without gradient, as in TD-MPC2), and reward and
position must be readable. Then, on embeddings, longer horizons, and what each imagined state is worth for goals drawn in
hindsight: the data was collected without any goal, so every step is a lesson for all of them.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from wm_learning.families.base import FEATURES, OBJECT, STATE, VISIBILITY
from wm_learning.families.parts import latent_of
from wm_learning.families.returns import bin_loss, expected
from wm_learning.families.tdmpc.model import TdmpcModel
from wm_learning.families.training import Training
from wm_learning.training.losses import gaussian_nll, millimetres, position_loss, weighted_mean
from wm_learning.training.trainer import Draw
from wm_planner.costs import CostModel
from wm_tasks.settings import OBJECT_REGION, REACH, TASK


class TdmpcTraining(Training):
    model: TdmpcModel

    def sequence_parameters(self) -> Iterable[nn.Parameter]:
        model = self.model
        heads = [parameter for parameter in model.heads.parameters() if parameter.requires_grad]
        return [*model.dynamics.parameters(), *model.belief.parameters(), *heads]

    def image_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Predict the states of all steps of a window from its first; read position and reward."""
        model, config, images = self.model, self.model.config, self.images
        first = draw.rng.choice(self.image_starts, images.batch)
        window = first[:, None] + np.arange(images.horizon + 1)
        view = self.look(draw, window)
        goals = draw.mine(self._goals(draw, first))
        window = draw.mine(window)
        batch, length = window.shape
        embedding = model.encode(view.maps)
        error = embedding[:, OBJECT] - view.object
        see = weighted_mean(position_loss(error), 0.02 + view.share.clamp(max=1))
        picture = self.picture_loss(view.first(batch), embedding[:batch, FEATURES].detach(), view.share[:batch])

        states = embedding[:, FEATURES].view(length, batch, -1)
        start = latent_of(view.object[:batch], self.proprio(window[:, 0]), states[0])
        following = window[:, 1:]
        latents, variances = model.imagine(start[None], self.actions(following))
        aim = states[1:].permute(1, 0, 2).detach()
        consistency = ((latents[..., STATE] - aim[None]) ** 2).mean()
        off = latents[..., OBJECT] - self.object(following)
        whole = torch.cat([start[None, :, None].expand(len(latents), -1, -1, -1), latents], 2)
        reward = self._reward_loss(whole, following, goals)
        loss = (
            see
            + self.certainty_loss(embedding, view)
            + 20 * picture
            + config.consistency * consistency
            + config.values.weight * reward
            + position_loss(off).mean()
            + self.tool_loss(latents, following)
            + 0.3 * gaussian_nll(off, variances).mean()
        )
        report = {
            "see": millimetres(error[view.share > 0.5]),
            "predict": millimetres(off[:, :, -1]),
            "consistency": consistency.item(),
            "reward": reward.item(),
            "picture": picture.item(),
        }
        return loss, report

    def sequence_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Filter through the first embeddings, predict from the belief, and judge what was imagined."""
        model, config = self.model, self.model.config
        goals = draw.mine(self._goals(draw, starts))
        loss, report, latents, following = self._predict(draw, starts)
        worth, numbers = self._worth(latents, following, goals)
        if torch.is_grad_enabled():
            model.heads.follow(config.values.follow)
        return loss + config.values.weight * worth, {**report, **numbers}

    def held_out_loss(self, draw: Draw, starts: np.ndarray) -> Tensor:
        """Of the predictions: what states are worth changes with the policy, so that its loss says little."""
        return self._predict(draw, starts)[0]

    def _predict(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float], Tensor, np.ndarray]:
        """Loss and numbers of filter and prediction, latents (members, b, 1 + H, L) from the belief on, and the steps (b, H) after it."""
        model, config = self.model, self.model.config
        filtered = torch.zeros((), device=draw.device)
        for now in self.filtered(draw, starts):
            off = now.mean[:, OBJECT] - now.object
            filtered = filtered + position_loss(off).clamp(max=20).mean()
            filtered = filtered + 0.3 * gaussian_nll(off, now.variance[:, OBJECT]).clamp(max=50).mean()
        following = self.following(now.steps)
        latents, variances = model.imagine(now.mean[None], self.actions(following))
        aim = draw.tensor(self.embeddings[0][torch.from_numpy(following)])
        seen = torch.sigmoid(aim[..., VISIBILITY])[None].expand(model.sizes.members, -1, -1)
        consistency = weighted_mean(((latents[..., STATE] - aim[None, ..., FEATURES]) ** 2).mean(-1), seen)
        error = latents[..., OBJECT] - self.object(following)
        loss = (
            0.2 * filtered / self.sequences.burn_in
            + config.consistency * consistency
            + position_loss(error).mean()
            + self.tool_loss(latents, following)
            + 0.3 * gaussian_nll(error, variances + now.variance[:, None, OBJECT]).mean()
        )
        report = {"filter": millimetres(off), "predict": millimetres(error[:, :, -1])}
        whole = torch.cat([now.mean[None, :, None].expand(len(latents), -1, -1, -1), latents], 2)
        return loss, {**report, "consistency": consistency.item()}, whole, following

    # -- worth ---------------------------------------------------------------------------------------------------

    def _worth(self, latents: Tensor, following: np.ndarray, goals: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Losses of reward, critics and policy on latents (members, b, 1 + H, L); a member each for a third of the sequences."""
        heads, values = self.model.heads, self.model.config.values
        goal = self.tensor(np.repeat(goals[:, None], following.shape[1], 1)).flatten(0, 1)
        action = self.actions(following).flatten(0, 1)
        member = torch.arange(latents.shape[1]) % len(latents)
        chosen = latents[member, torch.arange(latents.shape[1])].detach()  # (b, 1 + H, L)
        state, following_state = chosen[:, :-1].flatten(0, 1), chosen[:, 1:].flatten(0, 1)
        reward = self._rewards(following, goals).flatten()
        with torch.no_grad():
            act = heads.act(following_state, goal)
            target = reward + values.discount * expected(heads.values(following_state, act, goal, slow=True)).amin(0)
        logits = heads.values(state, action, goal)
        value = bin_loss(logits, target.expand(len(logits), -1)).mean()
        for parameter in heads.critics.parameters():  # the policy climbs the critics, they do not meet it
            parameter.requires_grad_(False)
        worth = expected(heads.values(state, heads.act(state, goal), goal)).mean(0)
        for parameter in heads.critics.parameters():
            parameter.requires_grad_(True)
        policy = -(worth / (worth.detach().std() + 1)).mean()
        numbers = {"value": value.item(), "worth": worth.mean().item()}
        return self._reward_loss(latents, following, goals) + value + policy, numbers

    def _reward_loss(self, latents: Tensor, following: np.ndarray, goals: np.ndarray) -> Tensor:
        """Cross entropy of the rewards of all steps from latents (members, b, 1 + H, L)."""
        members, batch, length = latents.shape[:3]
        count = members * batch * (length - 1)
        goal = self.tensor(goals)[None, :, None].expand(members, -1, length - 1, -1).reshape(count, 2)
        action = self.actions(following)[None].expand(members, -1, -1, -1).reshape(count, 2)
        reward = self._rewards(following, goals)[None].expand(members, -1, -1).reshape(count)
        logits = self.model.heads.reward(latents[:, :, :-1].reshape(count, -1), action, goal)
        return bin_loss(logits, reward).mean()

    def _rewards(self, following: np.ndarray, goals: np.ndarray) -> Tensor:
        """Rewards (b, H) of arriving at steps (b, H) of the dataset: minus what the planner's cost says of them."""
        object_xy, tool = self.data.object_xy[following], self.data.tool_xy[following]
        costs = CostModel(TASK, REACH).place_terms(object_xy, tool, goals[:, None])
        return self.tensor(-np.sum(list(costs.values()), axis=0, dtype=np.float32))

    def _goals(self, draw: Draw, steps: np.ndarray) -> np.ndarray:
        """Goals (b, 2) [m]: half of them near where the object is, so that arriving is seen as well."""
        anywhere = draw.rng.uniform(OBJECT_REGION[0], OBJECT_REGION[1], (len(steps), 2))
        near = self.data.object_xy[steps] + draw.rng.normal(0, 0.04, (len(steps), 2))
        return np.where(draw.rng.random((len(steps), 1)) < 0.5, anywhere, near).astype(np.float32)
