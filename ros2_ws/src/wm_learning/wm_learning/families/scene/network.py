"""An ensemble of interaction networks: what a step of the tool does to every object, alone and through each other.

Each object is seen from its own heading. First each is moved as if it were alone; then messages between neighbours, which know of
those moves, put that right (after Battaglia et al. 2016, and the prototypes in docs/scenes.md). What nothing touches stays.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_core.hand import Hand
from wm_core.scene_bundle import NEAR, STILL
from wm_core.solid import POINTS
from wm_learning.families.scene.config import SceneConfig
from wm_learning.families.scene.geometry import (
    DIRECTIONS,
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
from wm_learning.families.scene.layers import EnsembleLinear

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
OWN, BETWEEN, OUT = len(INPUT_SCALE), len(PAIR_SCALE), len(SCALE) + 3
SPEEDS = (400.0,) * 3 + (4.0,) * 3  # of squares of velocities [m/s, rad/s]; a quarter: it moves
CLIP_GAP, CLIP_NEAR = (-0.03, 0.06), (-0.0075, 0.0075)  # [m] of gaps, coarse and fine


class _Facts(NamedTuple):
    """What does not change in a rollout."""

    shape: Shape
    about: Tensor  # (E, hidden, K M) of each object
    about_pair: Tensor  # (E, messages, R, 1, m) of each pair
    lower: Tensor  # (e, 2, 1, 1, m) corners of the table
    upper: Tensor
    to: Tensor  # (R,) slots: of receivers
    of: Tensor  # of senders
    both: Tensor  # (e, 1, R, 1, m) 1 where there are two
    onto: Tensor  # (K, R) 1 where a pair's receiver is
    here: Tensor | None  # (e, 1, K, 1, m)


class SceneNetwork(nn.Module):
    """Predicts states of objects step by step."""

    family = "scene"
    _boxes: Tensor
    _scale: Tensor
    _input_scale: Tensor
    _pair_scale: Tensor
    _speeds: Tensor

    def __init__(self, config: SceneConfig, hand: Hand) -> None:
        super().__init__()
        self.config = config
        members, hidden, messages = config.members, config.hidden, config.messages
        self.about = EnsembleLinear(members, STATIC, hidden)
        self.first = EnsembleLinear(members, OWN, hidden)
        self.second = EnsembleLinear(members, hidden, hidden)
        self.third = EnsembleLinear(members, hidden, hidden)
        self.alone = EnsembleLinear(members, hidden, OUT, 0.1)
        self.about_receiver = EnsembleLinear(members, STATIC, messages)
        self.about_sender = EnsembleLinear(members, STATIC, messages)
        self.of_sender = EnsembleLinear(members, hidden, messages)
        self.between = EnsembleLinear(members, BETWEEN, messages)
        self.sent = EnsembleLinear(members, messages, messages)
        self.heard = EnsembleLinear(members, hidden + messages, hidden)
        self.changed = EnsembleLinear(members, hidden, OUT, 0.1)
        finger, palm = hand.finger.tolist(), hand.palm.tolist()
        px, py, pz = hand.palm_position.tolist()
        sides = [(0.0, finger[1] / 2, hand.finger_z), (0.0, -finger[1] / 2, hand.finger_z), (px, py, pz)]
        boxes = torch.tensor(
            [
                sides,
                [(0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 0.0)],
                [[side / 2 for side in size] for size in (finger, finger, palm)],
            ]
        )
        self.register_buffer("_boxes", boxes.transpose(1, 2).reshape(3, 1, 3, 3, 1, 1, 1), persistent=False)
        for name, values in (
            ("_scale", SCALE),
            ("_input_scale", INPUT_SCALE),
            ("_pair_scale", PAIR_SCALE),
            ("_speeds", SPEEDS),
        ):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1, 1), persistent=False)

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
        facts = self._facts(outline, height, code, table, pairs, present, state)
        state, tool, before = state.unsqueeze(3), *(each.unsqueeze(2).unsqueeze(3) for each in (tool, before))
        steps = moves.unsqueeze(3).unsqueeze(4)
        states, variances, contacts = [], [], []
        spread = torch.zeros_like(state[:, :2])
        for step in range(moves.shape[0]):
            move, after = steps[step], tool + steps[step]
            state, growth, contact = self._step(state, after, move, before, facts)
            spread = spread + growth.exp()
            states.append(state)
            variances.append(spread.log())
            contacts.append(contact)
            tool, before = after, move
        imagined, spreads, touched = (torch.stack(each).squeeze(-2) for each in (states, variances, contacts))
        return imagined, spreads, touched.squeeze(2)

    # -- one step ------------------------------------------------------------------------------------------------

    def _step(
        self, state: Tensor, tool: Tensor, move: Tensor, before: Tensor, facts: _Facts
    ) -> tuple[Tensor, Tensor, Tensor]:
        """After a `move` to `tool` (E, 6, 1, 1, M): states, growths of variances (E, 2, K, 1, M), logits of contact (E, 1, K, 1, M)."""
        pose = Pose.of(state)
        side = lines(facts.shape, pose)
        own, near = self._own(state, pose, side, Tool.of(tool), move, before, facts)
        hidden = functional.relu(self.first(self._flat(own, OWN)) + facts.about)
        hidden = functional.relu(self.third(functional.relu(self.second(hidden))))
        moving = (state[:, 7:].square() * self._speeds).sum(1, keepdim=True)
        active = torch.maximum(near, (moving * 4).clamp(max=1))
        out = self._deep(self.alone(hidden), OUT, state) * active
        change, gate = self._messages(state, pose, side, out, hidden, facts)
        out = out + change * gate
        active = torch.maximum(active, gate)
        moved = out[:, : len(SCALE)] * self._scale
        if facts.here is not None:
            moved = moved * facts.here
        still = active <= 0
        growth = (out[:, 12:14].clamp(-6, 6) - 9.0).masked_fill(still, STILL)
        return displaced(state, pose, moved, active), growth, out[:, 14:].masked_fill(still, UNTOUCHED)

    def _own(
        self, state: Tensor, pose: Pose, side: Lines, tool: Tool, move: Tensor, before: Tensor, facts: _Facts
    ) -> tuple[Tensor, Tensor]:
        """The inputs about each object (E, OWN, K, 1, M), and how near the hand is to it (E, 1, K, 1, M): 1 touches, 0 does not matter."""
        gaps, places, (cos, sin) = touches(facts.shape, pose, side, tool, Boxes(*self._boxes))
        near = ((NEAR - gaps.amin(1, keepdim=True)) * 100).clamp(0, 1)
        of_tool = torch.cat([move, before, tool.pitch_sin, tool.opening], 1) + torch.zeros_like(pose.cos)
        moved, before_ = of_tool[:, :6].split(1, 1), of_tool[:, 6:12].split(1, 1)
        dx, dy, dz = (tool.place - pose.place).split(1, 1)
        ahead, left = pose.turned_back(
            torch.cat([dx, moved[0], before_[0], state[:, 7:8], state[:, 10:11]], 1),
            torch.cat([dy, moved[1], before_[1], state[:, 8:9], state[:, 11:12]], 1),
        )
        inputs = [
            gaps.clamp(*CLIP_GAP),
            gaps.clamp(*CLIP_NEAR),
            self._deep(places.transpose(2, 3), 4 * 3, state),
            ahead,
            left,
            dz,
            of_tool[:, 2:6],
            *(before_[axis] for axis in (2, 3, 5)),
            cos * cos - sin * sin,
            2 * cos * sin,
            cos * tool.pitch_sin,
            sin * tool.pitch_sin,
            of_tool[:, 12:],
            state[:, 9:10],
            state[:, 12:],
            pose.tilt_x,
            pose.tilt_y,
            (pose.place[:, 2:] + side.lowest).clamp(-0.1, 0.15),
            *self._edges(pose, facts),
        ]
        return torch.cat(inputs, 1) * self._input_scale, near

    @staticmethod
    def _edges(pose: Pose, facts: _Facts) -> list[Tensor]:
        """How far the object is over the table's edges, which way that is, in its heading; far from them all is 0."""
        place = pose.place[:, :2]
        over = ((place - facts.upper) * 20 + 1).clamp(0, 2) - ((facts.lower - place) * 20 + 1).clamp(0, 2)
        ahead, left = pose.turned_back(*over.split(1, 1))
        return [ahead, left, over.abs().amax(1, keepdim=True)]

    def _messages(
        self, state: Tensor, pose: Pose, side: Lines, out: Tensor, hidden: Tensor, facts: _Facts
    ) -> tuple[Tensor, Tensor]:
        """How neighbours change what objects do (E, numbers, K, 1, M), and whether there are any (E, 1, K, 1, M)."""
        z = pose.place[:, 2:]
        bottom, top = z + side.lowest, z - side.lowest  # it reaches as high above its middle as below, nearly
        scaled = out[:, : len(SCALE)] * self._scale
        each = [pose.place, pose.cos, pose.sin, bottom, top, state[:, 7:], scaled, supports(pose, side)]
        known, sizes = torch.cat(each, 1), [3, 1, 1, 1, 1, 6, len(SCALE), DIRECTIONS]
        place, cos, sin, low, high, _, _, reach = known.index_select(2, facts.to).split(sizes, 1)
        its_place, its_cos, its_sin, its_low, its_high, speed, its, its_reach = known.index_select(2, facts.of).split(
            sizes, 1
        )
        dx, dy, dz = (its_place - place).split(1, 1)
        gap = apart(dx, dy, reach, its_reach)
        over, under = its_low - high, low - its_high
        gate = ((ROOM - gap) * 100).clamp(0, 1) * ((ROOM - torch.maximum(over, under)) * 100).clamp(0, 1)
        gate = gate * facts.both
        i, v = its.split(1, 1), speed.split(1, 1)
        x = torch.cat([dx, its_cos * i[0] - its_sin * i[1], v[0]], 1)
        y = torch.cat([dy, its_sin * i[0] + its_cos * i[1], v[1]], 1)
        inputs = [
            gap.clamp(*CLIP_GAP),
            gap.clamp(*CLIP_NEAR),
            cos * x + sin * y,
            cos * y - sin * x,
            dz,
            over.clamp(-0.05, 0.05),
            under.clamp(-0.05, 0.05),
            cos * its_cos + sin * its_sin,
            its_sin * cos - its_cos * sin,
            i[2],
            i[5],
            v[2],
            v[5],
        ]
        size = self.config.messages
        message = self._deep(self.between(self._flat(torch.cat(inputs, 1) * self._pair_scale, BETWEEN)), size, state)
        of_sender = self._deep(self.of_sender(hidden), size, state).index_select(2, facts.of)
        message = functional.relu(message + of_sender + facts.about_pair)
        message = functional.relu(self.sent(self._flat(message, size))) * self._flat(gate, 1)
        heard = torch.matmul(facts.onto, self._deep(message, size, state).squeeze(3))
        gates = torch.matmul(facts.onto, gate.squeeze(3)).clamp(max=1).unsqueeze(3)
        both = torch.cat([hidden, self._flat(heard, size)], 1)
        return self._deep(self.changed(functional.relu(self.heard(both))), OUT, state), gates

    # -- inside --------------------------------------------------------------------------------------------------

    def _flat(self, values: Tensor, size: int) -> Tensor:
        """(E, size, ...) -> (E, size, n), for a layer."""
        return values.reshape(self.config.members, size, -1)

    def _deep(self, values: Tensor, size: int, like: Tensor) -> Tensor:
        """(E, size, n) -> (E, size, n / M, 1, M)."""
        return values.reshape(self.config.members, size, -1, 1, like.shape[4])

    def _facts(
        self,
        outline: Tensor,
        height: Tensor,
        code: Tensor,
        table: Tensor,
        pairs: Tensor,
        present: Tensor | None,
        state: Tensor,
    ) -> _Facts:
        """See `forward`; `state` (E, 13, K, M)."""
        about, slots, to, of = self._about(outline, height, code), state.shape[2], pairs[0], pairs[1]

        def each(layer: EnsembleLinear, size: int) -> Tensor:
            return layer(about).reshape(self.config.members, size, slots, 1, -1)

        here = None if present is None else present.transpose(1, 2).to(state.dtype).unsqueeze(1).unsqueeze(3)
        both = (to != of).to(state.dtype).view(1, 1, -1, 1, 1)  # a pair of one stands in where there is none
        if here is not None:
            both = both * here[:, :, to] * here[:, :, of]
        size, corners = self.config.messages, table.transpose(1, 2).unsqueeze(2).unsqueeze(3)
        whole = each(self.about, self.config.hidden) + torch.zeros_like(state[:, :1].unsqueeze(3))
        return _Facts(
            Shape.of(outline, height),
            self._flat(whole, self.config.hidden),
            each(self.about_receiver, size).index_select(2, to) + each(self.about_sender, size).index_select(2, of),
            corners[:, :2],
            corners[:, 2:],
            to,
            of,
            both,
            functional.one_hot(to, slots).to(state.dtype).t(),
            here,
        )

    def _about(self, outline: Tensor, height: Tensor, code: Tensor) -> Tensor:
        """What does not change (E, STATIC, K m)."""
        fixed = torch.cat([outline.flatten(3), height.unsqueeze(-1)], -1) * 20
        facts = torch.cat([fixed.expand(-1, code.shape[1], -1, -1), code], -1)  # (e, m, K, STATIC)
        flat = facts.permute(0, 3, 2, 1).flatten(2)
        return flat.expand(self.config.members, -1, -1)
