"""What a person reads of a calibration."""

from collections.abc import Sequence

import numpy as np

from wm_perception.calibration.hand_eye import Solution
from wm_perception.calibration.samples import CameraViews
from wm_perception.calibration.verdict import Verdict, error_at


def said(
    name: str, seen: CameraViews, solution: Solution, verdict: Verdict, before: Solution, table: np.ndarray
) -> str:
    """The result for one camera; `before`: what the rig says now."""
    moved, turned = error_at(solution, Solution(before.camera, before.board, solution.lens), table)
    x, y, z = solution.camera[:3, 3]
    lines = [
        f"{name}: {verdict.poses} poses; the board was not seen in {len(seen.unseen)} images" + _listed(seen.unseen)
    ]
    if seen.incomplete:
        lines.append(
            f"  left out, for taking them was interrupted: {len(seen.incomplete)} images{_listed(seen.incomplete)}"
        )
    figures = [
        f"  held-out poses: {verdict.held_out_mm:.1f} mm, {verdict.held_out_deg:.2f} degrees, {verdict.held_out_px:.2f} px",
        f"  the board is {100 * (solution.scale - 1):+.2f} % larger than its file says",
        f"  to be expected at the table: {verdict.table_mm:.1f} mm, {verdict.table_deg:.2f} degrees",
        f"  at ({x:.3f}, {y:.3f}, {z:.3f}) m, {1e3 * moved:.0f} mm and {turned:.1f} degrees at the table from what the rig says",
    ]
    faults = [f"  refused: {fault}" for fault in verdict.faults]
    advice = [f"  for solving intrinsics too: {each}" for each in verdict.advice]
    return "\n".join([*lines, *(figures if np.isfinite(verdict.table_mm) else []), *faults, *advice])


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(names[:8])}{', ...' if len(names) > 8 else ''})" if names else ""
