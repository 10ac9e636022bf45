"""What a training says: one line that is kept up to date on a terminal, lines in a log."""

import sys

import pytest

from wm_learning.training.report import LINES, REFRESH_S, Report, duration


def run(report, steps=100):
    for step in range(1, steps + 1):
        report.step("images", step, steps, {"loss": 2.0 + step % 2, "see": float("nan") if step % 2 else 5.0})
        if step == 50:
            report.held_out("images", step, 1.25)
    report.close()


def test_a_log_gets_lines(tmp_path, capsys):
    run(Report(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == LINES + 1
    assert lines[0].startswith("images [#                   ] 5/100, 0:00 left  loss 2.6  see 5")
    assert "images step 50: held-out loss 1.25" in lines
    assert not any("\r" in line for line in lines)


def test_a_terminal_gets_one_line_that_fits(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    run(Report(tmp_path))
    out = capsys.readouterr().out
    assert out.count("\n") == 2  # the held-out loss and the end
    drawn = [text.removeprefix("\033[K").rstrip("\n") for text in out.split("\r")[1:]]
    assert drawn[-1].startswith("images [####################] 100/100")
    assert max(map(len, drawn)) < 50


def test_a_terminal_is_kept_up_to_date_in_long_phases(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    report = Report(tmp_path)
    for step in range(1, 11):
        now += 2 * REFRESH_S
        report.step("images", step, 100_000, {"loss": 1.0})
    assert capsys.readouterr().out.count("\r") == 10
    report.close()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3661, "1:01:01")])
def test_durations_read_like_a_clock(seconds, text):
    assert duration(seconds) == text
