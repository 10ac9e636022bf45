"""Where the object is, from the heights of the maps alone: what stands on the table.

The robot's own points are left out of a map, so that whatever stands on the table is the object.
"""

import numpy as np

from wm_data.dataset import Dataset
from wm_perception.bev import cell_centres, fuse

MAX_HEIGHT = 0.012  # [m] cells above this belong to an object
LEAST = 12  # cells of an object
AROUND = 0.05  # [m] around the centre of what stands there
SPREAD = 0.06  # [m] root mean square from that centre beyond which it is not one object
HIDDEN = 0.3  # share of the cells around the centre that no camera may see
BATCH = 256


def depth_labels(data: Dataset) -> np.ndarray:
    """Centre (T, 2) float32 [m] of what stands on the table at every step; NaN where it is too little, too wide or half hidden."""
    cells = cell_centres(data.spec)
    labels = [
        _of_batch(np.asarray(data.bev[i : i + BATCH]), cells, data.spec.z_max) for i in range(0, len(data.bev), BATCH)
    ]
    return np.concatenate(labels)


def _of_batch(maps: np.ndarray, cells: np.ndarray, z_max: float) -> np.ndarray:
    """Labels (b, 2) of maps (b, cameras, 5, rows, columns) uint8; `cells`: centres (rows, columns, 2) [m]."""
    fused = fuse(list(maps.transpose(1, 2, 0, 3, 4)))  # (5, b, rows, columns)
    high = (fused[0].astype(np.float32) / 255 > MAX_HEIGHT / z_max).reshape(len(maps), -1)
    seen = (fused[4] > 0).reshape(len(maps), -1)
    places = cells.reshape(-1, 2).astype(float)
    count = high.sum(1)
    share = high / np.maximum(count, 1)[:, None]
    centre = share @ places
    from_centre = ((places - centre[:, None]) ** 2).sum(-1)  # (b, cells)
    spread = np.sqrt((share * from_centre).sum(1))
    near = from_centre < AROUND**2
    hidden = (near & ~seen).sum(1) / np.maximum(near.sum(1), 1)
    trusted = (count >= LEAST) & (spread < SPREAD) & (hidden < HIDDEN)
    return np.where(trusted[:, None], centre, np.nan).astype(np.float32)
