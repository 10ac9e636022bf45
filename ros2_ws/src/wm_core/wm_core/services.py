"""Calling services of nodes that have just appeared."""

import time
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import GetState
from rclpy.client import Client

ASK_AGAIN_S = 1.0


def ask(
    client: Client,
    request: Any,
    spin: Callable[[float], object],
    seconds: float,
    stop: Callable[[], bool] = lambda: False,
) -> Any | None:
    """The answer to a request that does no harm when it comes twice; None when none comes within `seconds` or on `stop()`.

    A service is ready for a client before its server has discovered the client, and until then the answers get lost. So the request
    is sent again each second; the first answer counts. `spin(timeout_s)` serves this node.
    """
    deadline, again = time.monotonic() + seconds, 0.0
    sent: list[Any] = []
    found = None
    while found is None and time.monotonic() < deadline and not stop():
        if client.service_is_ready() and time.monotonic() >= again:
            sent.append(client.call_async(request))
            again = time.monotonic() + ASK_AGAIN_S
        spin(0.05)
        found = next((future for future in sent if future.done()), None)
    for future in sent:
        if not future.done():
            client.remove_pending_request(future)
    return None if found is None else found.result()


def await_answers(
    get_state: Client, spin: Callable[[float], object], seconds: float, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Wait until a lifecycle node answers this node's clients; False when it does not within `seconds` or on `stop()`.

    Clients are discovered in the order in which they were made: what was made before `get_state` is known to the server too.
    """
    return ask(get_state, GetState.Request(), spin, seconds, stop) is not None
