"""Planning speed: candidates x horizon x iterations a second, and the share of the machine's GEMM peak that rollouts reach."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
from _common import recorded, result_options, shipped, table, write_json
from _results import Line

from wm_core.bundle import Bundle
from wm_dynamics.rollout import RolloutEngine

CANDIDATES = (64, 128, 256, 512, 1024)
GEMM = """
import time, numpy as np
a = np.random.rand(1536, 1536).astype(np.float32)
a @ a
best = min((lambda t: (a @ a, time.perf_counter() - t)[1])(time.perf_counter()) for _ in range(12))
print(2 * 1536**3 / best)
"""


def gemm_peak(threads: int) -> float:
    """Best measured float32 matrix product [flop/s] of this machine's BLAS with `threads` threads, in a fresh process."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    return float(
        subprocess.run([sys.executable, "-c", GEMM], env=environment, capture_output=True, text=True, check=True).stdout
    )


def flops_per_candidate(bundle: Bundle) -> float:
    """Multiply-adds (two operations each) of all matrix products of the rollout graph for one candidate."""
    model = onnx.load(str(bundle.path / "rollout.onnx"))
    weights = {w.name: list(w.dims) for w in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            shape = next((weights[name] for name in node.input if name in weights and len(weights[name]) >= 2), None)
            if shape is None:
                raise SystemExit(f"expected constant weights in {node.op_type} {node.name}: cannot count operations")
            total += 2 * int(np.prod(shape))
    return float(total)


def measure(bundle: Bundle, count: int, repeats: int) -> np.ndarray:
    """Seconds (repeats,) of rollouts of `count` candidates over the bundle's horizon."""
    engine, rng = RolloutEngine(bundle), np.random.default_rng(0)
    actions = rng.uniform(-0.7, 0.7, (count, bundle.horizon, bundle.action_size)).astype(np.float32)
    times = []
    for i in range(repeats + 5):
        began = time.perf_counter()
        engine.rollout(bundle.initial_mean, actions)
        if i >= 5:
            times.append(time.perf_counter() - began)
    return np.array(times)


def tables(lines: list[Line]) -> str:
    """The newest run."""
    found = lines[-1]["result"]
    rows = [
        (
            row["threads"],
            row["candidates"],
            f"{1e3 * row['median_s']:.2f}",
            f"{1e3 * row['p95_s']:.2f}",
            f"{row['candidates'] * found['horizon'] / row['median_s']:,.0f}",
            f"{row['candidates'] * found['horizon'] * found['ensemble'] / row['median_s']:,.0f}",
            f"{found['flop_per_candidate'] * row['candidates'] / row['median_s'] / 1e9:.1f}",
            f"{100 * row['gemm_share']:.0f} %",
        )
        for row in found["rows"]
    ]
    header = (
        "threads",
        "candidates",
        "median [ms]",
        "p95 [ms]",
        "candidate steps/s",
        "model steps/s",
        "GFLOP/s",
        "of GEMM peak",
    )
    return (
        f"ensemble {found['ensemble']}, horizon {found['horizon']}, {found['flop_per_candidate'] / 1e6:.2f} MFLOP per"
        f" candidate\n\n{table(header, rows)}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--bundle", type=Path, default=None, help="model bundle folder (default: the shipped one)")
    options.add_argument("--repeats", type=int, default=60)
    options.add_argument("--json", type=Path, default=None)
    result_options(options)
    args = options.parse_args()
    path = args.bundle or shipped()
    results, rows = recorded("rollout_speed", args, "repeats", bundle=path, robot=False), []
    for threads in (1, 2):
        bundle, peak = Bundle.load(path, threads), gemm_peak(threads)
        flops = flops_per_candidate(bundle)
        for count in CANDIDATES:
            times = measure(bundle, count, args.repeats)
            median, p95 = float(np.median(times)), float(np.quantile(times, 0.95))
            share = flops * count / median / peak
            rows.append(
                {
                    "threads": threads,
                    "candidates": count,
                    "median_s": median,
                    "p95_s": p95,
                    "gemm_share": share,
                    "gemm_peak": peak,
                }
            )
        print(f"{threads} thread(s): measured GEMM peak {peak / 1e9:.1f} GFLOP/s")
    facts = {"ensemble": bundle.ensemble, "horizon": bundle.horizon, "flop_per_candidate": flops}
    line = results.add({**facts, "rows": rows})
    print(f"bundle {bundle.id}: {tables([line])}")
    write_json(args.json, {"results": rows})


if __name__ == "__main__":
    main()
