"""What the benchmarks of this folder share: processes, the native door, rounds, and the report."""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
import zlib
from typing import Any, Callable, Iterator, Mapping, NoReturn, Optional, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Of a run over processes that have been read before.
GAUGES_PER_PROCESS = 10
INSTANCE_GAUGES = 2

# The check and those it is compared with know the processes after these.
FIRST_ROUNDS = 5

# Says that it is up; then, as often as it is woken, works a little and says so.
PYTHON = """
import posix
posix.write(1, b".")
while posix.read(0, 1):
    for _ in range(2000):
        [[]]
    posix.write(1, b".")
"""


def say(text: str) -> None:
    """Tells what goes on."""
    print(f"== {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    """Ends, and tells why."""
    sys.exit(f"{os.path.basename(sys.argv[0])}: {text}")


def argument_parser(description: Optional[str]) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, default=ROOT / "build",
                        help="where the project is built")
    return parser


def go_alone() -> None:
    """Goes on in a pid namespace of its own, where it can have one.

    A run that looks at all processes then looks at none but those of this program.
    """
    unshare = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
    if os.getpid() == 1 or shutil.which("unshare") is None:
        return
    if subprocess.call([*unshare, "true"], stderr=subprocess.DEVNULL) == 0:
        os.execvp("unshare", [*unshare, sys.executable, "-B", *sys.argv])


def main(function: Callable[[], Mapping[str, Optional[float]]]) -> None:
    """Runs a benchmark and prints the figures that it gives; what is None could not be had."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        figures = function()
    except KeyboardInterrupt:
        fail("interrupted")
    print(json.dumps({name: float(f"{value:.4g}") for name, value in figures.items()
                      if value is not None}))


class Child:
    """A program in a process group of its own, which ends with this process at the latest.

    It waits for its standard input, and says on its output when it has done what it was told.
    """

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        self._process = subprocess.Popen(command, bufsize=0, process_group=0,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.pid = self._process.pid

    def fileno(self) -> int:
        """Its output, for select()."""
        return self._process.stdout.fileno()

    def tell(self, word: bytes) -> None:
        """Hands something over."""
        self._process.stdin.write(word)

    def hear(self, size: int = 1) -> bytes:
        """What it says; ends where it says nothing for a minute."""
        if not select.select([self], [], [], 60)[0]:
            fail(f"{self._process.args[0]} does not answer")
        said = self._process.stdout.read(size)
        if not said:
            fail(f"{self._process.args[0]} has ended")
        return said

    def stop(self) -> None:
        """Kills its group, once."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.communicate()


@contextlib.contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator[Child]:
    """A program; it is killed in the end."""
    started = Child(command, **options)
    try:
        yield started
    finally:
        started.stop()


class Pythons:
    """Python processes at rest, with a word in their command lines that no other process has."""

    def __init__(self, children: Sequence[Child], word: str) -> None:
        self._children = children
        self.word = word
        self.pids = [each.pid for each in children]

    def wake(self) -> None:
        """Lets each of them run, until it is at rest again."""
        for each in self._children:
            each.tell(b".")
        for each in self._children:
            each.hear()
        time.sleep(0.001)  # they have said so just before they wait

    def instance(self) -> dict[str, Any]:
        """An instance of the check that chooses them."""
        return {"name": "bench", "search_string": [self.word], "exact_match": False}

    @property
    def gauges(self) -> int:
        """How many there are of a run."""
        return GAUGES_PER_PROCESS * len(self.pids) + INSTANCE_GAUGES


@contextlib.contextmanager
def pythons(count: int, interpreter: Sequence[str] = (os.path.realpath(sys.executable),),
            environment: Optional[Mapping[str, str]] = None) -> Iterator[Pythons]:
    """So many Python processes; they are killed in the end."""
    # Not in this process's own command line.
    word = f"bench-{os.getpid()}-{time.monotonic_ns()}"
    command = (*interpreter, "-S", "-c", PYTHON, word)
    say(f"starting {count} Python processes")
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child(command, env=environment)) for _ in range(count)]
        for each in children:
            each.hear()
        yield Pythons(children, word)


class NativeDoor:
    """The native door, called by an Agent that throws away what it gets."""

    def __init__(self, build: pathlib.Path) -> None:
        door = ctypes.CDLL(str(build / "check/native/libdatadog-agent-python.so"))
        self._agent = ctypes.CDLL(str(build / "benchmarks/libnull-agent.so"))
        self._agent.NullAgentMetrics.restype = ctypes.c_longlong
        self._agent.NullAgentRun.restype = ctypes.c_longlong
        self._agent.NullAgentRun.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
        self._run = ctypes.cast(door.Run, ctypes.c_void_p)

    def metrics(self) -> int:
        """How many the Agent got so far, through whichever door."""
        return self._agent.NullAgentMetrics()

    def run_ns(self, instance: Mapping[str, Any], runs: int = 1) -> float:
        """CPU time of one of these runs."""
        configuration = json.dumps(instance).encode()  # JSON is YAML
        check_id = b"python:%d" % zlib.crc32(configuration)
        used = self._agent.NullAgentRun(self._run, check_id, b"{}", configuration, runs)
        if used < 0:
            fail("the native door failed")
        return used / runs


def cpu_ns(function: Callable[[], object], times: int = 1) -> float:
    """CPU time of this process for one of these calls."""
    begin = time.process_time_ns()
    for _ in range(times):
        function()
    return (time.process_time_ns() - begin) / times


def interleave(ways: Mapping[str, Callable[[], float]], rounds: int,
               before: Callable[[], object] = lambda: None) -> dict[str, list[float]]:
    """What each way gives in each round, called one after another so that all share the weather.

    They take turns to be the first one. `before` is called before each, and not measured.
    """
    figures: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(FIRST_ROUNDS + rounds):
        for name in names:
            before()
            figure = ways[name]()
            if number >= FIRST_ROUNDS:
                figures[name].append(figure)
        names.append(names.pop(0))
    return figures


def choice(door: NativeDoor, watched: Pythons) -> dict[str, float]:
    """What of a run is the look at the machine's other processes: that of one that chooses none."""
    nobody = {**watched.instance(), "search_string": [watched.word + "-nobody"]}
    door.run_ns(nobody, FIRST_ROUNDS)
    others = len([name for name in os.listdir("/proc") if name.isdigit()]) - len(watched.pids)
    return {"processes": len(watched.pids), "other_processes": others,
            "native_choice_us": statistics.median(door.run_ns(nobody) for _ in range(100)) / 1000}


def expect_gauges(door: NativeDoor, count: int, run: Callable[[], object]) -> None:
    """Ends where a second run does not give so many gauges: what is compared are runs that do."""
    run()
    before = door.metrics()
    run()
    given = door.metrics() - before
    if given != count:
        fail(f"a run gave {given} gauges, not {count}")
