"""What the fleet tests share: programs that always end, and what a run says of them."""

import os
import signal
import subprocess
import tempfile
import time
import unittest
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Union

import door
import run_check
import stand_in

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = os.path.join(HERE, "workloads")
APPS_PYTHON = os.path.join(
    HERE, os.pardir, os.pardir, ".cache", "apps", "bin", "python")

NEEDS_APPS = unittest.skipUnless(
    os.path.exists(APPS_PYTHON), "what tools/setup apps brings is missing")
NEEDS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root can do this")

# A sanitizer's runtime is meant for the check, not for the programs it watches.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("ASAN_OPTIONS", "LD_PRELOAD")}

PREFIX = "runtime.python."
ALL_GAUGES = {name[len(PREFIX):] for name in door.ALL_GAUGES}
FIRST_GAUGES = {name[len(PREFIX):] for name in door.FIRST_GAUGES}
DIFFERENCES = ALL_GAUGES - FIRST_GAUGES

TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")

# Arguments: the file cgroup.procs of a cgroup, and a command to run in it.
JOIN = ("sh", "-c", 'echo 0 > "$0" && exec "$@"')

Gauges = Dict[str, float]


class Run(NamedTuple):
    """What one run gave of each process, by its pid, and the time in which it did."""

    began: float
    ended: float
    series: Dict[int, Gauges]

    @property
    def pids(self) -> Set[int]:
        """The processes that it reported."""
        return set(self.series)


class Workload:
    """A program and all that it starts; they end with this process at the latest."""

    def __init__(self, command: Sequence[Union[str, bytes]], **options: Any) -> None:
        self.process = subprocess.Popen(command, **{
            "env": ENVIRONMENT, "process_group": 0, "stdout": subprocess.DEVNULL, **options})
        self.pid = self.process.pid
        # Its standard input closes when this process has ended, however that comes about.
        self._guard = subprocess.Popen(
            ["sh", "-c", "read _; kill -KILL 0"], env=ENVIRONMENT, stdin=subprocess.PIPE,
            process_group=self.pid)

    def stop(self) -> None:
        """Kills its process group, once: as long as the guard is in it, the pid is its own."""
        if self._guard.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            for process in (self.process, self._guard):
                process.communicate()


def cgroup_root() -> Optional[str]:
    """Where cgroups of version 2 can be made."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split() for line in file]
    return next((path for _, path, kind, *_ in mounts
                 if kind == "cgroup2" and os.access(path, os.W_OK)), None)


class Cgroup:
    """That of a container, where there can be one."""

    def __init__(self) -> None:
        self.container_id = os.urandom(32).hex()
        self.path = ""
        root = cgroup_root()
        if root is not None:
            self.path = os.path.join(root, "docker-{}.scope".format(self.container_id))
            os.mkdir(self.path)

    def joining(self) -> Sequence[str]:
        """What runs a command in it."""
        return (*JOIN, os.path.join(self.path, "cgroup.procs")) if self.path else ()

    def remove(self) -> None:
        """Waits until nothing is left of its processes."""
        deadline = time.monotonic() + 60
        while self.path and os.path.exists(self.path):
            try:
                os.rmdir(self.path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


class FleetTestCase(door.DoorTestCase):
    """A test of the loaded door on programs of many processes."""

    def setUp(self) -> None:
        super().setUp()
        self._last_began: Dict[stand_in.Instance, float] = {}

    def start(self, command: Sequence[Union[str, bytes]], **options: Any) -> Workload:
        """Starts a program that ends with the test."""
        workload = Workload(command, **options)
        self.addCleanup(workload.stop)
        return workload

    def make_directory(self) -> str:
        """A folder that is deleted after the test."""
        directory = tempfile.TemporaryDirectory(prefix="fleet-")
        self.addCleanup(directory.cleanup)
        return directory.name

    def wait_until(self, condition: Callable[[], Any], what: str) -> None:
        """Waits until something is so; fails when it takes a minute."""
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, "still not: " + what)
            time.sleep(0.01)

    def observe(self, instance: stand_in.Instance) -> Run:
        """Runs an instance once, without error, and checks what holds of any run."""
        began = now()
        self.run_check(instance)
        run = Run(began, now(), series())
        most = most_percent(run.ended - self._last_began.get(instance, run.began))
        for pid, gauges in run.series.items():
            self.assert_plausible(pid, gauges, most)
        self._last_began[instance] = run.began
        return run

    def assert_plausible(self, pid: int, gauges: Gauges, most: float) -> None:
        """No gauge is below 0, and cpu.percent is no more than the machine can do."""
        told = "pid {}: {}".format(pid, gauges)
        self.assertLessEqual(set(gauges), ALL_GAUGES, told)
        self.assertGreaterEqual(min(gauges.values()), 0, told)
        for name in ("mem.rss", "thread_count"):
            self.assertGreater(gauges.get(name, 1), 0, told)
        self.assertLessEqual(gauges.get("cpu.percent", 0), most, told)


def now() -> float:
    """The seconds since boot, as in /proc/PID/stat."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def most_percent(seconds: float) -> float:
    """The most that cpu.percent can be since so long ago, and half as much again.

    Of a process that is running, the kernel counts what it has used at ticks only.
    """
    return 150 * os.cpu_count() * (seconds + TICK) / seconds


def unique(name: str) -> str:
    """A name that no process has but of this test."""
    return "{}-{}".format(name, os.getpid())


def series() -> Dict[int, Gauges]:
    """The gauges of the last run, by pid and by the rest of their names."""
    result: Dict[int, Gauges] = {}
    for metric in door.runtime_metrics():
        gauges = result.setdefault(int(run_check.tag_value(metric.tags, "pid:")), {})
        gauges[metric.name[len(PREFIX):]] = metric.value
    return result


def values_of(name: str) -> List[float]:
    """What the last run gave of one gauge."""
    return [metric.value for metric in door.AGENT.metrics if metric.name == name]


def children(pid: int) -> Set[int]:
    """The processes that one has forked; the kernel lists them."""
    with open("/proc/{0}/task/{0}/children".format(pid), encoding="ascii") as file:
        return set(map(int, file.read().split()))


def command_line(pid: int) -> bytes:
    """As ps shows it; empty when the process has ended."""
    try:
        with open("/proc/{}/cmdline".format(pid), "rb") as file:
            return file.read().rstrip(b"\0").replace(b"\0", b" ")
    except (FileNotFoundError, ProcessLookupError):
        return b""


def resident(pid: int) -> int:
    """The bytes of a process that are in memory."""
    with open("/proc/{}/statm".format(pid), encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE


def start_time(pid: int) -> float:
    """When a process was born, by now()'s clock, rounded down to a tick."""
    with open("/proc/{}/stat".format(pid), "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19]) * TICK


def python_command(program: str, *arguments: str) -> List[str]:
    """Runs a program of this folder with what tools/setup apps brings."""
    return [APPS_PYTHON, "-B", os.path.join(HERE, program), *arguments]
