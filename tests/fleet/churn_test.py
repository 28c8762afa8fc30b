"""A master whose children come and go, some two hundred in a second, while it is watched."""

import collections
import math
import os
import subprocess
import time
from typing import Dict, List, NamedTuple

import door
import fleet
import stand_in

SECONDS = float(os.environ.get("PYCHECK_CHURN_SECONDS", "8"))
INTERVAL = 0.25  # seconds between two runs


class Life:
    """What the workload's log says of one child; see churn.py. Pairs are before and after."""

    def __init__(self) -> None:
        self.pid = 0
        self.born = (math.inf, math.inf)
        self.hidden = (math.inf, math.inf)
        self.ended = (math.inf, math.inf)
        self.used = math.inf  # seconds of the processor

    def note(self, event: str, numbers: List[float]) -> None:
        """Takes what a line says but for the child's number."""
        if event == "born":
            self.born, self.pid = tuple(numbers[:2]), int(numbers[2])
        elif event == "hidden":
            self.hidden = tuple(numbers)
        elif event == "ending":
            self.ended, self.used = (numbers[0], math.inf), numbers[1]
        else:
            self.ended = (self.ended[0], numbers[0])

    def may_be_in(self, run: fleet.Run, titled: bool) -> bool:
        """Whether it was there, with its title if that counts, at any moment of a run."""
        gone = min(self.ended[1], self.hidden[1] if titled else math.inf)
        return self.born[0] <= run.ended and run.began <= gone

    def must_be_in(self, run: fleet.Run, titled: bool) -> bool:
        """The same for the whole of it."""
        gone = min(self.ended[0], self.hidden[0] if titled else math.inf)
        return self.born[1] <= run.began and run.ended <= gone


class Watch(NamedTuple):
    """An instance, what its runs gave, and whether it goes by titles."""

    instance: stand_in.Instance
    runs: List[fleet.Run]
    titled: bool


@fleet.NEEDS_APPS
class ChurnTest(fleet.FleetTestCase):
    """What was reported is held up against the log when all is over."""

    def test_every_series_is_of_a_process_that_was_there(self) -> None:
        log = os.path.join(self.make_directory(), "log")
        before = self.count_idle_descriptors()
        workload = self.start(fleet.python_command("workloads/churn.py", log, str(SECONDS)),
                              stdout=subprocess.PIPE)
        workload.process.stdout.readline()
        watches = [
            Watch(self.make({"name": "churn", "search_string": [log], "exact_match": False}),
                  [], True),
            Watch(self.make({"name": "churn", "pid": workload.pid, "collect_children": True}),
                  [], False),
        ]
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for watch in watches:
                watch.runs.append(self.observe(watch.instance))
            time.sleep(INTERVAL)
        workload.process.stdout.readline()
        lives = read_log(log)
        for watch in watches:
            for run in watch.runs:
                self.assertIn(workload.pid, run.pids)
                run.series.pop(workload.pid)
            self.assert_only_who_was_there(watch, lives)
            self.assert_differences_are_their_own(watch, lives)
            self.assert_all_from_birth(watch, lives)

        workload.stop()
        for watch in watches:
            self.assertEqual(self.observe(watch.instance).series, {})
        self.assertEqual(len(door.open_descriptors()), before)

    def count_idle_descriptors(self) -> int:
        """Those that are open while two instances have nothing to watch."""
        ended = self.start(["true"])
        ended.process.wait()
        instances = [
            self.make({"name": "idle", "search_string": [fleet.unique("idle")],
                       "exact_match": False}),
            self.make({"name": "idle", "pid": ended.pid, "collect_children": True})]
        for instance in instances:
            self.assertEqual(self.observe(instance).series, {})
        count = len(door.open_descriptors())
        for instance in instances:
            instance.cancel()
        return count

    def assert_only_who_was_there(self, watch: Watch, lives: List[Life]) -> None:
        """Nobody was reported who was not there, and nobody left out who was."""
        for run in watch.runs:
            may = {life.pid for life in lives if life.may_be_in(run, watch.titled)}
            must = {life.pid for life in lives if life.must_be_in(run, watch.titled)}
            self.assertEqual(run.pids - may, set())
            self.assertEqual(must - run.pids, set())

    def assert_differences_are_their_own(self, watch: Watch, lives: List[Life]) -> None:
        """Nobody is said to have used more of the processor than it has."""
        used: Dict[int, float] = collections.Counter()
        for run in watch.runs:
            for pid, gauges in run.series.items():
                used[pid] += sum(gauges.get("cpu.time." + mode, 0) for mode in ("user", "sys"))
        for life in lives:
            # User and system time are each rounded down, but their differences can be up.
            self.assertLessEqual(used[life.pid], life.used + 2 * fleet.TICK, life.pid)

    def assert_all_from_birth(self, watch: Watch, lives: List[Life]) -> None:
        """Who was born between two runs has all gauges in the second, and who goes on in all."""
        for last, run in zip(watch.runs, watch.runs[1:]):
            for life in lives:
                # The time of birth is known to a tick.
                known = (life.must_be_in(last, watch.titled)
                         or life.born[0] - fleet.TICK > last.ended)
                if known and life.must_be_in(run, watch.titled):
                    self.assertEqual(set(run.series[life.pid]), fleet.ALL_GAUGES)


def read_log(path: str) -> List[Life]:
    """The lives of all children."""
    lives: Dict[str, Life] = collections.defaultdict(Life)
    with open(path, encoding="ascii") as file:
        for line in file:
            event, number, *rest = line.split()
            lives[number].note(event, list(map(float, rest)))
    return list(lives.values())
