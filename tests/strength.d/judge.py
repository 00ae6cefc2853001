"""Runs tests: each once by itself, to learn what it reaches; then for each mutant those that reach it."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from build import COPY, load, product, save, say

# What is about people, machines, records and what becomes of them. The others of `it` are about cards, the central
# system, formats and this repository.
ABOUT = ("clinic::", "passkeys::", "shikakud", "store::")
AT_ONCE = 2
# A test that takes longer by itself is of no use here, in seconds.
PATIENCE = 120
# How many tests a mutant meets at once: few at first, because most mutants fail one of those.
GROUPS = (2, 4, 8, 16)
# As many seconds of tests at most, the likeliest first. What comes through them all is rarely noticed by the rest, which
# only pass by; where it would be, the true share is higher than what is printed. `--patient` runs the rest as well.
SECONDS = 60


class Test(NamedTuple):
    program: str
    name: str


class Ended(NamedTuple):
    good: bool
    hung: bool
    failed: list[str]


class Runner:
    """Runs test programs as cargo does, in groups of processes that end together."""

    def __init__(self, programs: dict[str, Path]):
        self.programs = programs
        # Short, because sockets have names of a hundred bytes at most.
        self.place = tempfile.mkdtemp(prefix="strength-")
        # Some tests start programs as somebody else.
        os.chmod(self.place, 0o755)
        self.running: set[int] = set()
        self.closed = False

    def tests(self) -> list[Test]:
        found = []
        for program, path in self.programs.items():
            lines = subprocess.run([path, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            names = [line.removesuffix(": test") for line in lines if line.endswith(": test")]
            found += [Test(program, name) for name in names if program == "daemon" or name.startswith(ABOUT)]
        return found

    def run(self, program: str, names: list[str], patience: float, environment: dict[str, str]) -> Ended:
        if self.closed:
            raise InterruptedError
        folder = COPY / ("daemon" if program == "daemon" else "tests")
        here = tempfile.mkdtemp(dir=self.place)
        os.chmod(here, 0o755)
        told = {"TMPDIR": here, "CARGO_MANIFEST_DIR": str(folder), "INSTA_UPDATE": "no", "RUST_BACKTRACE": "0"}
        process = subprocess.Popen(
            [self.programs[program], "--exact", *names],
            cwd=folder, env=os.environ | told | environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
        )
        self.running.add(process.pid)
        hung = False
        try:
            said, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            hung, said = True, ""
        # Also what a test has started and left behind.
        self.end(process.pid)
        process.wait()
        process.stdout.close()
        shutil.rmtree(here, ignore_errors=True)
        return Ended(process.returncode == 0 and not hung, hung, re.findall(r"^test (\S+).* \.\.\. .*FAILED$", said, re.M))

    def end(self, group: int) -> None:
        self.running.discard(group)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def close(self) -> None:
        self.closed = True
        for group in list(self.running):
            self.end(group)
        shutil.rmtree(self.place, ignore_errors=True)


def digest_of(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def side_by_side(runner: Runner, work, items: list) -> None:
    """Does the work two at a time; whoever interrupts need not wait for what is running."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(work, item) for item in items]
        try:
            for each in waiting:
                each.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.close()
            raise


def baseline(runner: Runner, mutants: list[dict]) -> dict[Test, dict]:
    """How long each test takes and which mutants it reaches. Kept while product and mutants are the same."""
    key = digest_of([product(), *(mutant["name"] for mutant in mutants)])
    kept = load("baseline.json", {})
    known = kept["tests"] if kept.get("of") == key else {}
    tests, lock, done = runner.tests(), threading.Lock(), Counter()

    def learn(test: Test) -> None:
        with tempfile.NamedTemporaryFile(dir=runner.place) as trace:
            for _ in range(2):
                began = time.monotonic()
                ended = runner.run(test.program, [test.name], PATIENCE, {"STRENGTH_REACHED": trace.name})
                took = time.monotonic() - began
                if ended.good or ended.hung:
                    break
            reached = sorted({mutants[int(line)]["name"] for line in Path(trace.name).read_text().split()})
        with lock:
            known[" ".join(test)] = {"good": ended.good, "hung": ended.hung, "seconds": round(took, 2), "reaches": reached}
            done["tests"] += 1
            if done["tests"] % 50 == 0:
                save("baseline.json", {"of": key, "tests": known})
                say(f"{done['tests']} tests run by themselves")

    settled = {test for test, what in known.items() if what["good"] or what["hung"]}
    side_by_side(runner, learn, [test for test in tests if " ".join(test) not in settled])
    save("baseline.json", {"of": key, "tests": known})
    for test in tests:
        if not known[" ".join(test)]["good"]:
            say(f"left aside, fails without any mutant, or takes minutes: {test.name}")
    return {test: known[" ".join(test)] for test in tests if known[" ".join(test)]["good"]}


