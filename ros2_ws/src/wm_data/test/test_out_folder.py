"""What stands where a dataset is to be written is kept, unless it is such a dataset and is meant to be replaced."""

import pytest

from wm_core.command_line import main


@pytest.mark.parametrize("option", [[], ["--replace"]])
def test_a_forgotten_out_costs_no_bag(tmp_path, capsys, option):
    """`./wm lerobot export bags/*`: the last bag stands where OUT belongs."""
    bags = [tmp_path / "bag0", tmp_path / "bag1"]
    for bag in bags:
        bag.mkdir()
        (bag / "metadata.yaml").write_text("years of work")
    assert main(["lerobot", "export", *map(str, bags), *option]) == 1
    said = capsys.readouterr().err
    assert f"OUT: expected a new folder, {bags[1]} holds something else" in said and "as the last argument" in said
    assert [path.name for path in bags[1].iterdir()] == ["metadata.yaml"]


@pytest.mark.parametrize(("verb", "mark"), [("export", "meta/info.json"), ("import", "dataset.json")])
def test_only_a_dataset_of_the_kind_is_replaced_and_only_when_it_is_asked_for(tmp_path, capsys, verb, mark):
    out, source = tmp_path / "out", str(tmp_path / "source")  # a source that is not there is found out afterwards
    (out / mark).parent.mkdir(parents=True)
    (out / mark).write_text("{}")
    assert main(["lerobot", verb, source, str(out)]) == 1
    assert "--replace puts the new dataset in its place" in capsys.readouterr().err
    assert main(["lerobot", verb, source, str(out), "--replace"]) == 1
    assert "source" in capsys.readouterr().err
    (out / mark).rename(out / "other")
    assert main(["lerobot", verb, source, str(out), "--replace"]) == 1
    assert f"holds something else than a dataset with {mark}" in capsys.readouterr().err
    assert (out / "other").read_text() == "{}"


def test_a_file_is_no_folder_and_an_empty_folder_is_new(tmp_path, capsys):
    (tmp_path / "notes").write_text("years of work")
    assert main(["lerobot", "import", str(tmp_path / "source"), str(tmp_path / "notes"), "--replace"]) == 1
    assert "holds something else" in capsys.readouterr().err and (tmp_path / "notes").read_text()
    (tmp_path / "empty").mkdir()
    assert main(["lerobot", "import", str(tmp_path / "source"), str(tmp_path / "empty")]) == 1
    assert "OUT" not in capsys.readouterr().err
