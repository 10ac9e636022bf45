"""What follows from the end of a process, for ros2 launch and for the runner alike."""

from enum import Enum
from signal import Signals

from wm_core.launched import CANNOT_RUN

GAVE_UP = 1  # exit status of the supervisor
SIGTERM_S, SIGKILL_S = (
    10.0,
    30.0,
)  # with ros2 launch: after SIGINT, after SIGTERM; on a loaded machine its 5 s are not enough
RESPAWN_S = 0.5  # from the end of a process until its next start


class End(Enum):
    OF_ALL = "all are ended"
    ALONE = "the others go on"
    BEGUN_ANEW = "it is started again"


def after(respawn: bool, final: tuple[int, ...], ends_all: bool, status: int) -> End:
    """`status`: exit status, negative for a signal. `final`: with which a process ended that is not to be started again."""
    if respawn and status not in (*final, CANNOT_RUN):
        return End.BEGUN_ANEW
    return End.OF_ALL if ends_all else End.ALONE


def reason(status: int) -> str:
    """Why a process ended, in words."""
    return f"signal {Signals(-status).name}" if status < 0 else f"exit status {status}"
