"""What works when the Agent runs in a container: each way to run one, on processes of each kind.

For the kernel a container is a few namespaces and what is left of root's capabilities, so these
are made without a container's runtime. A DaemonSet of Kubernetes has the capabilities that Docker
gives; whether its pids are the host's is said by hostPID.
"""

import contextlib
import enum
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from typing import (
    Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple)

import door
import fleet
import run_check

AGENT = os.path.join(fleet.WORKLOADS, "container_agent.py")
PYTHON = os.path.realpath(sys.executable)  # anybody may run it
PROC = "/proc"
NO_USER = "no-such-user"
NOBODY = 65534
DD_AGENT = 65533  # a user that nothing else here runs as

RUNS = 6
SECONDS_BETWEEN = 0.02
GC_GAUGES = {name for name in fleet.ALL_GAUGES if name.startswith("gc.")}
# What is found out in the process.
FOUND_TAGS = ["service:matrix", *door.LANGUAGE_TAGS]

CAPABILITIES = {
    "chown": 0, "dac_override": 1, "dac_read_search": 2, "fowner": 3, "fsetid": 4, "kill": 5,
    "setgid": 6, "setuid": 7, "setpcap": 8, "net_bind_service": 10, "net_raw": 13,
    "sys_chroot": 18, "sys_ptrace": 19, "sys_admin": 21, "mknod": 27, "audit_write": 29,
    "setfcap": 31}
NOTHING: FrozenSet[str] = frozenset()
PTRACE = frozenset({"sys_ptrace"})
# What Docker, containerd and so Kubernetes leave to root.
DOCKER = frozenset(CAPABILITIES) - {"dac_read_search", "sys_ptrace", "sys_admin"}


class Pids(enum.Enum):
    """The pid namespace of an Agent."""

    HOST = enum.auto()
    OWN = enum.auto()
    POD = enum.auto()  # that of the processes of one container, which know no others


class Agent(NamedTuple):
    """How an Agent is run; its capabilities are all that there are where none are named."""

    pids: Pids
    capabilities: Optional[FrozenSet[str]]
    user: int = 0


# Each has its own /proc, and but for the sidecars also the host's, mounted elsewhere.
AGENTS = {
    "docker run": Agent(Pids.OWN, DOCKER),
    "docker run --cap-add SYS_PTRACE": Agent(Pids.OWN, DOCKER | PTRACE),
    "docker run --cap-drop ALL --cap-add SYS_PTRACE": Agent(Pids.OWN, PTRACE),
    # What is added to other users than root is not in effect.
    "docker run --cap-add SYS_PTRACE --user nobody": Agent(Pids.OWN, NOTHING, NOBODY),
    "docker run --pid host": Agent(Pids.HOST, DOCKER),
    "docker run --pid host --cap-add SYS_PTRACE": Agent(Pids.HOST, DOCKER | PTRACE),
    "docker run --pid host --privileged": Agent(Pids.HOST, None),
    "a sidecar, shareProcessNamespace": Agent(Pids.POD, DOCKER),
    "a sidecar, shareProcessNamespace, runAsUser": Agent(Pids.POD, NOTHING, NOBODY),
    "no container, CAP_SYS_PTRACE": Agent(Pids.HOST, PTRACE, DD_AGENT),
    "no container, CAP_SYS_PTRACE CAP_DAC_READ_SEARCH":
        Agent(Pids.HOST, PTRACE | {"dac_read_search"}, DD_AGENT),
}


class Access(enum.Enum):
    """Whether an Agent may look into a process, and the kernel's reason."""

    # By CAP_SYS_PTRACE, or as the same user with no fewer capabilities.
    GRANTED = enum.auto()
    # It is another user's: ptrace(2), access mode checking, 3.
    OTHER_USER = enum.auto()
    # It is the same user's but has capabilities that the Agent lacks: ibid., 5 (commoncap).
    MORE_CAPABLE = enum.auto()
    # CAP_SYS_PTRACE would do, but its file mem is its user's alone to open: path_resolution(7).
    NOT_MY_FILE = enum.auto()
    # It is in none of the pid namespaces that the procfs is of.
    NOT_THERE = enum.auto()


class Precision(enum.Enum):
    """What cpu.percent is reckoned from."""

    CLOCK = enum.auto()  # a pid of the procfs is one for the Agent's system calls
    TICKS = enum.auto()


