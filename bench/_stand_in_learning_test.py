"""The loop on the stand-in says what came of each part, and helps an explorer that asks for it."""

from typing import Any

from _person import asks
from diagnostic_msgs.msg import DiagnosticStatus
from stand_in_learning import AFTER, BEFORE, DONE, IN_USE, tables

from wm_tasks.exploring import LOST_S, MOST_RETURNS


def goal(method: str, seed: int, reached: bool) -> dict[str, Any]:
    result = {"success_2cm": reached, "final_distance_m": 0.01, "time_s": 3.0}
    return {"sensor": "realistic", "method": method, "seed": seed, "result": result}


def test_success_before_and_after_stands_side_by_side():
    lines = [goal(BEFORE, seed, False) for seed in range(4)] + [goal(AFTER, seed, True) for seed in range(4)]
    lines.append({"part": "gate", "result": {"passed": False, "reason": "old: slower"}})
    page = tables(lines)
    assert "0/4 = 0 %" in page and "4/4 = 100 %" in page and "refused: old: slower" in page


def test_only_an_explorer_that_has_lost_the_object_is_helped():
    for call in (
        f"the object has not been seen for {LOST_S:.0f} s",
        "the object is out of reach, at (0.70, 0.30)",
        f"{MOST_RETURNS} tries to bring the object back have failed",
    ):
        assert asks("wm_explorer", DiagnosticStatus.ERROR, call)
    assert not asks("wm_explorer", DiagnosticStatus.OK, "exploring the object")
    assert not asks("wm_explorer", DiagnosticStatus.ERROR, "emergency stop: reset it with wm/e_stop_reset")
    assert not asks("wm_perception", DiagnosticStatus.ERROR, "no object")


def test_what_the_nodes_say_is_understood():
    said = "[wm_bundle_manager]: grounded-1 in use (promoted: passed the gate): 0 cycles missed"
    assert IN_USE.search(said).group(1) == "0 cycles missed"
    assert DONE.findall("[wm_episodes]: goal 1 of 8: missed  81.0 mm in 10.0 s, 100 steps (time is over)") == ["missed"]
