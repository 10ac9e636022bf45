"""Whether an arm has followed its commands: since it rested, or since it did not follow."""

import numpy as np

MOVED = 0.01  # [rad] of any joint: an arm that has moved that far has a controller that moves it


class Proving:
    """Until it has, its controller may be inactive, and become active in the middle of a command, or the arm's brakes be released: it
    would leap to where it is commanded.

    `needed`: the arm did not follow before; commands are slow until it has. `still`: it has not moved since it was commanded from rest.
    """

    def __init__(self, way: float) -> None:
        """`way` [rad]: of any joint, by which an arm that did not follow must have followed."""
        self._way = way
        self.forget()

    def forget(self) -> None:
        """The arm is where its controller is: nothing has to be proven."""
        self.needed = False
        self._begin: np.ndarray | None = None
        self._rested: np.ndarray | None = None

    @property
    def still(self) -> bool:
        return self._rested is not None

    def starts(self, q: np.ndarray) -> None:
        """The arm rests at joints `q` (n,) [rad], and is commanded to move."""
        self._rested = q

    def lost(self) -> None:
        """The arm did not follow."""
        self.needed, self._begin = True, None

    def followed(self, q: np.ndarray) -> None:
        """The arm is measured at joints `q` (n,) [rad], as it was commanded."""
        if self._rested is not None and np.abs(q - self._rested).max() > MOVED:
            self._rested = None
        if not self.needed:
            return
        if self._begin is None:
            self._begin = q
        elif np.abs(q - self._begin).max() > self._way:
            self.needed = False
