"""gunicorn with eight workers that are forked after the application was loaded.

setproctitle is installed, so gunicorn rewrites its titles and no command line says "python".
"""

import json
import os
import signal
import socket
import time
from typing import Any, Dict, List, NamedTuple, Set

import door
import fleet
import run_check

WORKERS = 8
HELD = 30 << 20  # bytes, before the workers are forked
# What does not change while nothing is asked of the workers.
STABLE_GAUGES = ("mem.rss", "thread_count", "gc.count.gen0", "gc.count.gen1", "gc.count.gen2")
# At most so many does the tracer hold while it counts, and lets them go afterwards.
READER_OBJECTS = 16

DDTRACE_RUN = os.path.join(os.path.dirname(fleet.APPS_PYTHON), "ddtrace-run")

# Without it the tracer looks for an Agent at its usual port.
QUIET_TRACER = {
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_ENABLED": "false",
}


class Conversation:
    """A request that keeps one worker to itself, and in which it is asked again and again."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.sendall(b"GET / HTTP/1.1\r\nHost: fleet\r\n\r\n")
        self._answers = self._socket.makefile("rb")
        self._answers.readline()

    def ask(self, command: bytes) -> Dict[str, Any]:
        """The worker's answer; see gunicorn_app.py."""
        self._socket.sendall(command)
        return json.loads(self._answers.readline())

    def end(self) -> None:
        """Lets the worker go."""
        self._answers.close()
        self._socket.close()


class Datagram(NamedTuple):
    """One gauge as the tracer sends it: NAME:VALUE|TYPE|#TAG,TAG."""

    name: str
    value: float
    tags: str


class GunicornTestCase(fleet.FleetTestCase):
    """Starts gunicorn, and knows its processes from the kernel."""

    def start_gunicorn(self, *prefix: str, **environment: str) -> None:
        """Returns when the master and all its workers are there. The prefix runs the command."""
        directory = self.make_directory()
        self.name = fleet.unique("fleet")
        self.socket = os.path.join(directory, "socket")
        self.pid_file = os.path.join(directory, "pid")
        self.master = self.start(
            [*prefix, fleet.APPS_PYTHON, "-B", "-m", "gunicorn", "gunicorn_app:application",
             "--chdir", fleet.WORKLOADS, "--bind", "unix:" + self.socket, "--name", self.name,
             "--pid", self.pid_file, "--workers", str(WORKERS), "--preload",
             "--no-control-socket", "--timeout", "120", "--log-level", "warning"],
            env={**fleet.ENVIRONMENT, **QUIET_TRACER, **environment}).pid
        self.wait_until(lambda: len(self.titled_workers()) == WORKERS, "eight workers")

    def titled_workers(self) -> Set[int]:
        """The master's children that have their title."""
        title = "gunicorn: worker [{}]".format(self.name).encode()
        return {pid for pid in fleet.children(self.master) if fleet.command_line(pid) == title}

    def make_by_title(self, **options: Any) -> Any:
        """An instance that finds the workers by what gunicorn calls them."""
        title = r"^gunicorn: worker \[{}\]$".format(self.name)
        return self.make({"name": "web", "search_string": [title], "exact_match": False,
                          **options})

    def make_by_pid_file(self, **options: Any) -> Any:
        """An instance that finds the master by its file, and the workers from there."""
        return self.make({"name": "web", "pid_file": self.pid_file, "collect_children": True,
                          **options})

    def converse_with_all(self) -> List[Conversation]:
        """A conversation with each worker: who has one takes no other."""
        conversations = []
        for _ in range(WORKERS):
            conversations.append(Conversation(self.socket))
            self.addCleanup(conversations[-1].end)
        return conversations


