"""What a watched process loses by being watched: its CPU time for the same work, with and without.

One Python works; the check reads it, from another processor where there is one, or does not. Ten
runs a second are too few to be seen, so it runs without a pause, and what that costs the process is
divided by how often it ran. Windows with and without alternate, as in ABBA, and each four of them
are a pair that is compared. A processor's counter of instructions counts the process's own where
there is one. Last, the process's state is looked at all the while it is being read.
"""

import ctypes
import os
import random
import select
import statistics
import struct
import sys
import threading
import time
from typing import Callable, NamedTuple, Optional

import measure

HZ = 10  # how often the check is to run
PAIRS_AT_LEAST = 5

# Does as many units of work as it is told, each with garbage that only the collector frees, and
# says what CPU time they took: nanoseconds.
WORKER = """
import sys, time

class Node:
    pass

def work():
    total = 0
    for number in range(2000):
        node = Node()
        node.self = node
        total += sum(range(10)) + number
    return total

sys.stdout.write("0\\n")
sys.stdout.flush()
for line in sys.stdin:
    begin = time.process_time_ns()
    for _ in range(int(line)):
        work()
    sys.stdout.write("%d\\n" % (time.process_time_ns() - begin))
    sys.stdout.flush()
"""


class Instructions:
    """The instructions that a process executes outside of the kernel, perf_event_open(2)."""

    _SYSCALL = 298  # of x86-64
    _PERF_TYPE_HARDWARE = 0
    _PERF_COUNT_HW_INSTRUCTIONS = 1
    _EXCLUDE_KERNEL_AND_HYPERVISOR = 1 << 5 | 1 << 6
    _SIZE = 112  # PERF_ATTR_SIZE_VER5

    def __init__(self, pid: int) -> None:
        attributes = bytearray(self._SIZE)
        struct.pack_into("IIQ", attributes, 0, self._PERF_TYPE_HARDWARE, self._SIZE,
                         self._PERF_COUNT_HW_INSTRUCTIONS)
        struct.pack_into("Q", attributes, 40, self._EXCLUDE_KERNEL_AND_HYPERVISOR)
        self._counter = ctypes.CDLL(None).syscall(
            self._SYSCALL, (ctypes.c_char * self._SIZE).from_buffer(attributes), pid, -1, -1, 0)

    @property
    def is_there(self) -> bool:
        """Whether this machine has such a counter."""
        return self._counter >= 0

    def read(self) -> int:
        """How many there were so far."""
        return int.from_bytes(os.read(self._counter, 8), sys.byteorder)


class Worker:
    """The process that works, in windows."""

    def __init__(self, child: measure.Child) -> None:
        self._child = child
        self.pid = child.pid
        self.instructions = Instructions(child.pid)
        self.units = 1
        self.runs_per_second = 0.0  # of the check, in the last window

    def calibrate(self, seconds: float) -> None:
        """Has a window be about so long."""
        self.window(lambda: None)  # the first one is not like the others
        self.units = 50
        used = self.window(lambda: None)["cpu"] / 1e9
        self.units = max(1, round(self.units * seconds / used))

    def window(self, check: Optional[Callable[[], None]]) -> dict[str, float]:
        """What a window of work took, in which the check runs all the while or not at all."""
        before = self.instructions.read() if self.instructions.is_there else 0
        begin, runs = time.monotonic(), 0
        self._child.tell(b"%d\n" % self.units)
        while check and not select.select([self._child], [], [], 0)[0]:
            check()
            runs += 1
        took = {"cpu": float(self._child.hear(64))}
        if self.instructions.is_there:
            took["instructions"] = float(self.instructions.read() - before)
        self.runs_per_second = runs / (time.monotonic() - begin)
        return took


class Difference(NamedTuple):
    """How much more the windows with the check took than those without."""

    percent: dict[str, float]
    runs_per_second: float


def compare(worker: Worker, check: Callable[[], None]) -> Difference:
    """Of four windows."""
    without = [worker.window(None)]
    with_check = [worker.window(check)]
    runs_per_second = worker.runs_per_second
    with_check.append(worker.window(check))
    without.append(worker.window(None))
    return Difference(
        {kind: 100 * (sum(each[kind] for each in with_check)
                      / sum(each[kind] for each in without) - 1) for kind in without[0]},
        runs_per_second)


