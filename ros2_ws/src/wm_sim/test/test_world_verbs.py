"""`wm world check` and `wm world show`."""

import cv2

from wm_sim.cli.world import check, show


def parsed(module, *words):
    import argparse

    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(words)


def test_check_counts_what_is_drawn(capsys):
    assert check.run(parsed(check, "single", "--starts", "3")) == 0
    said = capsys.readouterr().out
    assert "single: 3 starts drawn, 3 objects" in said and "can be used" in said


def test_show_draws_what_the_cameras_see(tmp_path):
    file = tmp_path / "sheets" / "clutter.png"
    assert show.run(parsed(show, "clutter", "--starts", "2", "--out", str(file))) == 0
    image = cv2.imread(str(file))
    assert image.shape[1] == 4 * 256 and image.std() > 20
