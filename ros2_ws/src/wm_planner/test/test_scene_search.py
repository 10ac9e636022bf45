"""The search around a plan finds what is better, whichever kind it is."""

import numpy as np
import pytest
from scene_examples import LIMIT

from wm_planner.scene.refine import KINDS, Search


def to_place(moves: np.ndarray) -> np.ndarray:
    """How far (N, H) the tool is from 8 cm ahead and 3 cm to the left."""
    return np.linalg.norm(np.cumsum(moves[..., :2], 1) - [0.08, 0.03], axis=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_search_comes_nearer_than_the_plan_that_it_begins_with(kind):
    plan = np.zeros((12, 6))
    plan[:, 0] = 0.005
    best, along = Search(kind, iterations=4).best(plan, LIMIT, to_place, np.random.default_rng(0))
    assert along[-1] < 0.4 * to_place(plan[None])[0, -1] and (np.abs(best) <= LIMIT + 1e-9).all()


def test_a_search_that_is_late_gives_the_best_of_what_it_saw():
    calls = []

    def cost(moves):
        calls.append(len(moves))
        return to_place(moves)

    search = Search(iterations=5)
    search.best(np.zeros((12, 6)), LIMIT, cost, np.random.default_rng(0), late=lambda: True)
    assert calls == [search.samples]


def test_an_unknown_search_is_refused():
    with pytest.raises(ValueError, match="out of icem, cem, mppi, gradient, got 'newton'"):
        Search("newton")
