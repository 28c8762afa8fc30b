"""What others take for the same: psutil, ddtrace's runtime metrics and CPython's own reader.

psutil gives its seven gauges of the same processes as runs of the check give ten of, an instance
for each: both are told the processes, and keep what they know of them from run to run. ddtrace
collects its gauges inside the application. A CPython 3.15 reads what another one's collector has
done, and the check's memory part that one's counts. Wants psutil and ddtrace:
.cache/apps/bin/python.
"""

import argparse
import ctypes
import json
import os
import pathlib
import socket
import statistics
import sys
from typing import Callable, Mapping, Optional, Sequence

import psutil

import measure

# At rest a round is of so many runs; at work, of one.
RUNS = 20

# Of a program that measures in itself, in so many rounds of so many calls.
CPU_US = """
def cpu_us(function):
    figures = []
    for _ in range(rounds):
        begin = time.process_time_ns()
        for _ in range(times):
            function()
        figures.append((time.process_time_ns() - begin) / times / 1000)
    return statistics.median(figures)

"""

# Arguments: where to send to, and the numbers of rounds and of collections in each.
DDTRACE = CPU_US + """
import json, statistics, sys, time
from ddtrace.internal.runtime.runtime_metrics import RuntimeWorker

worker = RuntimeWorker(interval=3600, dogstatsd_url=sys.argv[1])
rounds, times = map(int, sys.argv[2:])

print(json.dumps({
    "ddtrace_collect_us": cpu_us(lambda: list(worker._runtime_metrics)),
    "ddtrace_flush_us": cpu_us(worker.flush),
    "ddtrace_metrics": len(list(worker._runtime_metrics))}))
"""

# A tracer that talks to nobody but for its runtime metrics.
DDTRACE_SETTINGS = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_ENABLED": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_SERVICE": "bench",
}

# Arguments: a process, and the numbers of rounds and of readings in each.
REMOTE_DEBUGGING = CPU_US + """
import statistics, sys, time, json
from _remote_debugging import GCMonitor, get_gc_stats

pid, rounds, times = map(int, sys.argv[1:])
monitor = GCMonitor(pid)

print(json.dumps({
    "remote_get_gc_stats_us": cpu_us(lambda: get_gc_stats(pid)),
    "remote_gc_monitor_us": cpu_us(monitor.get_gc_stats)}))
"""


def psutil_pass(processes: Sequence[psutil.Process]) -> Callable[[], None]:
    """What reads the seven gauges that psutil has."""
    def read() -> None:
        for process in processes:
            with process.oneshot():
                process.cpu_times()
                process.cpu_percent()
                process.num_ctx_switches()
                process.memory_info().rss
                process.num_threads()

    return read


def compare_psutil(door: measure.NativeDoor, watched: measure.Pythons,
                   rounds: int) -> dict[str, float]:
    """CPU time per process, at rest and at work."""
    read = psutil_pass([psutil.Process(pid) for pid in watched.pids])
    instances = [{"name": "bench", "pid": pid} for pid in watched.pids]
    for instance in instances:
        measure.expect_gauges(door, measure.GAUGES_PER_PROCESS + measure.INSTANCE_GAUGES,
                              lambda: door.run_ns(instance))
    figures: dict[str, float] = {"processes": len(watched.pids)}
    for state, before, runs in (("at_rest", lambda: None, RUNS), ("at_work", watched.wake, 1)):
        measure.say(f"{rounds} rounds beside psutil, {state.replace('_', ' ')}")
        medians = {name: statistics.median(values) / 1000 / len(watched.pids)
                   for name, values in measure.interleave({
                       "psutil": lambda: measure.cpu_ns(read, runs),
                       "native": lambda: sum(door.run_ns(each, runs) for each in instances),
                   }, rounds, before).items()}
        figures |= {
            f"psutil_{state}_us_per_process": medians["psutil"],
            f"native_{state}_us_per_process": medians["native"],
            f"psutil_by_native_{state}_ratio": medians["psutil"] / medians["native"]}
    return figures


