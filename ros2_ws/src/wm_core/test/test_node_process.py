"""The process of a node: what it is before the node begins."""

import subprocess
import sys

import pytest

from wm_core.launched import CANNOT_RUN

PROGRAM = """
import os, threading
from wm_core.node_process import run

def say():
    print(os.sched_getscheduler(0) == os.SCHED_FIFO, os.sched_getparam(0).sched_priority)

def node():
    thread = threading.Thread(target=say)
    thread.start()
    thread.join()
    raise ValueError("this is all")

raise SystemExit(run(node, priority={priority}))
"""


def permitted() -> bool:
    """Not every root may, for example in a container."""
    asks = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))"
    return subprocess.run([sys.executable, "-c", asks], capture_output=True).returncode == 0


@pytest.mark.parametrize("priority", [0, 5])
def test_a_process_and_its_threads_are_real_time_where_that_is_permitted(priority):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(priority=priority)], capture_output=True, text=True)
    real_time = priority > 0 and permitted()
    assert f"{real_time} {priority if real_time else 0}" in done.stdout
    assert done.returncode == CANNOT_RUN and "ValueError: this is all" in done.stdout
