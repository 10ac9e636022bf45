"""What was said of late, so that a problem that comes again and again is not said again and again."""

import re
import time
from collections.abc import Callable

AGAIN_S = 10.0
MOST = 100  # texts that are remembered
NUMBERS = re.compile(r"(?<!\w)[-+]?\d[\d.]*(e[-+]?\d+)?")  # 0.35 s, -2; not the digit of camera_2


class Said:
    """Texts by the name of what they are about; one that differs from another in its numbers alone is the same."""

    def __init__(self, again_s: float = AGAIN_S, clock: Callable[[], float] = time.monotonic) -> None:
        """`again_s` [s]: after which a text is due again."""
        self._again_s, self._clock = again_s, clock
        self._at: dict[tuple[str, str], float] = {}  # oldest first

    def due(self, name: str, text: str) -> bool:
        """Whether to say this now, which then counts as said."""
        key, now = (name, NUMBERS.sub("#", text)), self._clock()
        if now - self._at.get(key, -self._again_s) < self._again_s:
            return False
        self._at.pop(key, None)
        self._at[key] = now
        if len(self._at) > MOST:
            self._at.pop(next(iter(self._at)), None)
        return True

    def clear(self) -> None:
        """Nothing was said."""
        self._at.clear()
