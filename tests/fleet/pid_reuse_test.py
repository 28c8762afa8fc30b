"""Processes that get the pids of others that have ended, in a pid namespace of the test's own."""

import collections
import contextlib
import itertools
import os
import platform
import random
import signal
import time
import unittest
from typing import Counter, Dict, Iterator, NamedTuple, Optional

import fleet

LAST_PID = "/proc/sys/kernel/ns_last_pid"
PIDS = range(1000, 1006)
PID_MAX = "/proc/sys/kernel/pid_max"
FEW_PIDS = 312  # the kernel leaves the first 300 alone when it begins again

BURNT = 0.1  # seconds of the processor
SWITCHES = 300
HELD = 20 << 20  # bytes
# What a process uses before it stands still is much less than that.
LITTLE = {"cpu.time": BURNT / 2, "cpu.ctx_switch": SWITCHES / 4}


class Kind(NamedTuple):
    """What a process is like."""

    matching: bool
    heavy: bool


def take_part(kind: Kind) -> None:
    """Takes a name, and if heavy uses much of all that is counted."""
    with open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("matching" if kind.matching else "another")
    if kind.heavy:
        globals()["held"] = b"x" * HELD
        for _ in range(SWITCHES):
            time.sleep(0.00001)
        while time.process_time() < BURNT:
            pass


def has_own_pid_max() -> bool:
    """Whether each pid namespace has its own; before, it is the whole machine's."""
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (6, 14)


def write(path: str, number: int) -> None:
    """Sets a number of the kernel's."""
    with open(path, "w", encoding="ascii") as file:
        file.write(str(number))


@unittest.skipUnless(os.getpid() == 1, "no pid namespace of its own")
@unittest.skipUnless(os.access(LAST_PID, os.W_OK), "the kernel lets nobody choose the next pid")
class PidReuseTest(fleet.FleetTestCase):
    """Nothing of a process passes to the next one with its pid.

    Heavy ones leave behind what their successors must not be given.
    """

    def setUp(self) -> None:
        super().setUp()
        self.kinds: Dict[int, Kind] = {}
        self.addCleanup(lambda: [self.end(pid) for pid in list(self.kinds)])
        self.by_name = self.make({"name": "reuse", "search_string": ["matching"]})
        self.by_pid = self.make({"name": "reuse", "pid": PIDS[0]})
        self.by_descent = self.make({"name": "reuse", "pid": 1, "collect_children": True,
                                     "exclude": ["no-such-process"]})

    def begin(self, pid: Optional[int], kind: Kind) -> int:
        """Forks a process that has this pid, or the next one; it stands still."""
        reader, writer = os.pipe()
        if pid is not None:
            write(LAST_PID, pid - 1)
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                take_part(kind)
                os.write(writer, b".")
                signal.pause()
            os._exit(1)
        os.close(writer)
        self.kinds[child] = kind
        self.assertIn(pid, (child, None))
        self.assertEqual(os.read(reader, 1), b".")
        os.close(reader)
        return child

    def end(self, pid: int) -> None:
        """Kills it, so that its pid is free."""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        del self.kinds[pid]

    def runs(self) -> Iterator[fleet.Run]:
        """A run of each instance, which gives those that it has to."""
        matching = {pid for pid, kind in self.kinds.items() if kind.matching}
        run = self.observe(self.by_name)
        self.assertEqual(run.pids, matching)
        yield run
        run = self.observe(self.by_pid)
        self.assertEqual(run.pids, self.kinds.keys() & {PIDS[0]})
        yield run
        run = self.observe(self.by_descent)
        self.assertEqual(run.pids, self.kinds.keys() | {1})
        run.series.pop(1)
        yield run

    def assert_own(self, run: fleet.Run, light_until_now: bool = False) -> None:
        """What is heavy in a series is its process's own."""
        for pid, gauges in run.series.items():
            self.assertLess(abs(gauges["mem.rss"] - fleet.resident(pid)), HELD / 4)
            self.assertEqual(gauges["thread_count"], 1)
            if light_until_now or not self.kinds[pid].heavy:
                for name in fleet.DIFFERENCES & gauges.keys() - {"cpu.percent"}:
                    little = LITTLE[name.rpartition(".")[0]]
                    self.assertLess(gauges[name], little, (name, self.kinds[pid]))

    def test_many_pids_are_used_again_between_two_runs(self) -> None:
        dice = random.Random(1)
        for pid in PIDS:
            self.begin(pid, Kind(matching=True, heavy=True))
        for _ in range(20):
            for run in self.runs():
                self.assert_own(run)
            for pid in dice.sample(PIDS, 4):
                self.end(pid)
                self.begin(pid, Kind(matching=dice.random() < 0.5, heavy=dice.random() < 0.2))
        # Once more, with nothing between: nobody has done anything since.
        for _ in self.runs():
            pass
        for run in self.runs():
            self.assert_own(run, light_until_now=True)

    @unittest.skipUnless(has_own_pid_max(), "pid_max is the whole machine's")
    def test_the_kernel_runs_out_of_pids_and_begins_again(self) -> None:
        with open(PID_MAX, encoding="ascii") as file:
            self.addCleanup(write, PID_MAX, int(file.read()))
        write(PID_MAX, FEW_PIDS)
        dice = random.Random(2)
        uses: Counter[int] = collections.Counter()
        for _ in range(100):
            while len(self.kinds) > 4:
                self.end(dice.choice(list(self.kinds)))
            for _ in range(3):
                kind = Kind(matching=dice.random() < 0.5, heavy=dice.random() < 0.1)
                uses[self.begin(None, kind)] += 1
            for run in self.runs():
                self.assert_own(run)
        self.assertGreater(min(uses.values()), 10)

    def test_a_pid_is_used_again_within_a_tick(self) -> None:
        """So that pid and time of birth are those of the process before."""
        twins = 0
        deadline = time.monotonic() + 10
        for matching in itertools.cycle([True, True, False]):
            time.sleep(fleet.TICK - fleet.now() % fleet.TICK)
            self.begin(PIDS[0], Kind(matching=True, heavy=False))
            born = fleet.start_time(PIDS[0])
            for _ in self.runs():
                pass
            self.end(PIDS[0])
            self.begin(PIDS[0], Kind(matching, heavy=False))
            twins += fleet.start_time(PIDS[0]) == born
            for run in self.runs():
                self.assert_own(run)
            self.end(PIDS[0])
            self.assertEqual(self.observe(self.by_name).series, {})
            if twins == 20 or time.monotonic() > deadline:
                break
        if twins == 0:
            self.skipTest("this machine forks too slowly for two in a tick")
