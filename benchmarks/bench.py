"""Measures what the check costs and holds it against its targets, with its peers in the same run.

Each figure comes from a benchmark that can be run alone, too: benchmarks/**/*_benchmark.*. Timings
are noisy on a machine that has other work; verdicts are on ratios within one run and on counts.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple, Optional, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks/check"))
import measure  # noqa: E402

Figures = dict[str, float]

# Of two numbers of runs: what both do to begin with cancels out.
FEW_RUNS, MANY_RUNS = 200, 2200

AT_WORK = ", tag_by: [ppid]"  # makes every run read as of a process that has run


class Target(NamedTuple):
    """A line of the table."""

    what: str
    unit: str
    value: Optional[float]  # None: not measured
    most: Optional[float] = None  # or
    least: Optional[float] = None  # else it is told for comparison

    @property
    def verdict(self) -> str:
        """Whether it is met."""
        if self.value is None:
            return "not measured"
        if self.most is None and self.least is None:
            return ""
        met = self.value <= self.most if self.most is not None else self.value >= self.least
        return "met" if met else "MISSED"

    @property
    def wanted(self) -> str:
        """The target, as text."""
        if self.most is not None:
            return f"<= {self.most:g}"
        return f">= {self.least:g}" if self.least is not None else ""


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = measure.argument_parser(__doc__)
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path,
                        default=ROOT / ".cache/bench.json", help="where to write the figures to")
    return parser.parse_args()


def run_google(build: pathlib.Path, name: str, *options: str) -> Figures:
    """CPU nanoseconds of each benchmark of a program, and its counters: the medians."""
    with tempfile.NamedTemporaryFile("r") as output:
        run = subprocess.run([str(build / "benchmarks" / name), f"--benchmark_out={output.name}",
                              "--benchmark_out_format=json", *options],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            measure.fail(f"{name}: {run.stderr}")
        report = json.load(output)
    figures: Figures = {}
    for each in report["benchmarks"]:
        if each.get("error_occurred"):
            measure.fail(f"{each['name']}: {each['error_message']}")
        if each.get("aggregate_name", "median") != "median":
            continue
        key = each["run_name"].partition("/iterations:")[0]
        figures[key] = each["cpu_time"]
        figures.update({f"{key}:{counter}": each[counter]
                        for counter in ("processes", "bytes_per_process") if counter in each})
    return figures


def run_script(build: pathlib.Path, name: str, environment: str) -> Figures:
    """What a script of benchmarks/check/ measures."""
    python = ROOT / ".cache" / environment / "bin/python"
    output = subprocess.run([str(python), "-B", str(ROOT / "benchmarks/check" / name),
                             f"--build={build}"], check=True, stdout=subprocess.PIPE)
    return json.loads(output.stdout)


def count_per_run(command: Sequence[str], runs_at: int, count: Any) -> Any:
    """What one run adds, by two numbers of runs."""
    few, many = (count([*command[:runs_at], str(runs), *command[runs_at:]])
                 for runs in (FEW_RUNS, MANY_RUNS))
    return (many - few) / (MANY_RUNS - FEW_RUNS)


def count_calls(command: Sequence[str]) -> int:
    """How many system calls a command makes."""
    with tempfile.NamedTemporaryFile("r") as summary:
        subprocess.run(["strace", "-c", "-U", "calls,name", "-o", summary.name, *command],
                       check=True)
        return next(int(line.split()[0]) for line in summary if line.split()[-1:] == ["total"])


def count_instructions(command: Sequence[str]) -> int:
    """How many instructions a command takes outside of the kernel."""
    result = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                             *command], check=True, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"Collected : (\d+)", result.stderr)[1])


def count_costs(build: pathlib.Path) -> Figures:
    """System calls and instructions of a run over one process, at rest and at work."""
    figures: Figures = {}
    with measure.pythons(1) as watched:
        for state, options in (("rest", ""), ("work", AT_WORK)):
            command = [str(build / "benchmarks/check_runs"), str(watched.pids[0]), options]
            figures[f"{state}_calls"] = count_per_run(command, 2, count_calls)
            if shutil.which("valgrind"):
                figures[f"{state}_instructions"] = count_per_run(command, 2, count_instructions)
    return figures


def compare_one(google: Figures, counts: Figures) -> list[Target]:
    """One process beside the bare reads."""
    bare = google["BareReads"]
    return [
        Target("a process at rest, by the bare reads of all its files", "x",
               google["CheckRunAtRest"] / bare, most=1.15),
        Target("a process at work, by the same", "x", google["CheckRunAtWork"] / bare),
        Target("the bare reads (stat, statm, memory, status or taskstats)", "us", bare / 1e3),
        Target("system calls of a run, at rest", "calls", counts["rest_calls"]),
        Target("system calls of a run, at work", "calls", counts["work_calls"]),
        Target("instructions of ours in a run, at rest", "", counts.get("rest_instructions")),
        Target("instructions of ours in a run, at work", "", counts.get("work_instructions"))]


def compare_crowds(crowds: Figures) -> list[Target]:
    """How the cost and memory of one process more depend on how many there are."""

    def one_more(name: str, fewer: int, more: int) -> float:
        return (crowds[f"{name}/{more}"] - crowds[f"{name}/{fewer}"]) / (more - fewer) / 1e3

    def growth(name: str) -> float:
        return one_more(name, 1000, 3000) / one_more(name, 10, 1000)

    # Thousands of processes do not fit into the processor's caches, whoever asks for them.
    targets = [
        Target("one more process at rest, among 10 to 1,000", "us",
               one_more("CrowdAtRest", 10, 1000)),
        Target("  its growth among 1,000 to 3,000", "x", growth("CrowdAtRest"), most=1.15),
        Target("  the growth of its bare reads", "x", growth("CrowdBareReads")),
        Target("one more process at work, among 10 to 1,000", "us",
               one_more("CrowdAtWork", 10, 1000)),
        Target("  its growth among 1,000 to 3,000", "x", growth("CrowdAtWork"), most=1.15)]
    few_descriptors = "CrowdWith1024Descriptors/3000"
    return targets + [
        Target("memory of ours for each of 3,000 processes", "bytes",
               crowds["CrowdAtRest/3000:bytes_per_process"], most=2048),
        Target("3,000 processes with 1,024 descriptors, by as many as it takes", "x",
               crowds[few_descriptors] / crowds["CrowdAtRest/3000"])]


def compare_sizes(sizes: Figures) -> list[Target]:
    """How the cost at rest depends on the size of the process."""
    targets = []
    for name, what, small, large in (
            ("AtRestByThreads", "threads", 1, 1000),
            ("AtRestByMappings", "mappings", 100, 60000),
            ("AtRestByHeapMegabytes", "MB of heap", 10, 4096)):
        targets.append(Target(
            f"at rest with {large:,} {what}, by {small:,}", "x",
            sizes[f"{name}/{large}"] / sizes[f"{name}/{small}"], most=1.15))
    return targets


def compare_discovery(selection: Figures, attach: Figures) -> list[Target]:
    """Who is there, and who is new."""
    listing, clocks, discovery = (
        selection[f"{name}/5000"] / selection[f"{name}/5000:processes"] / 1e3
        for name in ("ListUnrelated", "ReadClocks", "DiscoverAmongUnrelated"))
    return [
        Target("discovery at rest, for each of 5,000 others, beyond listing", "us",
               discovery - listing, most=0.5),
        Target("  the kernel's, for its clock alone", "us", clocks),
        Target("attaching to a process of a known file", "us",
               attach["AttachToKnown"] / 1e3, most=60),
        Target("  the same system calls alone", "us",
               attach["BareAttach"] / 1e3),
        Target("attaching to a process of a new file", "us", attach["AttachToNew"] / 1e3,
               most=1000)]


def compare_rtloader(rtloader: Figures) -> list[Target]:
    """The Python loader."""
    return [
        Target("rtloader's door without the aggregator, by the native one", "x",
               rtloader["rtloader_without_aggregator_by_native_ratio"], most=2),
        Target("rtloader's door with it, by the native one", "x",
               rtloader["rtloader_by_native_ratio"]),
        Target("the aggregator's handling of its arguments alone", "us a run",
               rtloader["aggregator_alone_us"]),
        Target("another Python thread's longest wait in a run, median", "us",
               rtloader.get("gil_wait_median_us")),
        Target("  the run's length meanwhile", "us", rtloader.get("gil_run_wall_us"))]


def compare_peers(peers: Figures) -> list[Target]:
    """What others take."""
    return [
        Target("psutil's seven gauges, by our ten, at rest", "x",
               peers.get("psutil_by_native_at_rest_ratio"), least=12),
        Target("the same at work", "x", peers.get("psutil_by_native_at_work_ratio"), least=12),
        Target("the tracer's collection, in the application", "us",
               peers.get("ddtrace_collect_us")),
        Target("the tracer's flush, in the application", "us", peers.get("ddtrace_flush_us")),
        Target("CPython 3.15's get_gc_stats, by our first reading of the counts", "x",
               peers.get("remote_by_gc_counts_first_ratio")),
        Target("its GCMonitor, by our later readings", "x",
               peers.get("remote_by_gc_counts_again_ratio"))]


def compare_watched(watched: Figures) -> list[Target]:
    """What the watched process notices."""
    # Instructions where the processor counts them.
    kind = "instructions" if "instructions_difference_percent" in watched else "cpu"
    return [
        Target(f"the watched process's {kind} with the check at 10 Hz", "% more",
               watched[f"{kind}_difference_percent"]),
        Target("  the far end of its 95 % interval", "% more",
               watched[f"{kind}_difference_ci95_high_percent"], most=0.1),
        Target("  the same with runs without a pause", "% more",
               watched[f"{kind}_without_a_pause_percent"]),
        Target("  which are so many", "runs a second", watched["runs_per_second"]),
        Target("times that it was seen stopped or traced", "",
               watched["state_samples_stopped"] + watched["state_samples_traced"], most=0)]


def compare_load(load: Figures) -> list[Target]:
    """The objects."""
    return [Target(f"{what} of the {door} object", unit, load[f"{door}_{key}"], most=most)
            for door in ("rtloader", "native")
            for key, what, unit, most in (
                ("load_ms", "loading", "ms", 3), ("resident_mib", "resident memory", "MiB", 2),
                ("stripped_mib", "size, stripped,", "MiB", 2))]


def measure_all(build: pathlib.Path) -> list[Target]:
    """Runs every benchmark."""
    say = measure.say
    say("one process beside the bare reads (15 s)")
    one = run_google(build, "check_benchmark", "--benchmark_filter=CheckRun|BareReads",
                     "--benchmark_repetitions=9", "--benchmark_min_time=0.1",
                     "--benchmark_enable_random_interleaving=true")
    say("system calls and instructions of a run (30 s)")
    targets = compare_one(one, count_costs(build))
    say("processes with many threads, mappings, megabytes (60 s)")
    targets += compare_sizes(run_google(
        build, "check_benchmark", "--benchmark_filter=AtRestBy", "--benchmark_repetitions=3",
        "--benchmark_min_time=0.1"))
    say("crowds of up to 3,000 processes (200 s)")
    targets += compare_crowds(run_google(
        build, "check_benchmark", "--benchmark_filter=Crowd", "--benchmark_repetitions=3",
        "--benchmark_min_time=0.1"))
    say("attaching, and choosing among 5,000 others (60 s)")
    targets += compare_discovery(
        run_google(build, "selection_benchmark", "--benchmark_repetitions=3"),
        run_google(build, "process_benchmark", "--benchmark_repetitions=5"))
    for script, environment, what, compare in (
            ("rtloader_benchmark.py", "agent", "rtloader (20 s)", compare_rtloader),
            ("peers_benchmark.py", "apps", "peers (30 s)", compare_peers),
            ("load_benchmark.py", "build", "loading (5 s)", compare_load),
            ("watched_benchmark.py", "apps", "the watched process (45 s)",
             compare_watched)):
        say(what)
        targets += compare(run_script(build, script, environment))
    return targets


def to_text(value: float) -> str:
    """Four digits, and all of those before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


def to_table(targets: Sequence[Target]) -> str:
    """A line for each."""
    rows = [("what", "measured", "", "target", "verdict")]
    rows += [(each.what, "" if each.value is None else to_text(each.value), each.unit,
              each.wanted, each.verdict) for each in targets]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "".join(
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}} {row[2]:<{widths[2]}}  "
        f"{row[3]:<{widths[3]}}  {row[4]}".rstrip() + "\n" for row in rows)


def main() -> None:
    """Measures, prints, writes."""
    arguments = parse_arguments()
    begin = time.monotonic()
    targets = measure_all(arguments.build)
    print(f"\n{to_table(targets)}")
    load = os.getloadavg()[0]
    figures = [{**each._asdict(), "verdict": each.verdict} for each in targets]
    arguments.json.write_text(json.dumps({"load_average": load, "figures": figures}, indent=2))
    measure.say(f"{time.monotonic() - begin:.0f} s; figures are in {arguments.json}")


if __name__ == "__main__":
    main()
