"""Which of the guard's verdicts are reported as interventions."""

import numpy as np
import pytest
from wm_msgs.msg import Intervention

from wm_guard.guard import Kind, Verdict
from wm_guard.interventions import Interference, Interventions

MS = 1_000_000


def reported(verdicts):
    """Kinds reported for (time [ms], kind, reason)."""
    interventions, nowhere = Interventions(), np.full(3, np.nan)
    kinds = (
        interventions.begins(Verdict(kind, reason, "", None, None, 0, nowhere, nowhere), time * MS)
        for time, kind, reason in verdicts
    )
    return [kind for kind in kinds if kind is not None]


def test_a_streak_is_reported_once_at_its_beginning():
    assert reported([(t, Kind.LIMITED, "tool_speed") for t in range(0, 5000, 100)]) == [Interference.LIMITED]
    flicker = [(t, kind, "") for t in range(0, 3000, 200) for kind in (Kind.LIMITED, Kind.PASS)]
    assert reported(flicker) == [Interference.LIMITED]
    assert reported([(0, Kind.REFUSED, "jump"), (100, Kind.HOLD, "no_command"), (1200, Kind.REFUSED, "late")]) == [
        Interference.HOLD,
        Interference.HOLD,
    ]


def test_an_emergency_stop_is_reported_even_in_a_hold_and_goes_on_until_its_reset():
    verdicts = [(0, Kind.REFUSED, "jump"), (50, Kind.HOLD, "e_stop")]
    verdicts += [(t, Kind.REFUSED, "e_stop") for t in range(100, 9000, 3000)]
    assert reported(verdicts) == [Interference.HOLD, Interference.E_STOP]


def test_passing_commands_are_nobodys_intervention():
    assert reported([(t, Kind.PASS, "") for t in range(0, 2000, 100)]) == []


@pytest.mark.parametrize("kind", Interference)
def test_the_message_has_the_same_kinds(kind):
    assert getattr(Intervention, kind.name) == kind.value
