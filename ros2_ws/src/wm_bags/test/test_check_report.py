"""The report of `wm bag check`: it is complete or the one before, and where it cannot be is said before bags are read."""

import json

import pytest

from wm_bags.steps import check_report
from wm_bags.steps.check import BagCheck
from wm_core.command_line import main


def test_a_report_that_is_not_finished_leaves_the_one_before(tmp_path, monkeypatch):
    check_report.write_report([BagCheck.without_profile(tmp_path / "monday", "no topics")], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"report.json", "report.html"}

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(check_report, "_page", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_report.write_report([BagCheck.without_profile(tmp_path / "tuesday", "no topics")], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert json.loads(before["report.json"])["bags"][0]["bag"].endswith("monday")


def test_a_place_where_no_report_can_be_is_said_before_bags_are_read(tmp_path, whole, capsys):
    (tmp_path / "report").write_text("a file")
    assert main(["bag", "check", str(whole["mcap"]), "--out", str(tmp_path / "report")]) == 2
    said = capsys.readouterr()
    assert not said.out and "report" in said.err
