"""Runs tests: each once by itself, to learn what it reaches; then for each mutant those that reach it."""

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
# A mutant is first run against a handful of tests, because most fail one of the first.
FIRST = 6
# Then against more, until as many seconds of tests have run. What they would not notice is reached by most tests there
# are, all of which came through: more of them rarely change that, and if so, to the better.
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

    def tests(self) -> list[Test]:
        found = []
        for program, path in self.programs.items():
            lines = subprocess.run([path, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            names = [line.removesuffix(": test") for line in lines if line.endswith(": test")]
            found += [Test(program, name) for name in names if program == "daemon" or name.startswith(ABOUT)]
        return found

    def run(self, program: str, names: list[str], patience: float, environment: dict[str, str]) -> Ended:
        folder = COPY / ("daemon" if program == "daemon" else "tests")
        here = tempfile.mkdtemp(dir=self.place)
        told = {"TMPDIR": here, "CARGO_MANIFEST_DIR": str(folder), "INSTA_UPDATE": "no", "RUST_BACKTRACE": "0"}
        process = subprocess.Popen(
            [self.programs[program], "--exact", *names],
            cwd=folder, env=os.environ | told | environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
        )
        hung = False
        try:
            said, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            hung, said = True, ""
        # Also what a test has started and left behind.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()
        shutil.rmtree(here, ignore_errors=True)
        return Ended(process.returncode == 0 and not hung, hung, re.findall(r"^test (\S+).* \.\.\. .*FAILED$", said, re.M))


def baseline(runner: Runner, mutants: list[dict]) -> dict[Test, dict]:
    """How long each test takes and which mutants it reaches. Kept while the product stays the same."""
    digest, kept = product(), load("baseline.json", {})
    known = kept["tests"] if kept.get("product") == digest else {}
    tests, lock, done = runner.tests(), threading.Lock(), Counter()

    def learn(test: Test) -> None:
        with tempfile.NamedTemporaryFile(dir=runner.place) as trace:
            for _ in range(2):
                began = time.monotonic()
                ended = runner.run(test.program, [test.name], 300, {"STRENGTH_REACHED": trace.name})
                took = time.monotonic() - began
                if ended.good:
                    break
            reached = sorted({mutants[int(line)]["name"] for line in Path(trace.name).read_text().split()})
        with lock:
            known[" ".join(test)] = {"good": ended.good, "seconds": round(took, 2), "reaches": reached}
            done["tests"] += 1
            if done["tests"] % 50 == 0:
                save("baseline.json", {"product": digest, "tests": known})
                say(f"{done['tests']} tests run by themselves")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(learn, [test for test in tests if " ".join(test) not in known]))
    save("baseline.json", {"product": digest, "tests": known})
    for test in tests:
        if not known[" ".join(test)]["good"]:
            say(f"left aside, fails without any mutant: {test.name}")
    return {test: known[" ".join(test)] for test in tests if known[" ".join(test)]["good"]}


class Judge:
    """Judges mutants, two at a time."""

    def __init__(self, runner: Runner, learnt: dict[Test, dict], patient: bool):
        self.runner, self.learnt, self.patient = runner, learnt, patient
        self.reaching: dict[str, list[Test]] = {}
        for test, what in learnt.items():
            for name in what["reaches"]:
                self.reaching.setdefault(name, []).append(test)
        # Tests that have noticed something in a file are likely to notice more there.
        self.noticed: Counter[tuple[str, Test]] = Counter()

    def seconds(self, tests: list[Test]) -> float:
        return sum(self.learnt[test]["seconds"] for test in tests)

    def groups(self, mutant: dict) -> list[list[Test]]:
        """The tests for a mutant, quickest first; those of one group run in one process."""
        tests = self.reaching.get(mutant["name"], [])
        tests = sorted(tests, key=lambda test: self.learnt[test]["seconds"] / (1 + 3 * self.noticed[mutant["file"], test]))
        units, others = [test for test in tests if test.program == "daemon"], [test for test in tests if test.program != "daemon"]
        if not self.patient:
            while self.seconds(others) > SECONDS:
                others.pop()
        groups = [units, others[:FIRST], others[FIRST : 4 * FIRST], others[4 * FIRST :]]
        return [group for group in groups if group]

    def judge(self, number: int, mutant: dict) -> str | None:
        """The test that notices, if one does. A failure counts when it comes again: tests may stumble over a busy machine."""
        on = {"STRENGTH_MUTANT": str(number)}
        for group in self.groups(mutant):
            patience = 60 + 8 * self.seconds(group)
            ended = self.runner.run(group[0].program, [test.name for test in group], patience, on)
            if ended.good:
                continue
            # None is named if the program hung or was ended: then it is the group again.
            for names in [[name] for name in ended.failed] or [[test.name for test in group]]:
                if not self.runner.run(group[0].program, names, patience, on).good:
                    culprit = next(test for test in group if test.name == names[0])
                    self.noticed[mutant["file"], culprit] += 1
                    return culprit.name if not ended.hung else f"{culprit.name} (hangs)"
        return None


def verdicts(runner: Runner, learnt: dict[Test, dict], mutants: list[dict], chosen: list[int], patient: bool) -> dict[str, str | None]:
    """Which test notices which mutant. What was noticed stays so while the file is the same and the test is there."""
    known, names = load("verdicts.json", {}), {test.name for test in learnt}
    tests = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()
    kept = {}
    for number in chosen:
        mutant = mutants[number]
        was = known.get(mutant["name"])
        if was and was["source"] == mutant["source"]:
            by = was["by"]
            if by.removesuffix(" (hangs)") in names if by else was["tests"] == tests and (was["patient"] or not patient):
                kept[mutant["name"]] = by
    judge, lock, left = Judge(runner, learnt, patient), threading.Lock(), [n for n in chosen if mutants[n]["name"] not in kept]
    began, done = time.monotonic(), Counter()

    def decide(number: int) -> None:
        mutant = mutants[number]
        by = judge.judge(number, mutant)
        with lock:
            kept[mutant["name"]] = by
            known[mutant["name"]] = {"by": by, "source": mutant["source"], "tests": None if by else tests, "patient": patient}
            done["all"] += 1
            done["missed"] += by is None
            if done["all"] % 20 == 0 or done["all"] == len(left):
                save("verdicts.json", known)
                say(f"{done['all']} of {len(left)} mutants judged, {done['missed']} missed, {int(time.monotonic() - began)} s")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(decide, left))
    return kept
