"""Video without commands and labels pretrains a model before few interactions fine-tune it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wm_core.bundle import Bundle
from wm_core.command_line import main
from wm_core.config import SettingError, configure
from wm_core.specs import BevSpec
from wm_data.dataset import SMALL
from wm_data.dataset_files import DatasetError, seal
from wm_data.loading import load_data
from wm_learning.families import FAMILIES, phases, pretraining
from wm_learning.families.video import completed
from wm_learning.figures.held_out import evaluate
from wm_learning.pipelines.train import Pretraining, RunSettings, train_bundle
from wm_learning.training.embeddings import embed
from wm_learning.training.trainer import Trainer

TINY = {"images": {"steps": 2, "batch": 4}, "sequences": {"steps": 2, "batch": 4, "validate_every": 1}}
RUN = RunSettings(validation_share=0.2, pretraining=Pretraining(steps=2))


@pytest.fixture(scope="module")
def video(dataset):
    """Ten of the synthetic episodes, as a camera saw them."""
    return dataset.subset(np.arange(2, 12)).as_video()


@pytest.fixture(scope="module")
def few(dataset):
    """The other two, with commands and labels."""
    return dataset.subset(np.arange(2))


def changed(video, edit):
    """The video with other maps."""
    bev = video.bev.copy()
    edit(bev)
    return replace(video, bev=bev)


def stored(data, folder):
    """A dataset in a folder of its own."""
    folder.mkdir()
    for name in ("bev", *SMALL):
        np.save(folder / f"{name}.npy", getattr(data, name))
    seal(folder, data.worlds, data.seeds, data.spec, data.steps, [])
    return folder


# -- what video says ----------------------------------------------------------------------------------------------


def test_the_motion_of_the_tool_stands_for_the_commands(dataset, video):
    data = completed(video)
    inside = data.episode[1:] == data.episode[:-1]
    np.testing.assert_allclose(data.action[:-1][inside], dataset.action[80:-1][inside], atol=1e-3)
    assert np.linalg.norm(data.action, axis=1).max() < 1.01  # no leap from one episode to the next
    np.testing.assert_array_equal(data.target_xy, data.tool_xy)
    assert not data.video


def test_windows_of_a_video_never_meet_a_missing_label(video):
    def edit(bev):
        bev[[10, 50, 399], :, 0] = 0

    data = completed(changed(video, edit))
    starts = data.windows(4)
    window = starts[:, None] + np.arange(4)
    assert np.isfinite(data.object_xy[window]).all()
    assert (video.episode[window] == video.episode[starts][:, None]).all()
    assert not np.isin(window, [10, 50, 399]).any()


# -- training ------------------------------------------------------------------------------------------------------


def test_pretraining_on_video_teaches_to_see(dataset, video, tmp_path):
    torch.manual_seed(0)
    family = FAMILIES["grounded"]
    model = family.model(configure(family.config, {"images": {"batch": 16}}))
    before = evaluate(model, dataset, embed(model, dataset), np.arange(2))
    Trainer(model, tmp_path, seed=0).run(pretraining(model, video, steps=100))
    after = evaluate(model, dataset, embed(model, dataset), np.arange(2))
    assert after.see_median < 0.5 * before.see_median


class KilledError(Exception):
    """What a test does to a training."""


def killed_in(step, run):
    """Run until the update of one step, which does not happen."""
    update, done = Trainer._update, 0

    def dies(*args):
        nonlocal done
        if done == step:
            raise KilledError
        done += 1
        update(*args)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Trainer, "_update", dies)
        run()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_killed_training_goes_on_to_the_same_result(few, video, tmp_path, family):
    def train(name):
        torch.manual_seed(0)
        model = FAMILIES[family].model(configure(FAMILIES[family].config, TINY))
        course = [*pretraining(model, video, 2), *phases(model, few, np.arange(1), np.arange(1, 2))]
        assert [phase.name for phase in course][:2] == ["pretrain", "images"]
        Trainer(model, tmp_path / name, seed=0, checkpoint_s=0).run(course)
        return model.state_dict()

    killed_in(1, lambda: train("killed"))  # while pretraining
    killed_in(2, lambda: train("killed"))  # after it
    killed = train("killed")
    for name, value in train("whole").items():
        torch.testing.assert_close(killed[name], value, rtol=0, atol=0, msg=name)


def test_a_run_goes_on_with_the_same_video_only(few, video, tmp_path):
    def run(film):
        train_bundle(few, tmp_path / "bundle", RUN, TINY, film)

    killed_in(0, lambda: run(video))
    for other in (None, video.subset(np.arange(2, 6))):
        with pytest.raises(SettingError, match="holds a run with another pretraining"):
            run(other)
    killed_in(0, lambda: run(video))


def test_without_video_the_settings_of_a_run_do_not_speak_of_it(few, tmp_path):
    killed_in(0, lambda: train_bundle(few, tmp_path / "bundle", RUN, TINY))
    assert "pretraining" not in (tmp_path / "bundle.run/settings.yaml").read_text()


# -- the command line ----------------------------------------------------------------------------------------------


def test_video_is_named_on_the_command_line(few, video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored(few, tmp_path / "few")
    parts = [stored(video.subset(part), tmp_path / f"film{i}") for i, part in enumerate((range(2, 7), range(7, 12)))]
    words = [f"{phase}.{name}={value}" for phase, values in TINY.items() for name, value in values.items()]
    films = [f"pretrain={part}" for part in parts]
    assert main(["train", "data=few", *films, "out=bundle", "pretraining.steps=2", "validation_share=0.5", *words]) == 0
    facts = Bundle.load(tmp_path / "bundle").spec["data"]  # the bundle says what it was pretrained on
    assert facts["training"]["pretraining"].items() >= {"steps": 2, "video_steps": 400}.items()
    assert facts["steps"] == 80


def test_of_data_with_commands_video_keeps_cameras_and_joints(dataset, video, tmp_path):
    loaded = load_data([stored(dataset.subset(np.arange(2, 12)), tmp_path / "full")], tmp_path / "run", video=True)
    assert loaded.video
    assert np.isnan(loaded.objects).all()
    assert loaded.fingerprint() == video.fingerprint()


def test_video_in_the_place_of_data_is_refused(video, tmp_path):
    with pytest.raises(SettingError, match="expected commands in the data .* use it as pretrain="):
        train_bundle(video, tmp_path / "bundle", RUN, TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("edit", "kind", "problem"),
    [
        (lambda video: replace(video, spec=BevSpec(z_max=0.5)), SettingError, r"same maps in data= and pretrain="),
        (
            lambda video: changed(video, lambda bev: bev[:, :, 0].fill(0)),
            DatasetError,
            "one object stands on the table",
        ),
    ],
)
def test_video_of_another_kind_is_refused(few, video, tmp_path, edit, kind, problem):
    with pytest.raises(kind, match=problem):
        train_bundle(few, tmp_path / "bundle", RUN, TINY, edit(video))


def test_the_data_itself_is_no_video_to_pretrain_on(dataset, few, tmp_path):
    with pytest.raises(SettingError, match="got 2 that are in both"):
        train_bundle(few, tmp_path / "bundle", RUN, TINY, dataset.as_video())


def test_a_family_that_cannot_learn_from_video_says_so(video, monkeypatch):
    class Otherwise:
        """Trains without a phase on images."""

        def __init__(self, model, data, episodes, held_out):
            pass

        def phases(self):
            return []

    family = FAMILIES["grounded"]
    monkeypatch.setitem(FAMILIES, "grounded", family._replace(training=Otherwise))
    with pytest.raises(SettingError, match="learns from video .* got 'grounded'"):
        pretraining(family.model(), video, 1)


def test_episodes_too_short_to_train_on_are_refused(few, tmp_path):
    short = replace(few, episode=np.arange(80, dtype=np.int32) // 10, seeds=list(range(8)))
    with pytest.raises(DatasetError, match="episodes of at least 17 steps"):
        train_bundle(short, tmp_path / "bundle", RUN, TINY)