class Kind(enum.Enum):
    """Processes that are watched."""

    ROOT = enum.auto()  # with all capabilities, on the host
    CONTAINED = enum.auto()  # root with Docker's capabilities, in a container
    NOBODY = enum.auto()  # without capabilities, on the host
    PODDED = enum.auto()  # the same in that container


class Row(NamedTuple):
    """What an Agent may do that looks at a procfs."""

    agent: str
    host_proc: bool  # whether it looks at the host's, mounted beside its own
    precision: Optional[Precision]
    access: Dict[Kind, Access]

    def check_id(self, what: str) -> str:
        """Of the Agent's instance that finds out something."""
        return "{} {}".format("host" if self.host_proc else "own", what)

    def visible(self) -> Set[Kind]:
        """The processes that the procfs has."""
        if AGENTS[self.agent].pids is Pids.POD:
            return {Kind.CONTAINED, Kind.PODDED}
        return set() if Access.NOT_THERE in self.access.values() else set(Kind)


def of_host(root: Access, contained: Access, nobody: Access) -> Dict[Kind, Access]:
    """The access to the processes that the host's procfs has."""
    return {Kind.ROOT: root, Kind.CONTAINED: contained, Kind.NOBODY: nobody}


def of_pod(contained: Access, podded: Access) -> Dict[Kind, Access]:
    """The access to the processes of the container."""
    return {Kind.CONTAINED: contained, Kind.PODDED: podded}


ALL_GRANTED = of_host(*3 * [Access.GRANTED])
NONE_THERE = of_host(*3 * [Access.NOT_THERE])
DOCKERS = of_host(Access.MORE_CAPABLE, Access.GRANTED, Access.OTHER_USER)

ROWS = (
    Row("docker run", True, Precision.TICKS, DOCKERS),
    Row("docker run", False, None, NONE_THERE),
    Row("docker run --cap-add SYS_PTRACE", True, Precision.TICKS, ALL_GRANTED),
    Row("docker run --cap-add SYS_PTRACE", False, None, NONE_THERE),
    Row("docker run --cap-drop ALL --cap-add SYS_PTRACE", True, Precision.TICKS,
        of_host(Access.GRANTED, Access.GRANTED, Access.NOT_MY_FILE)),
    Row("docker run --cap-add SYS_PTRACE --user nobody", True, Precision.TICKS,
        of_host(Access.OTHER_USER, Access.OTHER_USER, Access.GRANTED)),
    Row("docker run --pid host", True, Precision.CLOCK, DOCKERS),
    Row("docker run --pid host", False, Precision.CLOCK, DOCKERS),
    Row("docker run --pid host --cap-add SYS_PTRACE", True, Precision.CLOCK, ALL_GRANTED),
    Row("docker run --pid host --cap-add SYS_PTRACE", False, Precision.CLOCK, ALL_GRANTED),
    Row("docker run --pid host --privileged", True, Precision.CLOCK, ALL_GRANTED),
    Row("a sidecar, shareProcessNamespace", False, Precision.CLOCK,
        of_pod(Access.GRANTED, Access.OTHER_USER)),
    Row("a sidecar, shareProcessNamespace, runAsUser", False, Precision.CLOCK,
        of_pod(Access.OTHER_USER, Access.GRANTED)),
    Row("no container, CAP_SYS_PTRACE", False, Precision.CLOCK,
        of_host(*3 * [Access.NOT_MY_FILE])),
    Row("no container, CAP_SYS_PTRACE CAP_DAC_READ_SEARCH", False, Precision.CLOCK, ALL_GRANTED),
)

# Says its counts until saying them changes nothing; then works a little, and allocates no more,
# until its standard input closes.
APP = """
import gc, os, sys, threading, time
with open("/proc/self/comm", "w") as comm:
    comm.write(sys.argv[1])
threading.Thread(target=lambda: os.read(0, 1) or os._exit(0)).start()
""" + door.SAY_COUNTS + """
while True:
    for _ in range(3000):
        pass
    time.sleep(0.002)
"""
THREADS = 2

UNSHARE = ("unshare", "--mount", "--fork", "--kill-child")
CONTAINER = (*UNSHARE, "--pid", "--mount-proc")
# Arguments: where to mount the host's procfs, and a command to run there.
MOUNT = ("sh", "-c", 'mount --bind /proc "$0" && mount -o remount,bind,ro "$0" && '
                     'mount -t proc proc /proc && exec "$@"')


