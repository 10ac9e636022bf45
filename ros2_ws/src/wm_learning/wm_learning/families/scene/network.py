"""An ensemble of interaction networks: what a step of the tool does to every object, alone and through each other.

Each object is seen from its own heading. First each is moved as if it were alone; then messages between neighbours, which know of
those moves, put that right (after Battaglia et al. 2016, and the prototypes in docs/scenes.md). What nothing touches stays.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_core.hand import Hand
from wm_core.scene_bundle import NEAR, STILL
from wm_core.solid import POINTS
from wm_learning.families.scene.config import SceneConfig
from wm_learning.families.scene.geometry import (
    Boxes,
    Lines,
    Pose,
    Shape,
    Tool,
    apart,
    displaced,
    lines,
    supports,
    touches,
)

CODE = 2  # inputs about what an object is made of: logarithms of friction and mass
STEP = 0.1  # [s]
ROOM = 0.02  # [m] between two objects within which they may touch
SCALE = (0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 2.0, 2.0, 2.0)  # of what is predicted
STATIC = 2 * POINTS + 1 + CODE
UNTOUCHED = -8.0  # logit of contact of what nothing is near to
# By what the inputs about an object are multiplied: of each of three boxes the gap, coarse and fine, and place and normal; ...
INPUT_SCALE = (
    *(30.0,) * 3,
    *(200.0,) * 3,
    *(20.0, 20.0, 1.0, 1.0) * 3,
    *(10.0, 40.0, 40.0, 4.0, 0.4)
    * 2,  # ahead and to the left: of the tool, its move, the one before, velocity, angular velocity
    *(10.0, 40.0, 5.0, 5.0, 40.0, 40.0, 5.0, 40.0),  # the tool's height; the rest of its move; that of the one before
    *(1.0, 1.0, 1.0, 1.0, 1.0, 20.0),  # the hand's turn, as it looks the same after half of one; its pitch, opening
    *(4.0, 0.4, 2.0, 2.0, 20.0),  # velocity upwards, turning; tilt; height over the table
    *(1.0, 1.0, 1.0),  # over an edge
)
# The inputs about a pair: the gap, coarse and fine; ahead and to the left: where the other is, its move, its velocity; ...
PAIR_SCALE = (30.0, 200.0, *(10.0, 40.0, 4.0) * 2, 10.0, 40.0, 40.0, 1.0, 1.0, 40.0, 5.0, 4.0, 0.4)
OWN, BETWEEN = len(INPUT_SCALE), len(PAIR_SCALE)
CLIP_GAP, CLIP_NEAR = (-0.03, 0.06), (-0.0075, 0.0075)  # [m] of gaps, coarse and fine


class EnsembleLinear(nn.Module):
    """One linear layer for each member: (E, inputs, n) -> (E, outputs, n)."""

    def __init__(self, members: int, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain * math.sqrt(3 / inputs)
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, self.weight, x)


class SceneNetwork(nn.Module):
    """Predicts states of objects step by step."""

    family = "scene"
    _boxes: Tensor
    _scale: Tensor
    _input_scale: Tensor
    _pair_scale: Tensor

    def __init__(self, config: SceneConfig, hand: Hand) -> None:
        super().__init__()
        self.config = config
        members, hidden, messages = config.members, config.hidden, config.messages
        self.about = EnsembleLinear(members, STATIC, hidden)
        self.first = EnsembleLinear(members, OWN, hidden)
        self.second = EnsembleLinear(members, hidden, hidden)
        self.third = EnsembleLinear(members, hidden, hidden)
        self.alone = EnsembleLinear(members, hidden, len(SCALE) + 3, 0.1)
        self.about_receiver = EnsembleLinear(members, STATIC, messages)
        self.about_sender = EnsembleLinear(members, STATIC, messages)
        self.of_sender = EnsembleLinear(members, hidden, messages)
        self.between = EnsembleLinear(members, BETWEEN, messages)
        self.sent = EnsembleLinear(members, messages, messages)
        self.heard = EnsembleLinear(members, hidden + messages, hidden)
        self.changed = EnsembleLinear(members, hidden, len(SCALE) + 3, 0.1)
        finger, palm = hand.finger.tolist(), hand.palm.tolist()
        px, py, pz = hand.palm_position.tolist()
        boxes = (  # x, y, z, opens, half extents
            (0.0, finger[1] / 2, hand.finger_z, 1.0, *(side / 2 for side in finger)),
            (0.0, -finger[1] / 2, hand.finger_z, -1.0, *(side / 2 for side in finger)),
            (px, py, pz, 0.0, *(side / 2 for side in palm)),
        )
        self.register_buffer("_boxes", torch.tensor(boxes).t().reshape(7, 1, 3, 1, 1, 1), persistent=False)
        self.register_buffer("_scale", torch.tensor(SCALE).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("_input_scale", torch.tensor(INPUT_SCALE).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("_pair_scale", torch.tensor(PAIR_SCALE).view(1, -1, 1, 1), persistent=False)

    def forward(
        self,
        state: Tensor,
        moves: Tensor,
        tool: Tensor,
        before: Tensor,
        outline: Tensor,
        height: Tensor,
        code: Tensor,
        table: Tensor,
        pairs: Tensor,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Futures of M candidates by E members.

        `state` (E, 13, K, M); `moves` (H, E, 6, M): displacements of the tool [m, rad]; `tool` (E, 6, M): before them; `before`
        (E, 6, M): the displacement of the step before. `outline` (e, m, K, P, 2), `height` (e, m, K), `code` (e, m, K, 2), `table`
        (e, m, 4), e in {1, E}, m in {1, M}. `pairs` (2, R): slots of objects that may move each other, receiver and sender.
        `present` (e, M, K): which slots count, None: all.

        Returns states (H, E, 13, K, M), logarithms of variances of position and rotation (H, E, 2, K, M), and logits of
        contact with the tool (H, E, K, M).
        """
        shape = Shape.of(outline, height)
        about = self._about(outline, height, code)
        static = self.about(about)
        slots, count = state.shape[2], state.shape[3]
        facts = [
            each.reshape(self.config.members, size, slots, -1)
            for each, size in (
                (static, self.config.hidden),
                (self.about_receiver(about), self.config.messages),
                (self.about_sender(about), self.config.messages),
            )
        ]
        here = None if present is None else present.transpose(1, 2).to(state.dtype)  # (e, K, M)
        states, variances, contacts = [], [], []
        spread = torch.zeros_like(state[:, :2])
        for step in range(moves.shape[0]):
            after = tool + moves[step]
            state, growth, contact = self._step(
                state, tool, after, moves[step], before, shape, facts, table, pairs, here, slots, count
            )
            spread = spread + growth.exp()
            states.append(state)
            variances.append(spread.log())
            contacts.append(contact)
            tool, before = after, moves[step]
        return torch.stack(states), torch.stack(variances), torch.stack(contacts)

    # -- one step ------------------------------------------------------------------------------------------------

    def _step(
        self,
        state: Tensor,
        tool: Tensor,
        after: Tensor,
        move: Tensor,
        before: Tensor,
        shape: Shape,
        facts: list[Tensor],
        table: Tensor,
        pairs: Tensor,
        here: Tensor | None,
        slots: int,
        count: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        pose = Pose.of(state)
        side = lines(shape, pose)
        own, near = self._own(state, pose, side, shape, tool, after, move, before, table)
        members, size = self.config.members, self.config.hidden
        hidden = self.first(own.reshape(members, OWN, slots * count)).reshape(members, size, slots, count) + facts[0]
        hidden = functional.relu(hidden).reshape(members, size, slots * count)
        hidden = functional.relu(self.third(functional.relu(self.second(hidden))))
        moving = state[:, 7:10].square().sum(1) * 400 + state[:, 10:].square().sum(1) * 4
        active = torch.maximum(near, (moving * 4).clamp(max=1)).unsqueeze(1)
        out = self.alone(hidden).reshape(members, len(SCALE) + 3, slots, count) * active
        change, gate = self._messages(state, pose, side, shape, out, hidden, facts, pairs, here, slots, count)
        out = out + change * gate
        active = torch.maximum(active, gate)
        moved = out[:, : len(SCALE)] * self._scale
        if here is not None:
            moved = moved * here.unsqueeze(1)
        growth = torch.where(active > 0, out[:, 12:14].clamp(-6, 6) - 9.0, torch.full_like(out[:, 12:14], STILL))
        touches = torch.where(active[:, 0] > 0, out[:, 14], torch.full_like(out[:, 14], UNTOUCHED))
        return displaced(state, pose, moved, active), growth, touches

    def _own(
        self,
        state: Tensor,
        pose: Pose,
        side: Lines,
        shape: Shape,
        tool: Tensor,
        after: Tensor,
        move: Tensor,
        before: Tensor,
        table: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The inputs about each object (E, OWN, K, M), and how near the hand is to it (E, K, M): 1 touches, 0 does not matter."""
        end, slots = Tool.of(after), pose.x.shape[1]
        gaps, places = touches(shape, pose, side, end, Boxes(*self._boxes))
        near = ((NEAR - gaps.amin(1)) * 100).clamp(0, 1)
        move, before = (each.unsqueeze(2).expand(-1, -1, slots, -1) for each in (move, before))
        dx, dy = end.x - pose.x, end.y - pose.y
        ahead, left = pose.turned_back(
            torch.stack([dx, move[:, 0], before[:, 0], state[:, 7], state[:, 10]]),
            torch.stack([dy, move[:, 1], before[:, 1], state[:, 8], state[:, 11]]),
        )
        cos, sin = pose.cos * end.cos + pose.sin * end.sin, pose.sin * end.cos - pose.cos * end.sin
        more = [
            end.z - pose.z,
            *move[:, 2:].unbind(1),
            *(before[:, axis] for axis in (2, 3, 5)),
            cos * cos - sin * sin,
            2 * cos * sin,
            cos * end.pitch_sin,
            sin * end.pitch_sin,
            end.pitch_sin.expand_as(cos),
            end.opening.expand_as(cos),
            state[:, 9],
            state[:, 12],
            pose.tilt_x,
            pose.tilt_y,
            (pose.z + side.lowest).clamp(-0.1, 0.15),
            *self._edges(pose, table),
        ]
        inputs = [
            gaps.clamp(*CLIP_GAP),
            gaps.clamp(*CLIP_NEAR),
            places.transpose(2, 3).flatten(1, 2),
            ahead.transpose(0, 1),
            left.transpose(0, 1),
            torch.stack(more, 1),
        ]
        return torch.cat(inputs, 1) * self._input_scale, near

    @staticmethod
    def _edges(pose: Pose, table: Tensor) -> list[Tensor]:
        """How far the object is over the table's edges, which way that is, in its heading; far from them all is 0."""
        low_x, low_y, high_x, high_y = (each.unsqueeze(1) for each in table.unbind(2))
        over_x = ((pose.x - high_x) * 20 + 1).clamp(0, 2) - ((low_x - pose.x) * 20 + 1).clamp(0, 2)
        over_y = ((pose.y - high_y) * 20 + 1).clamp(0, 2) - ((low_y - pose.y) * 20 + 1).clamp(0, 2)
        ahead, left = pose.turned_back(over_x, over_y)
        return [ahead, left, torch.maximum(over_x.abs(), over_y.abs())]

    def _messages(
        self,
        state: Tensor,
        pose: Pose,
        side: Lines,
        shape: Shape,
        out: Tensor,
        hidden: Tensor,
        facts: list[Tensor],
        pairs: Tensor,
        here: Tensor | None,
        slots: int,
        count: int,
    ) -> tuple[Tensor, Tensor]:
        """How neighbours change what objects do (E, numbers, K, M), and whether there are any (E, 1, K, M)."""
        to, of = pairs[0], pairs[1]
        members, number = self.config.members, pairs.shape[1]
        gap = apart(pose, supports(pose, side, shape.height), to, of)
        bottom, top = pose.z + side.lowest, pose.z - side.lowest  # it reaches as high above its middle as below, nearly
        over, under = bottom[:, of] - top[:, to], bottom[:, to] - top[:, of]
        gate = ((ROOM - gap) * 100).clamp(0, 1) * ((ROOM - torch.maximum(over, under)) * 100).clamp(0, 1)
        gate = gate * (to != of).to(gate.dtype).view(1, -1, 1)  # a pair of one stands in where there is none
        if here is not None:
            gate = gate * here[:, to] * here[:, of]
        receiver, sender = pose.at(to), pose.at(of)
        scaled = (out[:, : len(SCALE)] * self._scale)[:, :, of]
        its_x, its_y = sender.turn(scaled[:, 0], scaled[:, 1])
        speed = state[:, 7:][:, :, of]
        ahead, left = receiver.turned_back(
            torch.stack([sender.x - receiver.x, its_x, speed[:, 0]]),
            torch.stack([sender.y - receiver.y, its_y, speed[:, 1]]),
        )
        more = [
            sender.z - receiver.z,
            over.clamp(-0.05, 0.05),
            under.clamp(-0.05, 0.05),
            receiver.cos * sender.cos + receiver.sin * sender.sin,
            sender.sin * receiver.cos - sender.cos * receiver.sin,
            scaled[:, 2],
            scaled[:, 5],
            speed[:, 2],
            speed[:, 5],
        ]
        gaps = torch.stack([gap.clamp(*CLIP_GAP), gap.clamp(*CLIP_NEAR)], 1)
        inputs = (
            torch.cat([gaps, ahead.transpose(0, 1), left.transpose(0, 1), torch.stack(more, 1)], 1) * self._pair_scale
        )
        size, flat = self.config.messages, number * count
        message = self.between(inputs.reshape(members, BETWEEN, flat)).reshape(members, size, number, count)
        of_sender = self.of_sender(hidden).reshape(members, size, slots, count)
        message = functional.relu(message + of_sender[:, :, of] + facts[1][:, :, to] + facts[2][:, :, of])
        message = functional.relu(self.sent(message.reshape(members, size, flat))).reshape(members, size, number, count)
        onto = functional.one_hot(to, slots).to(state.dtype).t()  # (K, R)
        heard = torch.einsum("kr,efrm->efkm", onto, message * gate.unsqueeze(1))
        gates = torch.einsum("kr,erm->ekm", onto, gate).clamp(max=1).unsqueeze(1)
        both = torch.cat([hidden, heard.reshape(members, size, slots * count)], 1)
        change = self.changed(functional.relu(self.heard(both))).reshape(members, len(SCALE) + 3, slots, count)
        return change, gates

    def _about(self, outline: Tensor, height: Tensor, code: Tensor) -> Tensor:
        """What does not change (E, STATIC, K m)."""
        fixed = torch.cat([outline.flatten(3), height.unsqueeze(-1)], -1) * 20
        facts = torch.cat([fixed.expand(-1, code.shape[1], -1, -1), code], -1)  # (e, m, K, STATIC)
        flat = facts.permute(0, 3, 2, 1).flatten(2)
        return flat.expand(self.config.members, -1, -1)
