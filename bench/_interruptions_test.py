"""The table of interruptions names the worst."""

from interruptions import KINDS, tables


def test_a_row_a_kind_with_its_worst_step():
    result = {"reached": True, "reached_s": 4.0, "step_rad": 0.002, "velocity_share": 0.4}
    lost = {"reached": False, "reached_s": None, "step_rad": 0.03, "velocity_share": 0.5}
    text = tables([{"kind": KINDS[0], "result": result}, {"kind": KINDS[0], "result": lost}])
    assert "1/2 = 50 %" in text and "4.0, 4.0" in text and "0.0160, 0.0300" in text and "| 0.50 " in text
