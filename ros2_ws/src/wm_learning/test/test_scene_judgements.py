"""How a model's judgements of scenes are judged."""

import numpy as np
import pytest

from wm_learning.figures.scene_judgements import auroc


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    scores, positive = rng.normal(size=60), rng.random(60) < 0.4
    pairs = scores[positive][:, None] > scores[~positive]
    assert auroc(scores, positive) == pytest.approx(pairs.mean())


def test_ties_count_half_and_one_class_says_nothing():
    assert auroc(np.zeros(4), np.array([True, False, True, False])) == 0.5
    assert np.isnan(auroc(np.arange(3), np.ones(3, bool)))
