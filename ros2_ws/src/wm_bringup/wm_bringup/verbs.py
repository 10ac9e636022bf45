"""Command line: collect, dataset, train, finetune, calibrate, policy, macro, evaluate, promote, reproduce."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from wm_core.config import SettingError, configure, from_words, layered, read_yaml
from wm_evaluation.registry import ENTRIES, NAMES


def main(args: list[str] | None = None) -> int:
    options = _parser().parse_args(args)
    try:
        return options.run(options)
    except (ValueError, OSError, FloatingPointError) as error:  # refused, unreadable, diverged
        print(f"wm: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wm", description="From bags to model bundles.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("collect", help="collect exploration episodes in simulation into bags")
    verb.add_argument("--world", action="append", required=True, help="name or file of a world; may be repeated")
    verb.add_argument("--episodes", type=int, default=20, help="episodes per world")
    verb.add_argument("--steps", type=int, default=50, help="control periods per episode")
    verb.add_argument("--seed", type=int, default=0, help="seed of the first episode")
    verb.add_argument("--workers", type=int, default=2)
    verb.add_argument("--video", action="store_true", help="record cameras and joints only: no commands, no labels")
    verb.add_argument("--out", type=Path, required=True, help="folder for the bags")
    verb.set_defaults(run=_collect)

    verb = verbs.add_parser("dataset", help="build a dataset from bags")
    verb.add_argument("bags", type=Path, nargs="+")
    verb.add_argument("--profile", type=Path, help="which topics play which role; `wm bag profile BAG` proposes one")
    verb.add_argument("--video", action="store_true", help="use cameras and joints only, as of bags without commands")
    verb.add_argument(
        "--strict", action="store_true", help="wm's own bags: the first fault is an error, nothing is cut"
    )
    verb.add_argument(
        "--damaged", choices=["refuse", "skip"], default="refuse", help="skip: read what is around damage"
    )
    verb.add_argument("--out", type=Path, required=True)
    verb.add_argument("--workers", type=int, default=2)
    verb.set_defaults(run=_dataset)

    verb = verbs.add_parser(
        "train",
        help="train a model family and export a bundle",
        description="Settings are name=value: family, data (a dataset, a bag or a folder of bags; may be repeated: all are"
        " used together), pretrain (the same, used as video, before: commands and labels are not needed), out, config"
        " (a YAML file), seed, threads, validation_share, checkpoint_s, pretraining.steps, and those of the family, e.g."
        " sequences.steps=3000."
        " An interrupted run goes on when it is started again. With torchrun, several processes share the batches.",
    )
    verb.add_argument("settings", nargs="+", metavar="name=value")
    verb.set_defaults(run=_train)

    verb = verbs.add_parser(
        "finetune",
        help="train a bundle's model further on new data",
        description="Settings are name=value: data (new data: a dataset, a bag or a folder of bags; may be repeated), old (the"
        " same, of what the bundle knows and must not forget; may be repeated), out (a bundle folder), encoder=adapt or freeze,"
        " labels=recorded or depth, new_share, effort, rate, seed, threads, and those of the family. Steps without an object"
        " label are labelled from depth."
        " An interrupted run goes on when it is started again.",
    )
    verb.add_argument("base", type=Path, help="the bundle to begin from")
    verb.add_argument("settings", nargs="+", metavar="name=value")
    verb.set_defaults(run=_finetune)

    verb = verbs.add_parser(
        "calibrate",
        help="fit a bundle's intervals to held-out outcomes",
        description="Fits the multipliers of the predicted intervals and writes them into the bundle. Of the data that the bundle"
        " was trained on only the held-out episodes are used; other data is used whole and must not have been trained on.",
    )
    verb.add_argument("bundle", type=Path)
    verb.add_argument("--data", type=Path, nargs="+", required=True, help="a dataset, bags or folders of bags")
    verb.set_defaults(run=_calibrate)

    verb = verbs.add_parser(
        "policy",
        help="train a policy in the imagination of a bundle's model",
        description="Settings are name=value: bundle, data (what the bundle was trained on), out (a bundle folder), config (a YAML"
        " file), and those of the training, e.g. distill.rounds=2. An interrupted run goes on when it is started again.",
    )
    verb.add_argument("settings", nargs="+", metavar="name=value")
    verb.set_defaults(run=_policy)

    verb = verbs.add_parser(
        "macro",
        help="train a predictor that jumps several steps at once, for a bundle of any family",
        description="Settings are name=value: bundle, data (what the bundle was trained on), out (a bundle folder), config (a YAML"
        " file), and those of the training, e.g. k=4, the steps of a jump. An interrupted run goes on when it is started again.",
    )
    verb.add_argument("settings", nargs="+", metavar="name=value")
    verb.set_defaults(run=_macro)

    verb = verbs.add_parser(
        "evaluate",
        help="judge bundles on held-out data and in simulation",
        description="Writes OUT/report.html and OUT/report.json; an interrupted evaluation goes on when it is started again."
        f" Measurements: {'; '.join(f'{entry.name}: {entry.says}' for entry in ENTRIES)}.",
    )
    verb.add_argument("bundle", type=Path)
    verb.add_argument("--against", type=Path, nargs="+", default=[], metavar="BUNDLE", help="bundles to compare with")
    verb.add_argument(
        "--data", type=Path, nargs="+", default=[], help="datasets or bags; without, episodes are collected under OUT"
    )
    verb.add_argument("--out", type=Path, default=Path("runs/evaluation"), help="folder of the report")
    verb.add_argument("--only", nargs="+", default=NAMES, metavar="NAME", help="some measurements")
    verb.add_argument("--effort", type=float, default=1.0, help="share of the usual numbers of episodes")
    verb.add_argument("--world", default="tabletop_block", help="where it is simulated")
    verb.add_argument("--workers", type=int, default=2)
    verb.set_defaults(run=_evaluate)

    verb = verbs.add_parser(
        "promote",
        help="make a bundle the one that robots run, if it passes the gate",
        description="Compares the bundle with the promoted one of the registry: better in the new domain, nothing lost in the old"
        " one, calibrated, fast enough. Worlds are names or files; data are datasets, bags or folders of bags, of which only"
        " held-out episodes count; without data some are collected in the worlds. Refused: exit status 1, and so recorded."
        " Writes OUT/gate.html and OUT/gate.json.",
    )
    verb.add_argument("bundle", help="a folder, which is added to the registry, or an id in it")
    verb.add_argument("--new", nargs="+", default=[], metavar="WORLD|DATA", help="where it must be better")
    verb.add_argument(
        "--old",
        nargs="+",
        default=[],
        metavar="WORLD|DATA",
        help="where nothing may be lost (default: the worlds that the promoted one was trained on)",
    )
    verb.add_argument(
        "--labels",
        default="recorded",
        help="of the objects in given data: recorded (steps without one from depth), or depth, as if no truth were recorded",
    )
    verb.add_argument("--force", default="", metavar="REASON", help="promote it whatever the verdict, and record why")
    verb.add_argument("--bags", nargs="+", default=[], help="names of the recordings it was trained on, for the record")
    verb.add_argument("--goals", type=int, default=50, help="goals in each world")
    verb.add_argument("--seed", type=int, default=10_000, help="seed of the first goal")
    verb.add_argument("--latency", type=float, default=50.0, help="[ms] of CPU time that a decision may take")
    verb.add_argument("--workers", type=int, default=2)
    verb.add_argument("--out", type=Path, default=None, help="folder of the report (default: runs/promote/ID)")
    verb.set_defaults(run=_promote)

    verb = verbs.add_parser("reproduce", help="the shipped bundle from nothing: collect, dataset, train, policy, macro")
    verb.add_argument("--work", type=Path, default=Path("runs/reproduce"), help="folder for bags and dataset")
    verb.add_argument("--out", type=Path, default=Path("runs/reproduce/bundle"), help="bundle folder")
    verb.add_argument("--episodes", type=int, default=360, help="episodes per world")
    verb.add_argument("--steps", type=int, default=50)
    verb.add_argument("--workers", type=int, default=2)
    verb.set_defaults(run=_reproduce)
    return parser


def _collect(options: argparse.Namespace) -> int:
    from wm_data.collect import collect

    collect(options.world, options.episodes, options.steps, options.out, options.seed, options.workers, options.video)
    return 0


def _dataset(options: argparse.Namespace) -> int:
    from wm_data.dataset_build import Reading, build_dataset
    from wm_data.loading import find_bags

    reading = Reading(options.profile, options.video, options.strict, options.damaged)
    data = build_dataset(find_bags(options.bags), options.out, options.workers, reading)
    print(
        f"{options.out}: {len(data.episode)} steps of {len(data.seeds)} episodes"
        + ("" if options.strict else f"; what was cut: {options.out / 'report.html'}")
    )
    return 0


def _settings(words: list[str]) -> tuple[list[Path], Path, dict[str, Any]]:
    """Places of the data, folder of the bundle to be made, and the settings of `name=value` words and the YAML file among them."""
    places = [Path(word.removeprefix("data=")) for word in words if word.startswith("data=")]
    values = from_words([word for word in words if not word.startswith("data=")])
    out, file = values.pop("out", None), values.pop("config", None)
    if not isinstance(out, str):
        raise SettingError("expected out=FOLDER for the bundle")
    if file is not None:
        values = layered(read_yaml(Path(str(file))), values)
    return places, Path(out), values


def _trained(values: dict[str, Any]) -> Path:
    """The bundle that is to be extended, taken out of the settings."""
    bundle = values.pop("bundle", None)
    if not isinstance(bundle, str):
        raise SettingError("expected bundle=FOLDER of a trained bundle")
    return Path(bundle)


def _train(options: argparse.Namespace) -> int:
    from wm_data.loading import load_data
    from wm_learning.pipelines.train import RunSettings, train_bundle

    films = [Path(word.removeprefix("pretrain=")) for word in options.settings if word.startswith("pretrain=")]
    places, out, values = _settings([word for word in options.settings if not word.startswith("pretrain=")])
    known = {field.name for field in fields(RunSettings)}
    run = configure(RunSettings, {name: value for name, value in values.items() if name in known})
    own = {name: value for name, value in values.items() if name not in known}
    work = Path(f"{out}.run")
    video = load_data(films, work, video=True) if films else None
    train_bundle(load_data(places, work), out, run, own, video)
    return 0


def _finetune(options: argparse.Namespace) -> int:
    from wm_data.loading import load_data
    from wm_learning.pipelines.finetune import FinetuneSettings, finetune

    olds = [Path(word.removeprefix("old=")) for word in options.settings if word.startswith("old=")]
    places, out, values = _settings([word for word in options.settings if not word.startswith("old=")])
    known = {field.name for field in fields(FinetuneSettings)}
    settings = configure(FinetuneSettings, {name: value for name, value in values.items() if name in known})
    own = {name: value for name, value in values.items() if name not in known}
    work = Path(f"{out}.run")
    old = load_data(olds, work / "old") if olds else None
    finetune(options.base, load_data(places, work), out, settings, old, own)
    return 0


def _policy(options: argparse.Namespace) -> int:
    from wm_data.loading import load_data
    from wm_learning.policy.pipeline import train_policy
    from wm_learning.policy.training import PolicySettings

    places, out, values = _settings(options.settings)
    bundle = _trained(values)
    settings = configure(PolicySettings, values)
    train_policy(bundle, load_data(places, Path(f"{out}.policy.run")), out, settings)
    return 0


def _macro(options: argparse.Namespace) -> int:
    from wm_data.loading import load_data
    from wm_learning.macro.pipeline import train_macro
    from wm_learning.macro.training import MacroSettings

    places, out, values = _settings(options.settings)
    bundle = _trained(values)
    settings = configure(MacroSettings, values)
    train_macro(bundle, load_data(places, Path(f"{out}.macro.run")), out, settings)
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from wm_data.loading import load_data
    from wm_learning.calibration.intervals import calibrate
    from wm_learning.pipelines.train import unseen

    data = load_data(options.data, options.bundle.with_name(f"{options.bundle.name}.calibration"))
    covered = calibrate(options.bundle, unseen(options.bundle, data))
    print("share of the outcomes of one half of the episodes in intervals fitted to the other half, by level and step:")
    for name in ("all", "predicted to move"):
        for level, shares in covered[name].items():
            print(f"  {name:18} {level:>5}  " + "  ".join(f"{step}: {share:.3f}" for step, share in shares.items()))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from wm_evaluation.run import Settings, evaluate

    report = evaluate(
        Settings(
            [options.bundle, *options.against],
            options.out,
            options.data,
            options.only,
            options.world,
            effort=options.effort,
            workers=options.workers,
        )
    )
    print(f"written: {options.out / 'report.html'}, {options.out / 'report.json'}")
    return 1 if report.failed else 0


def _promote(options: argparse.Namespace) -> int:
    from wm_evaluation.gate.limits import Limits
    from wm_evaluation.gate.promote import GateSettings, promote

    verdict = promote(
        options.bundle,
        options.new,
        options.old,
        settings=GateSettings(
            options.goals, options.seed, options.workers, Limits(latency_ms=options.latency), options.labels
        ),
        force=options.force,
        bags=options.bags,
        out=options.out,
    )
    if verdict.criteria:
        print("\n".join([verdict.table(), *verdict.notes]))
        print(f"written: {verdict.report}")
    how = (
        "promoted" if verdict.passed else f"promoted in spite of it: {verdict.forced}" if verdict.forced else "refused"
    )
    print(f"{verdict.candidate} against {verdict.against}: {how}")
    return 0 if verdict.promoted else 1


def _reproduce(options: argparse.Namespace) -> int:
    from wm_learning.pipelines.reproduce import reproduce

    reproduce(options.work, options.out, options.episodes, options.steps, options.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
