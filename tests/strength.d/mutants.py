"""Judges the tests by small faults in the product: `tests/strength mutants`."""

import argparse
import signal
import sys

from build import PLACE, build, listed, say
from judge import Runner, baseline, verdicts


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/strength mutants", description=__doc__)
    parser.add_argument("--file", action="append", default=[], help="judge only the mutants of this file (more than once)")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="judge every Nth mutant")
    parser.add_argument("--patient", action="store_true", help="run all tests that reach a mutant, without a limit of time")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--least", type=float, default=0, help="fail if less than this share is noticed, in percent")
    parser.add_argument("files", nargs="+", help="the files that decide")
    return parser.parse_args()


def main() -> None:
    asked = options()
    if asked.fresh:
        for kept in PLACE.glob("*.json"):
            kept.unlink()
    mutants = listed(sorted({*asked.files, *asked.file}))
    programs, unviable, left_out = build(mutants)
    say(f"{len(mutants)} mutants, {len(unviable)} of which do not compile, {len(left_out)} cannot be switched on:")
    for name, why in left_out.items():
        say(f"  left out: {name} ({why})")
    runner = Runner(programs)
    # As if interrupted at the keyboard: nothing that was started stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        learnt = baseline(runner, mutants)
        chosen = [n for n, mutant in enumerate(mutants) if mutant["name"] not in unviable and mutant["name"] not in left_out]
        chosen = [n for n in chosen if not asked.file or mutants[n]["file"] in asked.file][:: asked.sample]
        found = verdicts(runner, learnt, mutants, chosen, asked.patient)
    finally:
        runner.close()
    sys.exit(report(mutants, learnt, found, asked.least))


def report(mutants: list[dict], learnt: dict, found: dict[str, str | None], least: float) -> str | None:
    reached = {name for what in learnt.values() for name in what["reaches"]}
    for mutant in mutants:
        if found.get(mutant["name"], "") is None:
            say(f"missed: {mutant['name']}" + ("" if mutant["name"] in reached else " (no test comes here)"))
    killed = sum(by is not None for by in found.values())
    # Rounded down: 89.999 is below 90.
    share = killed * 10000 // max(len(found), 1) / 100
    print(f"figure strength.mutants {len(found)}")
    print(f"figure strength.mutants_killed_percent {share}")
    return None if share >= least else f"strength.mutants_killed_percent is below {least:g}"


if __name__ == "__main__":
    main()
