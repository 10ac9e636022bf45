"""What action-free video is worth before a few interactions: the same fine-tuning with and without a pretrained model."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import flat, groups, recorded, result_options, table, write_json
from _results import Line
from data_efficiency import draw_episodes, shortened

from wm_core.config import configure
from wm_data.dataset import Dataset
from wm_learning.families import FAMILIES, WorldModel, phases, pretraining
from wm_learning.figures.held_out import HORIZONS, evaluate
from wm_learning.pipelines.train import RunSettings, remember, split
from wm_learning.training.embeddings import embed
from wm_learning.training.trainer import Trainer

ARMS = {"interactions only": "none", "video first": "other", "the same as video first": "itself"}  # and their folders
NOT_TRAINING = ("families", "seeds", "results", "fresh")
PROTOCOL = """\
Protocol: {minutes:g} min of interactions (whole episodes of a dataset) train each family for {share:.0%} of its usual steps; before
that it sees nothing, or for {steps} steps the same episodes as video, or for as many other video: cameras and joints only, no commands, no
labels. Judged on data never trained on: seeing (error of the encoder, all cameras), belief (filtered), and the error
after h steps of known actions over windows in which the object moves at least 1 cm. Mean [min, max] of the training seeds."""


def train(
    family: str, few: Dataset, video: Dataset | None, folder: Path, seed: int, args: argparse.Namespace
) -> tuple[WorldModel, float]:
    """A trained model, and the seconds that it took; goes on where it was killed."""
    kind = FAMILIES[family]
    torch.manual_seed(seed)
    model = kind.model(configure(kind.config, shortened(family, args.share)))
    before = pretraining(model, video, args.steps) if video is not None else []
    after = phases(model, few, *split(few, RunSettings(seed=seed)))
    return model, Trainer(model, folder, seed).run([*before, *after])


def judge(
    family: str,
    few: Dataset,
    video: Dataset | None,
    held_out: Dataset,
    folder: Path,
    seed: int,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Errors [mm] of one training."""
    remember(folder, {name: str(value) for name, value in vars(args).items() if name not in NOT_TRAINING})
    model, spent = train(family, few, video, folder, seed, args)
    found = evaluate(model, held_out, embed(model, held_out), np.unique(held_out.episode))
    errors = {
        "seeing": found.see_median,
        "seeing p95": found.see_p95,
        "belief": found.filter_median,
        **{f"{h} steps": found.open_loop["model"][str(h)] for h in HORIZONS},
    }
    return {**errors, "copy-last": found.open_loop["copy_last"], "s": spent}


def cells(results: list[dict[str, Any]]) -> list[str]:
    """Mean and range over training seeds."""
    columns = []
    for name in ("seeing", "seeing p95", "belief", *(f"{h} steps" for h in HORIZONS)):
        values = [result[name] for result in results]
        around = f" [{min(values):.1f}, {max(values):.1f}]" if len(values) > 1 else ""
        columns.append(f"{np.mean(values):.1f}{around}")
    return [*columns, f"{np.mean([result['s'] for result in results]):.0f}"]


def tables(lines: list[Line]) -> str:
    rows = [
        (family, arm, *cells([line["result"] for line in found]))
        for (family, arm), found in groups(lines, "family", "arm").items()
    ]
    last = min((line["result"] for line in lines), key=lambda result: result["belief"])["copy-last"]
    rows.append(
        ("copy-last", "from the best of these beliefs", "", "", "", *(f"{last[str(h)]:.1f}" for h in HORIZONS), "")
    )
    header = ("family", "training", "seeing [mm]", "p95", "belief", *(f"{h} steps" for h in HORIZONS), "training [s]")
    return table(header, rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="dataset with commands")
    options.add_argument(
        "--video", type=Path, required=True, help="dataset of video (wm collect --video, wm dataset --video)"
    )
    options.add_argument("--held-out", type=Path, required=True, help="dataset to judge on")
    options.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    options.add_argument("--minutes", type=float, default=3, help="of interactions")
    options.add_argument("--share", type=float, default=0.2, help="of the usual training steps")
    options.add_argument("--steps", type=int, default=600, help="on video")
    options.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the drawn episodes and of training")
    options.add_argument("--out", type=Path, default=Path("runs/pretraining"), help="trainings are kept here and go on")
    result_options(options)
    args = options.parse_args()
    print(PROTOCOL.format(**vars(args)))
    torch.set_num_threads(1)
    data, video, held_out = (Dataset.load(place) for place in (args.data, args.video, args.held_out))
    facts = {"data": data.fingerprint(), "video": video.fingerprint(), "held_out": held_out.fingerprint()}
    results, lines = recorded("pretraining", args, "minutes", "share", "steps", robot=False, **facts), []
    for family in args.families:
        for seed in args.seeds:
            few = data.subset(draw_episodes(data, args.minutes, seed))
            films = (None, video, few.as_video())
            for (arm, short), film in zip(ARMS.items(), films, strict=True):
                key = {"family": family, "arm": arm, "seed": seed}
                line = results.done(**key)
                if line is None:
                    folder = args.out / f"{family}-{short}-{seed}"
                    line = results.add(judge(family, few, film, held_out, folder, seed, args), **key)
                lines.append(line)
                print(f"{family}, {arm}, seed {seed}: {line['result']}", flush=True)
    print("\n" + tables(lines))
    report = [flat(line, "family", "arm", "seed") for line in lines]
    write_json(args.out / "pretraining.json", {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
