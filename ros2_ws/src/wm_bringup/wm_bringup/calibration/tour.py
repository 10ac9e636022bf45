"""Takes the arm through the poses of a calibration and back to where it began, on ways that are known to be free."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from wm_bringup.calibration.arm import ArmError
from wm_perception.calibration.poses import Free, Pose, way_back


def tour(
    go: Callable[[np.ndarray], None], here: np.ndarray | None, poses: Sequence[Pose], free: Free
) -> Iterator[tuple[int, Pose]]:
    """Number (from 1) and pose, once the arm is there; after the last one the arm goes back to joints `here` (n,) [rad].

    `go` moves the arm straight to joints (n,); `here`: measured now, for a person may have moved the arm since the poses were chosen.
    Raises ArmError before anything moves where the way from `here` to the first pose is not free.
    """
    if here is None or not free(here, poses[0].q):
        raise ArmError(
            "expected a free way from where the arm stands now to the first pose, found none: it was moved after the poses were chosen;"
            " leave it where it is, or bring it to a place from which it can rise, and take again"
        )
    for number, pose in enumerate(poses, 1):
        go(pose.q)
        yield number, pose
    for q in way_back(free, here, poses):
        go(q)
