"""Maps of crowded scenes know which object each cell belongs to."""

import numpy as np

from wm_data.scenes.crowds import collect_crowds
from wm_perception.scene.surface import CELL, LOW


def test_cells_belong_to_the_object_that_stands_there(tmp_path):
    (file,) = collect_crowds("piles", 3, tmp_path, 700_000, 1)
    with np.load(file, allow_pickle=False) as maps:
        height, owner, tops, lower = (maps[name] for name in ("height", "owner", "tops", "lower"))
        assert len(height) == 3 and maps["colour"].shape[1:] == (3, *height.shape[1:])
    for number in range(3):
        occupied = height[number] > LOW
        assert (owner[number][occupied] >= 0).mean() > 0.9  # the rest is the edge of the hand
        assert (owner[number][~occupied] == -1).all()
        for slot in np.unique(owner[number][owner[number] >= 0]):
            cells = np.argwhere(owner[number] == slot)
            middle = lower[number] + CELL * (cells.mean(0) + 0.5)
            assert np.linalg.norm(middle - tops[number, slot, :2]) < 0.04
    assert collect_crowds("piles", 3, tmp_path, 700_000, 1) == [file]  # what is there is kept