@fleet.NEEDS_APPS
class SeriesTest(GunicornTestCase):
    """The master and each worker have a series of their own, with values of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.start_gunicorn()

    def test_master_and_workers_are_found_by_pid_file_and_title(self) -> None:
        workers = self.titled_workers()
        self.assertEqual(len(workers), WORKERS)
        self.assertEqual(self.observe(self.make_by_title()).pids, workers)
        self.assertEqual(fleet.values_of("python.process.count"), [WORKERS])
        self.assertEqual(self.observe(self.make_by_pid_file()).pids, workers | {self.master})
        self.assertEqual(fleet.values_of("python.process.count"), [WORKERS + 1])

    def test_resident_memory_is_that_of_each_process(self) -> None:
        pids = self.titled_workers() | {self.master}
        instance = self.make_by_pid_file()
        before = {pid: fleet.resident(pid) for pid in pids}
        ours = {pid: gauges["mem.rss"] for pid, gauges in self.observe(instance).series.items()}
        after = {pid: fleet.resident(pid) for pid in pids}
        for pid in pids:
            self.assertGreater(ours[pid], HELD)
            self.assertLessEqual(min(before[pid], after[pid]), ours[pid])
            self.assertLessEqual(ours[pid], max(before[pid], after[pid]))

    def test_a_summed_series_is_the_sum_of_the_processes_series(self) -> None:
        apart = self.make_by_pid_file()
        summing = self.make_by_pid_file(aggregation="sum")

        def stable() -> Dict[int, Dict[str, float]]:
            return {pid: {name: gauges[name] for name in STABLE_GAUGES}
                    for pid, gauges in self.observe(apart).series.items()}

        # The master and idle workers wake once in a while: between two equal runs they did not.
        for _ in range(100):
            before = stable()
            self.run_check(summing)
            metrics = [metric for metric in door.AGENT.metrics
                       if metric.name not in door.INSTANCE_GAUGES]
            if stable() == before:
                break
            time.sleep(0.05)
        else:
            self.fail("gunicorn does not come to rest")
        (tags,) = {tuple(metric.tags) for metric in metrics}
        self.assertNotIn("pid", {tag.partition(":")[0] for tag in tags})
        self.assertIn("process_name:web", tags)
        values = {metric.name: metric.value for metric in metrics}
        self.assertEqual(values["python.process.summed"], WORKERS + 1)
        for name in STABLE_GAUGES:
            self.assertEqual(values[fleet.PREFIX + name],
                             sum(gauges[name] for gauges in before.values()), name)


@fleet.NEEDS_APPS
class OracleTest(GunicornTestCase):
    """What the tracer's own collectors say inside of each worker."""

    def test_every_gauge_lies_between_the_workers_own_readings(self) -> None:
        """A worker measures itself before and after our run, and does nothing meanwhile.

        Between our two runs it uses the processor. Differences are the tracer's since its last
        reading and ours since our last run, so ours is at least what the worker saw between its
        inner two readings, and at most what it saw between its outer two.
        """
        self.start_gunicorn()
        instance = self.make_by_title()
        self.conversations = self.converse_with_all()
        self.assertEqual(set(self.ask_all(b"m")), self.titled_workers())
        first = self.observe(instance)
        outer = self.ask_all(b"m")
        self.ask_all(b"b")
        inner = self.ask_all(b"m")
        second = self.observe(instance)
        last = self.ask_all(b"m")
        self.assertEqual(first.pids, set(inner))
        self.assertEqual(second.pids, set(inner))
        for pid, ours in second.series.items():
            self.assertEqual(set(ours), fleet.ALL_GAUGES)
            for name in STABLE_GAUGES:
                own = READER_OBJECTS if name == "gc.count.gen0" else 0
                self.assert_between(inner[pid][name] - own, ours[name], last[pid][name], name)
            for name in fleet.DIFFERENCES - {"cpu.percent"}:
                # Both subtract what the kernel has rounded to ticks.
                rounding = 2 * fleet.TICK if name.startswith("cpu.time") else 0
                total = sum(reading[pid][name] for reading in (outer, inner, last))
                self.assert_between(inner[pid][name] - rounding, ours[name],
                                    total + rounding, name)
            used = sum(inner[pid]["cpu.time." + mode] for mode in ("user", "sys"))
            self.assertGreater(ours["cpu.percent"],
                               100 * (used - 2 * fleet.TICK) / (second.ended - first.began))

    def ask_all(self, command: bytes) -> Dict[int, fleet.Gauges]:
        """The workers' answers by their pids."""
        answers = [conversation.ask(command) for conversation in self.conversations]
        return {answer.pop("pid"): {name[len(fleet.PREFIX):]: value
                                    for name, value in answer.items()}
                for answer in answers}

    def test_in_the_process_all_workers_share_one_series(self) -> None:
        """What the tracer sends for eight workers is one series: its tags are the application's.

        As gauges, the value that comes last is the one that is kept. As the distributions that
        they are now, the workers' values become their average and their percentiles: neither a
        worker's memory nor the sum of all is among them.
        """
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        path = os.path.join(self.make_directory(), "dogstatsd")
        receiver.bind(path)
        receiver.settimeout(60)
        self.start_gunicorn(DD_RUNTIME_METRICS_ENABLED="true", DD_DOGSTATSD_URL="unix://" + path)
        pids = [conversation.ask(b"f")["pid"] for conversation in self.converse_with_all()]
        self.assertEqual(set(pids), self.titled_workers())

        sent: List[Datagram] = []
        while sum(one.name == fleet.PREFIX + "mem.rss" for one in sent) < WORKERS:
            sent += parse_datagram(receiver.recv(1 << 16).decode())
        self.assertEqual(len({one.tags for one in sent}), 1, sent)
        for pid in pids:
            self.assertNotIn(str(pid), sent[0].tags)

        self.run_check(self.make_by_title(tracer_runtime_metrics="collect"))
        ours = {run_check.tag_value(metric.tags, "pid:") for metric in door.AGENT.metrics
                if metric.name == fleet.PREFIX + "mem.rss"}
        self.assertEqual(ours, set(map(str, pids)))

    def assert_between(self, least: float, value: float, most: float, name: str) -> None:
        """A value lies in a range, its ends included."""
        self.assertLessEqual(least, value, name)
        self.assertLessEqual(value, most, name)