def run_json(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
    """What a program prints; it is killed with its group where it takes too long."""
    with measure.child(command, env=environment) as program:
        return json.loads(program.hear(65536))


def measure_ddtrace(rounds: int) -> dict[str, float]:
    """CPU time of one collection, in the application that is watched."""
    measure.say(f"{rounds} rounds of ddtrace's collections")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        return run_json(
            [sys.executable, "-c", DDTRACE, f"udp://127.0.0.1:{agent.getsockname()[1]}",
             str(rounds), str(RUNS)], {**os.environ, **DDTRACE_SETTINGS})


def find_interpreter(name: str) -> Optional[tuple[list[str], dict[str, str]]]:
    """One of those that tools/interpreters brings: what runs it, and in what environment.

    One that is in a folder to chroot to runs outside of it, where /proc is, with its own libraries.
    """
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    folder = pathlib.Path(os.environ.get("PYCHECK_INTERPRETERS", cache / "pycheck-interpreters"))
    with open(folder / "index", encoding="utf-8") as index:
        fields = {line.split("\t")[0]: line.rstrip("\n").split("\t")[1:] for line in index}
    if name not in fields:
        return None
    root, executable, _ = fields[name]
    if root == "-":
        return [executable], dict(os.environ)
    return [f"{root}/usr/lib64/ld-linux-x86-64.so.2", "--library-path",
            f"{root}/usr/lib/x86_64-linux-gnu", root + executable], {
                **os.environ, "PYTHONHOME": root + "/usr"}


def compare_remote_debugging(arguments: argparse.Namespace) -> dict[str, float]:
    """CPU time of one reading of a collector in another process, first and again."""
    try:
        found = find_interpreter(arguments.interpreter)
    except FileNotFoundError:
        found = None
    if found is None:
        measure.say(f"no {arguments.interpreter}; tools/interpreters {arguments.interpreter}")
        return {}
    measure.say(f"{arguments.rounds} rounds beside the reader of {arguments.interpreter}")
    command, environment = found
    reader = ctypes.CDLL(str(arguments.build / "benchmarks/libgc-counts.so"))
    with measure.pythons(1, command, environment) as watched:
        figures = run_json([*command, "-S", "-c", REMOTE_DEBUGGING, str(watched.pids[0]),
                            str(arguments.rounds), str(RUNS)], environment)
        for name in ("First", "Again"):
            function = getattr(reader, "GcCounts" + name)
            function.restype = ctypes.c_longlong
            used = [function(watched.pids[0], RUNS) for _ in range(arguments.rounds)]
            if min(used) < 0:
                measure.fail(f"the counts of {arguments.interpreter} could not be read")
            figures[f"gc_counts_{name.lower()}_us"] = statistics.median(used) / RUNS / 1000
    figures["remote_by_gc_counts_first_ratio"] = (
        figures["remote_get_gc_stats_us"] / figures["gc_counts_first_us"])
    figures["remote_by_gc_counts_again_ratio"] = (
        figures["remote_gc_monitor_us"] / figures["gc_counts_again_us"])
    return figures


def benchmark() -> dict[str, float]:
    """Starts, measures."""
    parser = measure.argument_parser(__doc__)
    parser.add_argument("--processes", type=int, default=20, help="how many to watch")
    parser.add_argument("--rounds", type=int, default=100, help="of each comparison")
    parser.add_argument("--interpreter", default="sid-3.15", metavar="NAME",
                        help="a CPython 3.15 of tools/interpreters")
    arguments = parser.parse_args()
    door = measure.NativeDoor(arguments.build)
    with measure.pythons(arguments.processes) as watched:
        figures = compare_psutil(door, watched, arguments.rounds)
    return {**figures, **measure_ddtrace(arguments.rounds), **compare_remote_debugging(arguments)}


if __name__ == "__main__":
    measure.main(benchmark)
