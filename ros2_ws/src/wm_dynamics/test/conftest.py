"""The shipped bundle, and a block for it to look at."""

import numpy as np
import pytest

from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return Bundle.load(bundles_dir() / "default")


@pytest.fixture(scope="session")
def block(bundle):
    """What the encoder says of a 6 cm block: block(xy) -> embedding (D,), with `xy` put in exactly."""

    def look(xy) -> np.ndarray:
        spec = bundle.bev
        x = spec.x_min + (np.arange(spec.rows) + 0.5)[:, None] * spec.cell
        y = spec.y_min + (np.arange(spec.columns) + 0.5)[None] * spec.cell
        inside = (np.abs(x - xy[0]) < 0.03) & (np.abs(y - xy[1]) < 0.03)
        bev = np.zeros((5, spec.rows, spec.columns), np.float32)
        bev[0] = inside * 0.06 / spec.z_max
        bev[1:4] = np.where(
            inside, np.array([0.85, 0.18, 0.12])[:, None, None], np.array([0.67, 0.62, 0.56])[:, None, None]
        )
        bev[4] = 1
        embedding = bundle.run("encode", bev=bev[None])["embedding"][0]
        embedding[:2] = xy
        return embedding

    return look