def file(mutant: str) -> str:
    """The file that the name of a mutant begins with."""
    return mutant.partition(":")[0]


class Judge:
    """Judges mutants, two at a time."""

    def __init__(self, runner: Runner, learnt: dict[Test, dict], patient: bool):
        self.runner, self.learnt, self.patient = runner, learnt, patient
        self.reaching: dict[str, list[Test]] = {}
        for test, what in learnt.items():
            for name in what["reaches"]:
                self.reaching.setdefault(name, []).append(test)
        # How much of a file a test reaches, and what it has noticed there already: it is likely to notice more.
        self.reached = Counter((file(name), test) for test, what in learnt.items() for name in what["reaches"])
        self.noticed: Counter[tuple[str, Test]] = Counter()

    def seconds(self, tests: list[Test]) -> float:
        return sum(self.learnt[test]["seconds"] for test in tests)

    def groups(self, name: str, met: set[str]) -> list[list[Test]]:
        """The tests for a mutant but those it has met, quick and likely ones first; those of one group run in one process."""

        def cost(test: Test) -> float:
            return self.learnt[test]["seconds"] / self.reached[file(name), test] / (1 + 3 * self.noticed[file(name), test])

        tests = sorted((test for test in self.reaching.get(name, []) if test.name not in met), key=cost)
        units, others = [test for test in tests if test.program == "daemon"], [test for test in tests if test.program != "daemon"]
        while not self.patient and self.seconds(others) > SECONDS:
            others.pop()
        groups = [units]
        for size in GROUPS:
            groups.append(others[:size])
            others = others[size:]
        return [group for group in [*groups, others] if group]

    def judge(self, number: int, name: str, met: set[str]) -> str | None:
        """The test that notices, if one does. A failure counts when it comes again: tests may stumble over a busy machine."""
        on = {"STRENGTH_MUTANT": str(number)}
        for group in self.groups(name, met):
            patience = 60 + 8 * self.seconds(group)
            ended = self.runner.run(group[0].program, [test.name for test in group], patience, on)
            if ended.good:
                continue
            # None is named if the program hung or was ended: then it is the group again.
            for again in [[failed] for failed in ended.failed] or [[test.name for test in group]]:
                if not self.runner.run(group[0].program, again, patience, on).good:
                    culprit = next(test for test in group if test.name == again[0])
                    self.noticed[file(name), culprit] += 1
                    return culprit.name if not ended.hung else f"{culprit.name} (hangs)"
        return None


def verdicts(runner: Runner, learnt: dict[Test, dict], mutants: list[dict], chosen: list[int], patient: bool) -> dict[str, str | None]:
    """Which test notices which mutant. What was noticed stays so while the file is the same and the test is there; what was missed meets
    only the tests that are new since."""
    known, names = load("verdicts.json", {}), {test.name for test in learnt}
    tests = digest_of(sorted(names))
    runs = load("runs.json", {}) | {tests: sorted(names)}
    save("runs.json", runs)
    kept, met = {}, {}
    for number in chosen:
        mutant = mutants[number]
        was = known.get(mutant["name"])
        if not was or was["source"] != mutant["source"]:
            continue
        if was["by"] and was["by"].removesuffix(" (hangs)") in names:
            kept[mutant["name"]] = was["by"]
        elif not was["by"] and (was["patient"] or not patient):
            met[mutant["name"]] = set(runs.get(was["tests"], ()))
    judge, lock, left = Judge(runner, learnt, patient), threading.Lock(), [n for n in chosen if mutants[n]["name"] not in kept]
    # In no order of the sources, so that a run that is ended has judged a fair sample.
    left.sort(key=lambda n: digest_of([mutants[n]["name"]]))
    began, done = time.monotonic(), Counter()

    def decide(number: int) -> None:
        mutant = mutants[number]
        by = judge.judge(number, mutant["name"], met.get(mutant["name"], set()))
        with lock:
            kept[mutant["name"]] = by
            known[mutant["name"]] = {"by": by, "source": mutant["source"], "tests": None if by else tests, "patient": patient}
            done["all"] += 1
            done["missed"] += by is None
            save("verdicts.json", known)
            if done["all"] % 20 == 0 or done["all"] == len(left):
                say(f"{done['all']} of {len(left)} mutants judged, {done['missed']} missed, {int(time.monotonic() - began)} s")

    side_by_side(runner, decide, left)
    return kept
