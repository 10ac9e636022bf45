"""Errors by horizon, beside what one would say without a model: where the object was, and on along its last step."""

from dataclasses import dataclass

import numpy as np

from wm_data.dataset import Dataset

MOVED = 0.01  # [m] windows in which the object moves more than this count as moving


@dataclass(frozen=True)
class Errors:
    """Errors [m] of the object after h steps in the windows in which it moves."""

    window: np.ndarray  # (m,) which of the starts
    of: dict[str, np.ndarray]  # method -> (m,): model, copy_last, constant_velocity


def errors_after(
    h: int, data: Dataset, starts: np.ndarray, predicted: np.ndarray, now: np.ndarray, before: np.ndarray
) -> Errors:
    """Errors `h` steps after `starts` (n,): of `predicted` (n, 2), and of the baselines from positions (n, 2) then and one step before.

    Windows that end after their episode, and those in which the object stays, are left out.
    """
    end = np.minimum(starts + h, len(data.episode) - 1)
    truth = data.object_xy[end].astype(float)
    whole = (end == starts + h) & (data.episode[end] == data.episode[starts])
    window = np.flatnonzero(whole & (np.linalg.norm(truth - data.object_xy[starts], axis=1) > MOVED))
    guesses = {"model": predicted, "copy_last": now, "constant_velocity": now + h * (now - before)}
    return Errors(window, {m: np.linalg.norm(guess - truth, axis=1)[window] for m, guess in guesses.items()})
