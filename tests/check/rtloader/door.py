"""What the tests of rtloader's door share: the loaded door, and processes to watch."""

import json
import os
import platform
import subprocess
import sys
import unittest
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import stand_in

DOOR = os.environ["PYCHECK_RTLOADER_DOOR"]

AGENT = stand_in.Agent()
AGENT.install()
sys.path.append(os.path.dirname(DOOR))
CHECK_CLASS = stand_in.load_check_class("python")

# Of the processes that these tests start.
LANGUAGE_TAGS = [
    "lang:python", "lang_interpreter:cpython", "lang_version:" + platform.python_version()]

# Of an instance, whatever it reports.
INSTANCE_GAUGES = ["python.process.count", "python.process.left_to_tracer"]

FIRST_GAUGES = [
    "runtime.python.gc.count.gen0",
    "runtime.python.gc.count.gen1",
    "runtime.python.gc.count.gen2",
    "runtime.python.mem.rss",
    "runtime.python.thread_count",
]
ALL_GAUGES = [
    "runtime.python.cpu.time.sys",
    "runtime.python.cpu.time.user",
    "runtime.python.cpu.percent",
    "runtime.python.cpu.ctx_switch.voluntary",
    "runtime.python.cpu.ctx_switch.involuntary",
] + FIRST_GAUGES

# The part of a script that says its counts until saying them changes nothing.
SAY_COUNTS = """
gc.disable()
before = None
while True:
    now = gc.get_count()
    os.write(1, ("%d %d %d\\n" % now).encode())
    if now == before:
        break
    before = now
"""

# Says its counts, then allocates no more.
STAND_STILL = """
import gc, os, sys
with open("/proc/self/comm", "wb") as comm:
    comm.write(os.fsencode(sys.argv[1]))
""" + SAY_COUNTS + """
os.read(0, 1)
"""


class Child:
    """A Python process that stands still; it ends when told so, or with its parent."""

    def __init__(self, arguments: Sequence[Union[str, bytes]]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STAND_STILL, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self.counts = self._read_counts()

    def _read_counts(self) -> Tuple[int, ...]:
        before = None
        for line in self._process.stdout:
            if line == before:
                return tuple(map(int, line.split()))
            before = line
        raise RuntimeError("the child ended")

    def stop(self) -> None:
        """Lets it end, and waits for that."""
        self._process.communicate()


class DoorTestCase(unittest.TestCase):
    """A test of the loaded door, which begins with nothing recorded."""

    def setUp(self) -> None:
        AGENT.clear()

    def start_child(self, name: Union[str, bytes] = "still", *arguments: bytes) -> Child:
        """A process to watch, of this name and with these arguments."""
        child = Child([name, *arguments])
        self.addCleanup(child.stop)
        return child

    def make(self, instance: Dict[str, Any],
             init_config: Optional[Dict[str, Any]] = None) -> stand_in.Instance:
        """An instance of the check that is cancelled after the test."""
        made = stand_in.Instance(CHECK_CLASS, "python:1", init_config, instance)
        self.addCleanup(made.cancel)
        return made

    def run_check(self, instance: stand_in.Instance) -> List[str]:
        """Runs it once, without error; the names of the gauges that came."""
        AGENT.clear()
        self.assertEqual(instance.run(), "")
        return [metric.name for metric in runtime_metrics()]


def error_message(result: str) -> str:
    """The message in what a failed run() gave."""
    return json.loads(result)[0]["message"]


def gauge_values() -> Dict[str, float]:
    """The values of the last run by their gauges' names."""
    return {metric.name: metric.value for metric in AGENT.metrics}


def runtime_metrics() -> List[stand_in.Metric]:
    """The gauges of processes, without those of the instance."""
    return [metric for metric in AGENT.metrics if metric.name.startswith("runtime.")]


def open_descriptors() -> List[str]:
    """This process's own descriptors."""
    return sorted(os.listdir("/proc/self/fd"))
