"""Whether an arm that did not follow its commands has followed some again."""

import numpy as np


class Proving:
    """`needed`: not yet. The arm's controller may then become active in the middle of a command, or the arm's brakes be released, and it
    would leap to where it is commanded: commands are slow meanwhile, so that this is near.
    """

    def __init__(self, way: float) -> None:
        """`way` [rad]: of any joint, by which the arm must have followed."""
        self._way = way
        self.forget()

    def forget(self) -> None:
        """The arm is where its controller is: nothing has to be proven."""
        self.needed = False
        self._begin: np.ndarray | None = None

    def lost(self) -> None:
        """The arm did not follow."""
        self.needed, self._begin = True, None

    def followed(self, q: np.ndarray) -> None:
        """The arm is measured at joints `q` (n,) [rad], as it was commanded."""
        if self._begin is None:
            self._begin = q
        elif np.abs(q - self._begin).max() > self._way:
            self.forget()
