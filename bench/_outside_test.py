"""What the outside reference tells the agent about pushing."""

import torch
from _outside import push_cost, push_features

GOAL = torch.tensor([0.1, 0.0, 0.02])


def state(tool: tuple[float, float, float], object_xyz: tuple[float, float, float]) -> torch.Tensor:
    """A state (21,) of panda-gym's push."""
    return torch.cat([torch.tensor(tool), torch.zeros(15), torch.tensor(object_xyz)])


def test_pushing_costs_least_at_the_goal_then_behind_the_cube():
    there = state((0.07, 0.0, 0.02), (0.1, 0.0, 0.02))
    behind = state((-0.03, 0.0, 0.02), (0.0, 0.0, 0.02))
    above = state((-0.03, 0.0, 0.12), (0.0, 0.0, 0.02))
    before = state((0.03, 0.0, 0.02), (0.0, 0.0, 0.02))
    costs = [float(push_cost(each, GOAL)) for each in (there, behind, above, before)]
    assert costs == sorted(costs)


def test_what_is_out_of_reach_looks_alike():
    far, farther = state((0, 0, 0), (0.1, 0, 0.02)), state((0, 0, 0), (0.2, 0, 0.02))
    assert torch.equal(push_features(far), push_features(farther))
    assert push_features(far).tolist() == torch.tensor([0.08, 0.0, 0.02]).tolist()
