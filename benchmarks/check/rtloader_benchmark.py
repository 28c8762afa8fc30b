"""What a run of the check costs through the Agent's Python loader, beside the native door.

Both watch the same Python processes at rest, for Agents that throw away what they get. What the
Agent's own side of the Python loader takes is measured alone: the handling of what is submitted,
with the same arguments, and a run of a check that does nothing. Wants datadog-checks-base:
.cache/agent/bin/python.
"""

import argparse
import collections
import itertools
import statistics
import sys
import threading
import time
from typing import Any, Callable, Optional
from unittest import mock

import measure

sys.path.append(str(measure.ROOT / "tests/agent"))
import stand_in  # noqa: E402

# In each round, one way after another.
RUNS = 20

# Of two threads that share no processor with anything else while one waits for the other.
MOST_DELAY_NS = 20_000


class RtloaderDoor:
    """An instance of the check in this interpreter, with the Agent's modules."""

    def __init__(self, arguments: argparse.Namespace, instance: dict[str, Any]) -> None:
        stand_in.Agent().install()
        del sys.modules["aggregator"]
        sys.path[:0] = [str(arguments.build / folder) for folder in (
            "benchmarks", "check/rtloader")]
        self.aggregator = __import__("aggregator")
        self._made = stand_in.Instance(
            stand_in.load_check_class("python"), "python:bench", {}, instance)
        self.idle = stand_in.Instance(idle_class(), "idle:bench", {}, instance).check

    def run(self) -> None:
        """Runs it once, as the Agent does."""
        problem = self._made.check.run()
        if problem:
            measure.fail(problem)

    def submitted(self) -> dict[str, list[tuple[Any, ...]]]:
        """The arguments of each call of the aggregator in one run."""
        calls: dict[str, list[tuple[Any, ...]]] = {"submit_metric": [], "submit_service_check": []}
        with mock.patch.multiple(self.aggregator, **{
                name: lambda *arguments, into=into: into.append(arguments)
                for name, into in calls.items()}):
            self.run()
        return calls


def idle_class() -> type:
    """A check that does nothing."""
    from datadog_checks.checks import AgentCheck

    return type("IdleCheck", (AgentCheck,), {"check": lambda self, instance: None})


def submitter(door: RtloaderDoor) -> Callable[[], None]:
    """What hands over the same as a run, and does no more."""
    calls = [(getattr(door.aggregator, name), arguments)
             for name, arguments in door.submitted().items()]

    def submit() -> None:
        for function, arguments in calls:
            collections.deque(itertools.starmap(function, arguments), maxlen=0)

    return submit


def measure_costs(rtloader: RtloaderDoor, native: measure.NativeDoor, instance: dict[str, Any],
                  rounds: int) -> dict[str, float]:
    """CPU time of a run through each door, and of the Agent's part alone."""
    submit = submitter(rtloader)
    ways = {
        "rtloader": lambda: measure.cpu_ns(rtloader.run, RUNS),
        "native": lambda: native.run_ns(instance, RUNS),
        "aggregator": lambda: measure.cpu_ns(submit, RUNS),
        "base_class": lambda: measure.cpu_ns(rtloader.idle.run, RUNS)}
    medians = {name: statistics.median(figures) / 1000
               for name, figures in measure.interleave(ways, rounds).items()}
    own = medians["rtloader"] - medians["aggregator"]
    return {
        "rtloader_run_us": medians["rtloader"],
        "native_run_us": medians["native"],
        "aggregator_alone_us": medians["aggregator"],
        "base_class_alone_us": medians["base_class"],
        "rtloader_by_native_ratio": medians["rtloader"] / medians["native"],
        "rtloader_without_aggregator_by_native_ratio": own / medians["native"],
        "rtloader_without_agent_by_native_ratio":
            (own - medians["base_class"]) / medians["native"]}


class Ticker:
    """A Python thread that always wants the GIL, and gives it away at once."""

    def __init__(self) -> None:
        self.longest_wait_ns = 0
        self._ended = False
        self._thread = threading.Thread(target=self._tick)

    def __enter__(self) -> "Ticker":
        self._thread.start()
        return self

    def __exit__(self, *exception: Optional[object]) -> None:
        self._ended = True
        self._thread.join()

    @property
    def thread_id(self) -> int:
        """Its id in the kernel."""
        return self._thread.native_id

    def _tick(self) -> None:
        last = time.perf_counter_ns()
        while not self._ended:
            time.sleep(0)
            now = time.perf_counter_ns()
            self.longest_wait_ns = max(self.longest_wait_ns, now - last)
            last = now


def processor_delay_ns(thread: int) -> int:
    """How long a thread of this process has waited for a processor (schedstat, proc(5))."""
    with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1])


def measure_waits(rtloader: RtloaderDoor, seconds: float) -> dict[str, Optional[float]]:
    """The longest wait of another Python thread in each run, beside the run's length.

    Of runs in which both threads had a processor: the wait for one is no wait for the GIL.
    """
    runs = []
    deadline = time.monotonic() + seconds
    with Ticker() as ticker:
        threads = (ticker.thread_id, threading.get_native_id())
        while time.monotonic() < deadline:
            time.sleep(0.002)
            delayed = sum(map(processor_delay_ns, threads))
            ticker.longest_wait_ns = 0
            begin = time.perf_counter_ns()
            rtloader.run()
            length = time.perf_counter_ns() - begin
            time.sleep(0.001)  # the wait may end behind the run
            delayed = sum(map(processor_delay_ns, threads)) - delayed
            if delayed < MOST_DELAY_NS:
                runs.append((length / 1000, ticker.longest_wait_ns / 1000))
    lengths, waits = zip(*runs) if runs else ((), ())
    return {
        "gil_runs": len(runs),
        "gil_run_wall_us": statistics.median(lengths) if runs else None,
        "gil_wait_median_us": statistics.median(waits) if runs else None,
        "gil_wait_longest_us": max(waits, default=None)}


def benchmark() -> dict[str, Optional[float]]:
    """Starts, measures."""
    parser = measure.argument_parser(__doc__)
    parser.add_argument("--processes", type=int, default=20, help="how many to watch")
    parser.add_argument("--rounds", type=int, default=100, help="of 20 runs through each door")
    parser.add_argument("--gil-seconds", type=float, default=8, help="how long to wait for the GIL")
    arguments = parser.parse_args()
    measure.go_alone()
    with measure.pythons(arguments.processes) as watched:
        instance = watched.instance()
        rtloader = RtloaderDoor(arguments, instance)
        native = measure.NativeDoor(arguments.build)
        for run in (rtloader.run, lambda: native.run_ns(instance)):
            measure.expect_gauges(native, watched.gauges, run)
        measure.say(f"{arguments.rounds} rounds of {RUNS} runs through each door")
        costs = measure_costs(rtloader, native, instance, arguments.rounds)
        measure.say(f"{arguments.gil_seconds:.0f} seconds of runs beside another Python thread")
        waits = measure_waits(rtloader, arguments.gil_seconds)
        return {**measure.choice(native, watched), **costs, **waits}


if __name__ == "__main__":
    measure.main(benchmark)
