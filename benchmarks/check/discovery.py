"""What it costs to find the Python processes among many: the check beside psutil.

Starts processes that do nothing, has the check and psutil choose those with a word in their command
line, and prints the CPU time and the system calls that a run of each takes once it is at rest.
"""

import argparse
import collections
import contextlib
import importlib.metadata
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Counter, Iterator, NamedTuple

from measure import fail, say

HERE = pathlib.Path(__file__).resolve().parent
CHECK = HERE.parents[1] / "build/check/cli/python-check"

# After these runs the check and psutil know the processes. Those that follow are measured, and
# fewer of them by strace, which takes its time and counts the same in each.
FIRST_RUNS = 5
TRACED_RUNS = 5
REPETITIONS = 5

# Every process that the check chooses has it at every run.
A_GAUGE = "runtime.python.mem.rss"

# A Python that says when it is up, and waits.
PYTHON = (os.path.realpath(sys.executable), "-I", "-S", "-E", "-c",
          "import posix; posix.write(1, b'.'); posix.read(0, 1)")
# Waits for the same, and takes next to no memory.
OTHER = ("/bin/cat", "-")

Row = NamedTuple("Row", [
    ("processes", int), ("pythons", int), ("matching", int), ("way", str), ("cpu_ms", float),
    ("system_calls", Counter[str])])


class Way(NamedTuple):
    """A program that does as many runs as its last option says, and prints JSON."""

    name: str
    command: tuple[str, ...]
    input: str = ""


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2000, help="how many to start")
    parser.add_argument("--pythons", type=int, default=500, help="how many of them are Pythons")
    parser.add_argument("--matching", default="50,500", help="how many of the Pythons to choose")
    parser.add_argument("--runs", type=int, default=20, help="how many to measure the CPU time of")
    parser.add_argument("--json", metavar="FILE", help="write the table there too")
    arguments = parser.parse_args()
    arguments.matching = [int(count) for count in arguments.matching.split(",")]
    if not 0 < max(arguments.matching) <= arguments.pythons <= arguments.processes:
        parser.error("it takes 0 < --matching <= --pythons <= --processes")
    return arguments


def psutil_version() -> str:
    """Its version; ends where it, or something else that is needed, is missing."""
    if shutil.which("strace") is None:
        fail("there is no strace; apt-get install strace")
    if not CHECK.exists():
        fail(f"there is no {CHECK}; tools/build")
    try:
        return importlib.metadata.version("psutil")
    except importlib.metadata.PackageNotFoundError:
        fail("there is no psutil; tools/setup apps, then .cache/apps/bin/python")


def word_for(matching: int) -> str:
    """What so many of the Pythons have in their command line, and no other process."""
    return f"discovery-{os.getpid()}-{matching}-"


