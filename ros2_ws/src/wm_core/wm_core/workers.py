"""Work spread over processes of one thread each."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def run_all(function: Callable[..., Any], calls: Sequence[tuple], workers: int) -> Iterator[Any]:
    """function(*call) for every call, in order as they finish, over worker processes of one thread each."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if workers <= 1 or len(calls) <= 1:
        yield from (function(*call) for call in calls)
        return
    with ProcessPoolExecutor(min(workers, len(calls)), get_context("spawn"), end_quietly) as pool:
        futures = [pool.submit(function, *call) for call in calls]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def end_quietly() -> None:
    """For a worker process: Ctrl-C, which comes to it too, ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