def summarise(differences: list[float]) -> tuple[float, float, float]:
    """Their median, and a bootstrap's 95 % confidence interval of it."""
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(differences, k=len(differences)))
                     for _ in range(4000))
    return (statistics.median(differences), medians[round(0.025 * len(medians))],
            medians[round(0.975 * len(medians)) - 1])


def measure_differences(worker: Worker, check: Callable[[], None],
                        seconds: float) -> dict[str, float]:
    """As many comparisons as there is time for, and what they come to at ten runs a second."""
    pairs: list[Difference] = []
    deadline = time.monotonic() + seconds
    while len(pairs) < PAIRS_AT_LEAST or time.monotonic() < deadline:
        pairs.append(compare(worker, check))
    rate = statistics.median(pair.runs_per_second for pair in pairs)
    figures: dict[str, float] = {"pairs": len(pairs), "runs_per_second": rate}
    for kind in pairs[0].percent:
        median, least, greatest = summarise([pair.percent[kind] for pair in pairs])
        figures |= {f"{kind}_without_a_pause_percent": median,
                    f"{kind}_difference_percent": median * HZ / rate,
                    f"{kind}_difference_ci95_low_percent": least * HZ / rate,
                    f"{kind}_difference_ci95_high_percent": greatest * HZ / rate}
    return figures


def read_state(pid: int) -> tuple[str, int]:
    """The process's state, and who traces it, proc_pid_status(5)."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        fields = dict(line.split(":", 1) for line in file)
    return fields["State"].split()[0], int(fields["TracerPid"])


def observe(worker: Worker, check: Callable[[], None], seconds: float) -> dict[str, float]:
    """Looks at the process's state all the while the check reads it, one run after another."""
    figures = {"state_samples": 0, "state_samples_stopped": 0, "state_samples_traced": 0,
               "state_runs": 0}
    ended = threading.Event()

    def run_all_the_time() -> None:
        while not ended.is_set():
            check()
            figures["state_runs"] += 1

    def look() -> None:
        while not ended.is_set():
            state, tracer = read_state(worker.pid)
            figures["state_samples"] += 1
            figures["state_samples_stopped"] += state in "tT"
            figures["state_samples_traced"] += tracer != 0

    threads = [threading.Thread(target=each) for each in (run_all_the_time, look)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            worker.window(None)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    return figures


def share_processors() -> Optional[int]:
    """Takes one processor for this process; another one for the worker, where there is one."""
    own, *others = sorted(os.sched_getaffinity(0), reverse=True)
    if not others:
        return None
    os.sched_setaffinity(0, {own})
    return others[-1]


def benchmark() -> dict[str, float]:
    """Starts, measures."""
    parser = measure.argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=40, help="how long to compare")
    parser.add_argument("--window-seconds", type=float, default=0.1, help="of work at a time")
    arguments = parser.parse_args()
    door = measure.NativeDoor(arguments.build)
    processor = share_processors()
    with measure.child([sys.executable, "-I", "-S", "-c", WORKER]) as child:
        if processor is not None:
            os.sched_setaffinity(child.pid, {processor})
        child.hear(64)
        worker = Worker(child)
        # With its parent as a tag all of it is read in each run, as ten times a second.
        instance = {"name": "bench", "pid": child.pid, "tag_by": ["ppid"]}
        used_ns: list[float] = []

        def check() -> None:
            used_ns.append(door.run_ns(instance))

        worker.calibrate(arguments.window_seconds)
        measure.expect_gauges(door, measure.GAUGES_PER_PROCESS + measure.INSTANCE_GAUGES, check)
        measure.say(f"comparing for {arguments.seconds:.0f} seconds")
        figures = measure_differences(worker, check, arguments.seconds)
        check_us = statistics.median(used_ns) / 1000
        measure.say("looking at the process's state meanwhile")
        states = observe(worker, check, seconds=3)
    return {**figures, "check_run_us": check_us, **states}


if __name__ == "__main__":
    measure.main(benchmark)