def status_field(pid: Any, name: str) -> List[str]:
    """What /proc/PID/status says."""
    with open("/proc/{}/status".format(pid), encoding="utf-8") as file:
        (line,) = (line for line in file if line.startswith(name + ":"))
    return line.split()[1:]


def mask_of(capabilities: Optional[FrozenSet[str]]) -> int:
    """The bits of capabilities; all that this process has where none are named."""
    if capabilities is None:
        return int(status_field("self", "CapEff")[0], 16)
    return sum(1 << CAPABILITIES[name] for name in capabilities)


def why_not() -> str:
    """Why no containers can be made here, or not such as these; empty when they can."""
    needed = mask_of(frozenset(CAPABILITIES))
    if os.geteuid() != 0 or mask_of(None) & needed != needed:
        return "only root with all capabilities of a container can do this"
    if None in map(shutil.which, ("unshare", "nsenter", "setpriv")):
        return "no unshare, nsenter or setpriv"
    if subprocess.call([*CONTAINER, "true"], stderr=subprocess.DEVNULL) != 0:
        return "no pid namespace can be had here"
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            scope = int(file.read())
    except FileNotFoundError:
        return ""
    return "" if scope == 0 else "Yama narrows who may look into a process"


WHY_NOT = why_not()


class App:
    """A Python process that is watched."""

    def __init__(self, prefix: Sequence[str], name: str) -> None:
        self.workload = fleet.Workload(
            [*prefix, PYTHON, "-c", APP, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**fleet.ENVIRONMENT, "DD_SERVICE": "matrix"})
        self.counts = self._read_counts()
        (self.pid,) = fleet.children(self.workload.pid) or {self.workload.pid}
        self.pid_in_pod = int(status_field(self.pid, "NSpid")[-1])
        self.user = int(status_field(self.pid, "Uid")[0])

    def _read_counts(self) -> List[int]:
        before = None
        for line in self.workload.process.stdout:
            if line == before:
                return list(map(int, line.split()))
            before = line
        raise RuntimeError("the process ended")

    def stop(self) -> None:
        """Lets it end by itself, so that whatever has started it reaps it."""
        self.workload.process.communicate(timeout=60)
        self.workload.stop()


class Seen:
    """What the runs of one instance gave."""

    def __init__(self, reports: List[Dict[str, Any]], check_id: str) -> None:
        self.errors, self.metrics, self.service_checks = (
            [[each for each in report[part] if each["check_id"] == check_id]
             for report in reports] for part in ("errors", "metrics", "service_checks"))

    def gauges(self, run: int) -> fleet.Gauges:
        """Those of the one process."""
        return {metric["name"][len(fleet.PREFIX):]: metric["value"]
                for metric in self.metrics[run] if metric["name"].startswith(fleet.PREFIX)}

    def series_tags(self) -> List[List[str]]:
        """The tags of the processes' gauges in the second run."""
        return [metric["tags"] for metric in self.metrics[1]
                if metric["name"].startswith(fleet.PREFIX)]

    def pids(self) -> Set[int]:
        """The processes that the second run reported."""
        return {int(run_check.tag_value(tags, "pid:")) for tags in self.series_tags()}

    def counted(self) -> List[float]:
        """How many processes the second run says that there are."""
        return [metric["value"] for metric in self.metrics[1]
                if metric["name"] == "python.process.count"]

    def told(self, name: str) -> Tuple[str, str]:
        """The status and message of a service check of the second run."""
        (check,) = (each for each in self.service_checks[1] if each["name"] == name)
        return check["status"], check["message"]

    def up(self) -> Tuple[str, str]:
        """Those of python.process.up."""
        return self.told("python.process.up")

    def readable(self) -> Tuple[str, str]:
        """Those of python.gc.readable."""
        return self.told("python.gc.readable")

    def precision(self) -> Optional[Precision]:
        """By a run between whose ticks the process has worked."""
        for gauges in map(self.gauges, range(1, RUNS)):
            if (gauges["cpu.ctx_switch.voluntary"] > 0
                    and gauges["cpu.time.user"] + gauges["cpu.time.sys"] == 0):
                return Precision.CLOCK if gauges["cpu.percent"] > 0 else Precision.TICKS
        return None


