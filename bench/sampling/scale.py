"""`restem bench scale`: sampling plus scoring on two machines of one core against one.

Three ways to have two machines, all on this one: two workers of a Ray cluster; the same with the
artifacts in an S3-compatible server; two servers that sample (`restem engine serve`). Each then
loses a machine on the way, and its digests are compared with those of an undisturbed run. Beside
each ratio stands what the cores give to processes that share nothing.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

from bench.sampling import _scale_endpoints, _scale_ray
from bench.sampling._local_s3 import BUCKET, local_s3, variables
from bench.sampling._scale_draws import Pairs
from flows.server.local import prefect_server
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.generate.vllm_environment import VARIABLE, python_of

WAYS = ("ray", "s3", "endpoints")


def run(ways: str = ",".join(WAYS), rounds: int | str = 5, samples: int | str = 96) -> float:
    """Print the seconds of each, and the ratios.

    Args:
        ways: Of ray, s3 and endpoints (which needs vLLM).
        rounds: Pairs of each.
        samples: For each of 256 problems; half of them for each of 64 with endpoints.

    Returns:
        The worst way's median of the seconds on one machine over those on two.
    """
    if unknown := set(ways.split(",")) - set(WAYS):
        raise UserError(f"ways: {', '.join(sorted(unknown))}; expected some of {', '.join(WAYS)}")
    before = dict(os.environ)
    engine = str(python_of(home())) if "endpoints" in ways else ""
    found: dict[str, Pairs] = {}
    for way in ways.split(","):
        with tempfile.TemporaryDirectory(prefix="restem-bench-", ignore_cleanup_errors=True) as at:
            os.environ["RESTEM_HOME"] = at
            if engine:
                os.environ[VARIABLE] = engine
            try:
                found[way] = _measure(way, Path(at), int(rounds), int(samples))
            finally:
                os.environ.clear()
                os.environ.update(before)
    ratios = {way: statistics.median(pairs.ratios) for way, pairs in found.items()}
    for way, ratio in ratios.items():
        ceiling = statistics.median(found[way].ceiling)
        print(f"scale {way} ratio={ratio:.3f}; the cores alone {ceiling:.3f}")
    worst = min(ratios.values())
    print(f"scale ratio={worst:.3f}")
    return worst


def _measure(way: str, at: Path, rounds: int, samples: int) -> Pairs:
    if way == "endpoints":
        return _scale_endpoints.measure_endpoints(at, rounds, samples // 2)
    with prefect_server():
        if way == "ray":
            return _scale_ray.measure_ray(way, at, rounds, samples)
        with local_s3() as port:
            os.environ.update(variables(f"http://127.0.0.1:{port}"))
            return _scale_ray.measure_ray(way, at, rounds, samples, f"s3://{BUCKET}/store")
