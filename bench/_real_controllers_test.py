"""Jerk by what a controller says, and the table of both controllers."""

import numpy as np
import pytest
from real_controllers import OWN, REAL, jerk, tables


@pytest.mark.parametrize("rate", [100, 500])
def test_the_jerk_of_a_cubic_is_found_at_any_rate(rate):
    times = np.arange(0, 1, 1 / rate)
    velocities = np.stack([2.5 * times**2, 0 * times], -1)  # of positions 5/6 t^3: a jerk of 5
    states = [(round(1e9 * at), velocity) for at, velocity in zip(times, velocities, strict=True)]
    assert jerk(states) == pytest.approx(5.0, rel=1e-3)
    assert len(jerk(states[:2])) == 0


def test_the_table_sets_both_beside_each_other():
    def line(controller, seed, reached, worst):
        jerks = {"p50": 10.0, "p99": 20.0, "max": worst}
        result = {"reached": reached, "distance_m": 0.004, "time_s": 3.0, "jerk": jerks}
        return {"controller": controller, "seed": seed, "result": result}

    text = tables(
        [line(OWN, 1, True, 30.0), line(OWN, 2, True, 40.0), line(REAL, 1, True, 50.0), line(REAL, 2, False, 60.0)]
    )
    own, real = text.splitlines()[2:]
    assert "2/2" in own and own.rstrip(" |").endswith("40")
    assert "1/2" in real and real.rstrip(" |").endswith("60")
