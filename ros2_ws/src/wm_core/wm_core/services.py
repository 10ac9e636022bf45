"""Calling services of nodes that have just appeared."""

import time
from collections.abc import Callable

from lifecycle_msgs.srv import GetState
from rclpy.client import Client

ASK_AGAIN_S = 1.0


def await_answers(
    get_state: Client, spin: Callable[[float], object], seconds: float, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Wait until a lifecycle node answers this node's clients; False when it does not within `seconds` or on `stop()`.

    A service is ready for a client before its server has discovered the client, and until then the answers get lost. So ask
    for the state, which may be asked again. Clients are discovered in the order in which they were made: what was
    made before `get_state` is known to the server too. `spin(timeout_s)` serves this node.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not stop():
        if not get_state.service_is_ready():
            spin(0.05)
            continue
        future = get_state.call_async(GetState.Request())
        again = min(deadline, time.monotonic() + ASK_AGAIN_S)
        while not future.done() and time.monotonic() < again and not stop():
            spin(0.05)
        if future.done():
            return True
        get_state.remove_pending_request(future)
    return False
