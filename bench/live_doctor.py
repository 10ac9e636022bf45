"""Faults of running systems, drawn at random with their parameters, and whether `wm doctor --live` finds them and names the remedy.

Each round draws twenty kinds of fault; each is planted alone into a record of ten seconds of a healthy system: a camera driver out
of four, drawn too, two cameras, an arm in motion, a controller. `besides`: findings other than the planted one, most of them what
follows from it. A record without a fault of each driver is examined as well: anything said of it is a false alarm.
"""

import argparse
from pathlib import Path
from typing import Any

import _doctor_arm_faults  # noqa: F401  registers its faults
import _doctor_faults  # noqa: F401
import _doctor_image_faults  # noqa: F401
import numpy as np
from _common import FIRST_TEST_SEED, rate, recorded, result_options, table, write_json
from _doctor_plant import FAULTS, finds, remedied
from _doctor_records import PROFILES, healthy
from _results import Line

from wm_bringup.doctor.checks import examine

DRAWN = 20  # kinds a round


def round_of(seed: int) -> dict[str, Any]:
    """Twenty faults, and the four healthy systems."""
    rng = np.random.default_rng(seed)
    faults = {}
    for name in rng.choice(list(FAULTS), DRAWN, replace=False).tolist():
        profile = str(rng.choice(list(PROFILES)))
        observed = healthy(profile, rng)
        where = FAULTS[name].plant(observed, rng)
        findings = examine(observed)
        found = finds(findings, FAULTS[name], where)
        faults[name] = {
            "profile": profile,
            "found": bool(found),
            "remedy": remedied(found, FAULTS[name]),
            "besides": sorted({each.check for each in findings if each not in found}),
        }
    alarms = {profile: [f.check for f in examine(healthy(profile, rng))] for profile in PROFILES}
    return {"faults": faults, "alarms": alarms}


def tables(lines: list[Line]) -> str:
    """All faults of all rounds; the healthy systems; kinds of which one was missed."""
    faults = [(name, each) for line in lines for name, each in line["result"]["faults"].items()]
    alarms = [said for line in lines for said in line["result"]["alarms"].values()]
    header = (
        "rounds",
        "kinds",
        "faults found",
        "remedy named",
        "with other findings besides",
        "healthy records with a false alarm",
    )
    row = (
        len(lines),
        len({name for name, _ in faults}),
        rate(each["found"] for _, each in faults),
        rate(each["remedy"] for _, each in faults),
        rate(bool(each["besides"]) for _, each in faults),
        rate(bool(said) for said in alarms),
    )
    found = [table(header, [row])]
    missed = [(name, each["profile"], each["found"]) for name, each in faults if not each["remedy"]]
    if missed:
        found.append(table(("missed", "driver", "found, without the remedy"), missed))
    return "\n\n".join(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=10, help="of twenty faults")
    options.add_argument("--seed", type=int, default=FIRST_TEST_SEED)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--json", type=Path, default=None)
    result_options(options)
    args = options.parse_args()
    results = recorded("live_doctor", args, robot=False, drawn=DRAWN)
    calls = {(seed,): (seed,) for seed in range(args.seed, args.seed + args.rounds)}
    lines = list(results.run(round_of, calls, ("seed",), args.workers))
    results.close()
    print(tables(lines))
    write_json(args.json, {"results": lines})


if __name__ == "__main__":
    main()