@fleet.NEEDS_APPS
class TracedTest(GunicornTestCase):
    """Under ddtrace-run every worker's tracer can send runtime metrics by itself."""

    def start_traced(self, enabled: str) -> None:
        """Returns when all workers have a tracer."""
        self.start_gunicorn(DDTRACE_RUN,
                            DD_RUNTIME_METRICS_ENABLED=enabled, DD_SERVICE="shop")

    def test_processes_are_left_to_tracers_that_send_runtime_metrics(self) -> None:
        self.start_traced("true")
        instance = self.make_by_pid_file()
        for _ in range(3):
            self.assertEqual(self.observe(instance).series, {})
            self.assertEqual(fleet.values_of("python.process.count"), [WORKERS + 1])
            self.assertEqual(fleet.values_of("python.process.left_to_tracer"), [WORKERS + 1])
            up = door.AGENT.service_checks[0]
            self.assertEqual(up.status, 0)
            self.assertIn("9 of 9 processes are left to their tracers", up.message)
            self.assertIn("tracer_runtime_metrics: collect", up.message)

    def test_they_are_reported_where_that_is_asked_for(self) -> None:
        self.start_traced("true")
        instance = self.make_by_pid_file(tracer_runtime_metrics="collect")
        self.observe(instance)
        run = self.observe(instance)
        self.assertEqual(run.pids, self.titled_workers() | {self.master})
        for gauges in run.series.values():
            self.assertEqual(set(gauges), fleet.ALL_GAUGES)
        self.assertEqual(fleet.values_of("python.process.left_to_tracer"), [0])

    def test_a_tracer_that_sends_none_changes_nothing_but_tags(self) -> None:
        self.start_traced("false")
        run = self.observe(self.make_by_pid_file())
        self.assertEqual(run.pids, self.titled_workers() | {self.master})
        self.assertEqual(fleet.values_of("python.process.left_to_tracer"), [0])
        for metric in door.runtime_metrics():
            self.assertIn("service:shop", metric.tags)
            self.assertRegex(run_check.tag_value(metric.tags, "tracer_version:"), r"^\d+\.\d+")


@fleet.NEEDS_APPS
class ReloadTest(GunicornTestCase):
    """A graceful reload, in which the master replaces its workers."""

    def setUp(self) -> None:
        super().setUp()
        self.start_gunicorn()
        self.old = self.titled_workers()

    def reload(self) -> None:
        """Tells the master to."""
        os.kill(self.master, signal.SIGHUP)

    def reloaded(self) -> bool:
        """Whether only new workers are there, and all of them."""
        workers = self.titled_workers()
        return (len(workers) == WORKERS and not workers & self.old
                and fleet.children(self.master) == workers)

    def test_new_workers_have_all_gauges_from_their_birth(self) -> None:
        instances = [self.make_by_title(), self.make_by_pid_file()]
        for instance in instances:
            self.assertGreaterEqual(self.observe(instance).pids, self.old)
        self.reload()
        self.wait_until(self.reloaded, "eight other workers")
        for instance in instances:
            run = self.observe(instance)
            self.assertEqual(run.pids - {self.master}, self.titled_workers())
            for gauges in run.series.values():
                self.assertEqual(set(gauges), fleet.ALL_GAUGES)

    def test_no_run_during_it_reports_who_has_ended(self) -> None:
        # Not by the file, which gunicorn deletes and writes anew meanwhile.
        instance = self.make({"name": "web", "pid": self.master, "collect_children": True})
        before = self.observe(instance)
        self.reload()
        done = False
        while not done:
            done = self.reloaded()
            gone = {pid for pid in self.old if not os.path.exists("/proc/{}".format(pid))}
            run = self.observe(instance)
            self.assertFalse(run.pids & gone)
            self.assertIn(self.master, run.pids)
            for pid in run.pids - before.pids:
                self.assert_complete_since_birth(pid, run.series[pid], before.ended)
            before = run
            time.sleep(0.02)
        self.assertEqual(before.pids, self.titled_workers() | {self.master})

    def assert_complete_since_birth(self, pid: int, gauges: fleet.Gauges, since: float) -> None:
        """All gauges are there of a process that was certainly born after a run."""
        try:
            born = fleet.start_time(pid)
        except (FileNotFoundError, ProcessLookupError):
            return  # it has ended, and may have while it was read
        if born > since:
            self.assertEqual(set(gauges), fleet.ALL_GAUGES)


def parse_datagram(text: str) -> List[Datagram]:
    """The tracer's gauges in what it sent at once."""
    result = []
    for line in filter(None, text.split("\n")):
        name, _, rest = line.partition(":")
        value, _, tags = rest.split("|")[:3]
        result.append(Datagram(name, float(value), tags))
    return result