def command_lines(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """What to start, the Pythons first."""
    for number in range(arguments.pythons):
        words = [word_for(matching) for matching in arguments.matching if number < matching]
        yield *PYTHON, *(words or ["another"])
    for _ in range(arguments.processes - arguments.pythons):
        yield OTHER


@contextlib.contextmanager
def waiting_processes(arguments: argparse.Namespace) -> Iterator[None]:
    """The processes, in a group of their own; they are killed in the end.

    They wait for the end of a pipe that only this process holds: however it dies, so do they.
    """
    waiting, held = os.pipe()
    ready, up = os.pipe()
    ends = [(os.POSIX_SPAWN_DUP2, waiting, 0), (os.POSIX_SPAWN_DUP2, up, 1)]
    group = 0
    begin = time.monotonic()
    say(f"starting {arguments.processes} processes, {arguments.pythons} of them Pythons")
    try:
        for number, command in enumerate(command_lines(arguments), 1):
            pid = os.posix_spawn(command[0], command, os.environ, file_actions=ends,
                                 setpgroup=group)
            group = group or pid
            if number % 500 == 0:
                say(f"{number} are started")
        await_bytes(ready, arguments.pythons)
        say(f"all are up after {time.monotonic() - begin:.0f} s")
        yield
    finally:
        if group:
            end_group(group)
        for pipe in (waiting, held, ready, up):
            os.close(pipe)


def await_bytes(pipe: int, count: int) -> None:
    """Reads so many bytes."""
    while count > 0:
        if not select.select([pipe], [], [], 60)[0]:
            fail(f"{count} Pythons did not come up")
        count -= len(os.read(pipe, count))


def end_group(group: int) -> None:
    """Kills a group of this process's children, and waits for all of them."""
    os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def run(way: Way, runs: int, tracer: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the program prints."""
    command = [*tracer, *way.command[:-1], f"{way.command[-1]}={runs}"]
    output = subprocess.run(command, input=way.input, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(output.stdout)


def trace(way: Way, runs: int) -> Counter[str]:
    """How many system calls of each kind it takes, and their "total"."""
    with tempfile.NamedTemporaryFile("r") as summary:
        run(way, runs, ("strace", "-f", "-c", "-U", "calls,name", "-o", summary.name))
        lines = [line.split() for line in summary]
    return collections.Counter({name: int(calls) for calls, name in lines if calls.isdigit()})


def system_calls(way: Way) -> Counter[str]:
    """The same for one run at rest: from the difference of two numbers of runs."""
    calls = trace(way, FIRST_RUNS + TRACED_RUNS)
    calls.subtract(trace(way, FIRST_RUNS))
    return collections.Counter(
        {name: count / TRACED_RUNS for name, count in calls.items() if count})


def expect(matching: int, chosen: int, way: Way) -> None:
    """Ends where a way does not choose what it should."""
    if chosen != matching:
        fail(f"{way.name}: {chosen} processes were chosen, not {matching}")


def check_cpu_ms(way: Way, runs: int, matching: int) -> float:
    """CPU time of one run of the check at rest: from the difference of two numbers of runs."""

    def cpu_seconds(all_runs: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        metrics = run(way, all_runs)["metrics"]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        expect(matching, [metric["name"] for metric in metrics].count(A_GAUGE), way)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return statistics.median(
        (cpu_seconds(FIRST_RUNS + runs) - cpu_seconds(FIRST_RUNS)) / runs * 1000
        for _ in range(REPETITIONS))


def psutil_cpu_ms(way: Way, runs: int, matching: int) -> float:
    """CPU time of one pass of psutil at rest."""
    result = run(way, FIRST_RUNS + runs)
    expect(matching, result["chosen"], way)
    return statistics.median(result["cpu_ms"][FIRST_RUNS:])


def measure(arguments: argparse.Namespace, matching: int, conf: str) -> Iterator[Row]:
    """The rows for one number of processes that match."""
    word = word_for(matching)
    instance = {"name": "bench", "exact_match": False, "search_string": [word]}
    with open(conf, "w", encoding="utf-8") as file:
        json.dump({"instances": [instance]}, file)  # JSON is YAML
    passes = (sys.executable, "-B", str(HERE / "psutil_passes.py"))
    ways = (
        (check_cpu_ms, Way("check, all ten gauges", (
            str(CHECK), f"--conf={conf}", "--interval=0s", "--format=json", "--runs"))),
        (psutil_cpu_ms, Way("psutil, choice alone", (*passes, "--way=choice", "--passes"), word)),
        (psutil_cpu_ms, Way("psutil, seven gauges", (*passes, "--way=gauges", "--passes"), word)))
    for cpu_ms, way in ways:
        say(f"{matching} of them match: {way.name}")
        processes = len(list(pathlib.Path("/proc").glob("[0-9]*")))
        yield Row(processes, arguments.pythons, matching, way.name,
                  cpu_ms(way, arguments.runs, matching), system_calls(way))


def to_table(rows: list[Row]) -> str:
    """A line for each row, with how many times the check's it is."""
    cells = [["processes", "Pythons", "matching", "way", "CPU ms", "times", "system calls",
              "times"]]
    for row in rows:
        check = next(each for each in rows if each.matching == row.matching)
        calls, check_calls = row.system_calls["total"], check.system_calls["total"]
        cells.append([
            str(row.processes), str(row.pythons), str(row.matching), row.way,
            f"{row.cpu_ms:.2f}", f"{row.cpu_ms / check.cpu_ms:.1f}",
            f"{calls:.0f}", f"{calls / check_calls:.1f}"])
    return align(cells, words=3)


def to_kinds(rows: list[Row]) -> str:
    """The check's system calls of each kind, a column for each number of processes that match."""
    checks = [row for row in rows if row.way == rows[0].way]
    kinds = sum((row.system_calls for row in checks), collections.Counter())
    cells = [["system calls of the check"] + [f"{row.matching} matching" for row in checks]]
    cells += [[kind] + [f"{row.system_calls[kind]:.1f}" for row in checks]
              for kind, _ in kinds.most_common()]
    return align(cells, words=0)


def align(cells: list[list[str]], words: int) -> str:
    """Cells under one another: numbers to the right, the column of words to the left."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "".join("  " + "  ".join(
        cell.ljust(width) if column == words else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))).rstrip() + "\n"
        for line in cells)


def main() -> None:
    """Starts, measures, prints."""
    arguments = parse_arguments()
    versions = {"python": sys.version.split()[0], "psutil": psutil_version()}
    # The check holds three files of each process open.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with waiting_processes(arguments), tempfile.TemporaryDirectory() as work:
        rows = [row for matching in arguments.matching
                for row in measure(arguments, matching, f"{work}/conf.yaml")]
    print("  Python {python}, psutil {psutil}; one run at rest\n".format(**versions))
    print(to_table(rows))
    print(to_kinds(rows), end="")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({**versions, "rows": [row._asdict() for row in rows]}, file, indent=2)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted")