class Scene:
    """The processes that are watched, and what the Agents saw of them."""

    def __init__(self) -> None:
        self.name = fleet.unique("matrix")
        self.apps: Dict[Kind, App] = {}
        self._output: Dict[str, Dict[str, Any]] = {}
        self._undo = contextlib.ExitStack()

    def begin(self) -> None:
        """Starts the processes, and lets all Agents look at them."""
        directory = self._undo.enter_context(tempfile.TemporaryDirectory(prefix="fleet-"))
        os.chmod(directory, 0o755)  # for Agents that are not root
        self.host_proc = os.path.join(directory, "proc")
        os.mkdir(self.host_proc)
        self.cgroup = self._make_cgroup()
        self._agents_cgroup = self._make_cgroup()
        self._start_apps()
        self._run_agents()

    def end(self) -> None:
        """Leaves nothing behind."""
        self._undo.close()

    def capabilities(self, agent: str) -> int:
        """What the kernel said that an Agent had."""
        return self._output[agent]["capabilities"]

    def seen(self, row: Row, what: str) -> Seen:
        """What a row's Agent saw at its procfs with one of its instances."""
        return Seen(self._output[row.agent]["reports"], row.check_id(what))

    def procfs(self, row: Row) -> str:
        """Where that is mounted."""
        return self.host_proc if row.host_proc else PROC

    def pid(self, row: Row, kind: Kind) -> int:
        """The pid that a process has there; on the host where it has none."""
        app = self.apps[kind]
        return app.pid_in_pod if AGENTS[row.agent].pids is Pids.POD else app.pid

    def _make_cgroup(self) -> fleet.Cgroup:
        cgroup = fleet.Cgroup()
        self._undo.callback(cgroup.remove)
        return cgroup

    def _start_apps(self) -> None:
        docker = "-all," + ",".join("+" + name for name in sorted(DOCKER))
        nobody = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        self._start(Kind.ROOT)
        self._start(Kind.NOBODY, *nobody)
        self._start(Kind.CONTAINED, *CONTAINER, *self.cgroup.joining(),
                    "setpriv", "--bounding-set", docker)
        self._start(Kind.PODDED, *self._entering_pod(), *nobody)

    def _start(self, kind: Kind, *prefix: str) -> None:
        self.apps[kind] = App(prefix, self.name)
        self._undo.callback(self.apps[kind].stop)

    def _entering_pod(self) -> Sequence[str]:
        """What runs a command where the contained process is."""
        return ("nsenter", "--pid", "--mount", "--target", str(self.apps[Kind.CONTAINED].pid))

    def _run_agents(self) -> None:
        """All at once, as most of their time is waiting."""
        running = {name: self._start_agent(name) for name in AGENTS}
        for name, process in running.items():
            output, errors = process.communicate(timeout=60)
            if process.returncode != 0:
                raise RuntimeError("{}: {}".format(name, errors))
            self._output[name] = json.loads(output)

    def _start_agent(self, name: str) -> "subprocess.Popen[str]":
        with tempfile.TemporaryFile("w+") as orders:
            json.dump(self._orders(name), orders)
            orders.seek(0)
            process = subprocess.Popen(
                [*self._entering(AGENTS[name].pids), sys.executable, "-B", AGENT],
                stdin=orders, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._undo.callback(process.kill)
        return process

    def _entering(self, pids: Pids) -> Sequence[str]:
        """What runs a command in the namespaces of an Agent."""
        if pids is Pids.POD:
            return self._entering_pod()
        if pids is Pids.HOST:
            return (*UNSHARE, *MOUNT, self.host_proc)
        # Where cgroups are of version 2, a container has a namespace of them too.
        return (*self._agents_cgroup.joining(), *UNSHARE, "--pid", "--cgroup", *MOUNT,
                self.host_proc)

    def _orders(self, name: str) -> Dict[str, Any]:
        """What the Agent's program reads."""
        agent = AGENTS[name]
        instances = {
            row.check_id(what): ({"procfs_path": self.procfs(row)}, {"name": "app", **instance})
            for row in ROWS if row.agent == name
            for what, instance in self._instances(row).items()}
        return {"user": agent.user, "capabilities": mask_of(agent.capabilities), "runs": RUNS,
                "seconds": SECONDS_BETWEEN, "instances": instances}

    def _instances(self, row: Row) -> Dict[str, Dict[str, Any]]:
        """One for each cell, by the pid, and one for each other way to choose."""
        by_name = {"search_string": [self.name]}
        return {
            **{kind.name: {"pid": self.pid(row, kind)} for kind in row.access},
            "name": by_name,
            "user": {**by_name, "user": str(NOBODY)},
            "no user": {**by_name, "user": NO_USER},
            "container": {"container_id": self.cgroup.container_id[:12]},
            "discover": {"discover": "all", "user": str(NOBODY)},
        }


class Cell(NamedTuple):
    """One process, as the Agent of one row sees it when it is given its pid."""

    row: Row
    kind: Kind
    access: Access
    app: App
    pid: int
    seen: Seen

    @property
    def title(self) -> Dict[str, str]:
        """What tells it from others."""
        return {"agent": self.row.agent, "procfs": self.row.check_id("/proc"),
                "process": self.kind.name, "access": self.access.name}


@unittest.skipIf(WHY_NOT, WHY_NOT)
class ContainerTest(unittest.TestCase):
    """Each test is about all cells, or those of some kind."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.scene = Scene()
        cls.addClassCleanup(cls.scene.end)
        cls.scene.begin()

    def cells(self, *accesses: Access) -> Iterator[Cell]:
        """Those with one of these accesses, all where none is named."""
        for row in ROWS:
            for kind, access in row.access.items():
                if not accesses or access in accesses:
                    yield Cell(row, kind, access, self.scene.apps[kind],
                               self.scene.pid(row, kind), self.scene.seen(row, kind.name))

    def cells_denied(self) -> Iterator[Cell]:
        """Those of processes that may not be looked into."""
        return self.cells(Access.OTHER_USER, Access.MORE_CAPABLE, Access.NOT_MY_FILE)

    def test_everybody_has_the_capabilities_that_this_is_about(self) -> None:
        for kind, capabilities in (
                (Kind.ROOT, None), (Kind.CONTAINED, DOCKER),
                (Kind.NOBODY, NOTHING), (Kind.PODDED, NOTHING)):
            (mask,) = status_field(self.scene.apps[kind].pid, "CapPrm")
            self.assertEqual(int(mask, 16), mask_of(capabilities), kind)
        for name, agent in AGENTS.items():
            self.assertEqual(self.scene.capabilities(name), mask_of(agent.capabilities), name)

    def test_seven_gauges_need_no_access_and_the_counts_do(self) -> None:
        for cell in self.cells():
            with self.subTest(**cell.title):
                expected = {Access.GRANTED: fleet.ALL_GAUGES, Access.NOT_THERE: set()}
                self.assertEqual(set(cell.seen.gauges(1)), expected.get(
                    cell.access, fleet.ALL_GAUGES - GC_GAUGES))
                self.assertEqual(cell.seen.errors, RUNS * [[]])

    def test_values_are_those_of_the_process(self) -> None:
        for cell in self.cells():
            with self.subTest(**cell.title):
                if cell.access is Access.NOT_THERE:
                    continue
                gauges = cell.seen.gauges(1)
                self.assertEqual(gauges["thread_count"], THREADS)
                self.assertLess(abs(gauges["mem.rss"] - fleet.resident(cell.app.pid)), 1 << 20)
                if cell.access is Access.GRANTED:
                    self.assertEqual([gauges["gc.count.gen{}".format(generation)]
                                      for generation in range(3)], cell.app.counts)
                self.assertTrue(any(cell.seen.gauges(run)["cpu.ctx_switch.voluntary"] > 0
                                    for run in range(1, RUNS)))

    def test_tags_of_service_and_language_need_access(self) -> None:
        for cell in self.cells():
            with self.subTest(**cell.title):
                for tags in cell.seen.series_tags():
                    self.assertIn("pid:{}".format(cell.pid), tags)
                    for tag in FOUND_TAGS:
                        self.assertEqual(tag in tags, cell.access is Access.GRANTED, tag)

    def test_cpu_percent_is_by_the_clock_where_pids_are_the_agents_own(self) -> None:
        for cell in self.cells():
            with self.subTest(**cell.title):
                if cell.access is not Access.NOT_THERE:
                    self.assertEqual(cell.seen.precision(), cell.row.precision)

    def test_nothing_is_said_where_nothing_is_left_out(self) -> None:
        for cell in self.cells(Access.GRANTED):
            with self.subTest(**cell.title):
                self.assertEqual((cell.seen.up(), cell.seen.readable()), 2 * (("OK", ""),))

    def test_counts_that_are_left_out_are_a_warning_with_reason_and_remedy(self) -> None:
        for cell in self.cells_denied():
            with self.subTest(**cell.title):
                self.assertEqual(cell.seen.up(), ("OK", ""))
                status, message = cell.seen.readable()
                self.assertEqual(status, "WARNING")
                self.assertIn("runtime.python.gc.count.* is left out for 1 of 1 processes", message)
                self.assertIn("cannot open {}/{}/mem: Permission denied".format(
                    self.scene.procfs(cell.row), cell.pid), message)
                if cell.access is not Access.NOT_MY_FILE:
                    self.assertIn("; give the Agent CAP_SYS_PTRACE", message)

    def test_a_process_of_another_namespace_is_none(self) -> None:
        for cell in self.cells(Access.NOT_THERE):
            with self.subTest(**cell.title):
                status, message = cell.seen.up()
                self.assertEqual(status, "CRITICAL")
                self.assertIn('no process matches the instance "app"', message)
                self.assertEqual(cell.seen.readable(), ("UNKNOWN", ""))
                self.assertEqual(cell.seen.counted(), [0])

    def assert_chooses(self, what: str, chosen: Set[Kind]) -> None:
        """An instance reports those of the chosen processes that there are, with any access."""
        for row in ROWS:
            with self.subTest(agent=row.agent, procfs=row.check_id("/proc")):
                pids = {self.scene.pid(row, kind) for kind in chosen & row.visible()}
                self.assertEqual(self.scene.seen(row, what).pids(), pids)
                self.assertEqual(self.scene.seen(row, what).counted(), [len(pids)])

    def test_names_are_found_wherever_the_process_is(self) -> None:
        self.assert_chooses("name", set(Kind))

    def test_users_are_found_by_their_number(self) -> None:
        self.assert_chooses("user", {Kind.NOBODY, Kind.PODDED})

    def test_a_container_is_found_by_its_id_from_within_another(self) -> None:
        if not self.scene.cgroup.path:
            self.skipTest("no cgroups of version 2 can be made here")
        self.assert_chooses("container", {Kind.CONTAINED})

    def test_a_user_that_the_container_does_not_know_is_an_error_with_the_remedy(self) -> None:
        for row in ROWS:
            (error,) = self.scene.seen(row, "no user").errors[1]
            self.assertIn('there is no user "{}"'.format(NO_USER), error["message"])
            self.assertIn("as in a container, the number", error["message"])

    def test_discovery_needs_access(self) -> None:
        for row in ROWS:
            seen = self.scene.seen(row, "discover")
            for kind, access in row.access.items():
                if self.scene.apps[kind].user != NOBODY:
                    continue
                with self.subTest(agent=row.agent, procfs=row.check_id("/proc")):
                    self.assertEqual(self.scene.pid(row, kind) in seen.pids(),
                                     access is Access.GRANTED)
                    if access not in (Access.GRANTED, Access.NOT_THERE):
                        status, message = seen.readable()
                        self.assertEqual(status, "WARNING")
                        self.assertIn("may not be seen whether they hold a Python", message)

    def test_remedy_goes_beyond_the_capability_that_the_agent_has(self) -> None:
        for cell in self.cells(Access.NOT_MY_FILE):
            self.assertIn("CAP_DAC_READ_SEARCH: see \"Rights\"", cell.seen.readable()[1])

    def test_remedy_is_not_to_become_the_user_that_the_agent_is(self) -> None:
        for cell in self.cells(Access.MORE_CAPABLE):
            self.assertNotIn("run it as the user", cell.seen.readable()[1])

    def test_remedy_is_told_where_only_the_container_is_seen(self) -> None:
        for cell in self.cells(Access.NOT_THERE):
            self.assertIn("procfs_path", cell.seen.up()[1])

    def test_discovery_does_not_take_what_it_may_not_look_into_for_none(self) -> None:
        for cell in self.cells_denied():
            if cell.app.user == NOBODY:
                seen = self.scene.seen(cell.row, "discover")
                self.assertEqual(seen.up()[0], "UNKNOWN")
                self.assertNotEqual(seen.counted(), [0])
