"""Environments that hold secrets, or that are not what they seem: nothing comes out but our tags.

What comes out is all that the door hands to the Agent, and all that the command prints.
"""

import json
import os
import resource
import subprocess
import sys
import unittest
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Set

import door
import fleet
import run_check

CLI = os.environ["PYCHECK_CLI"]
AGENT = run_check.__file__
NAME = "env"

# Normalising leaves it as it is, and each part of it that is worth anything has the word.
WORD = "hunter2"
SECRET = WORD * 8

VARIABLES = ("DD_SERVICE", "DD_ENV", "DD_VERSION", "DD_TAGS", "OTEL_SERVICE_NAME",
             "OTEL_RESOURCE_ATTRIBUTES", "DD_RUNTIME_METRICS_ENABLED", "DD_TRACE_ENABLED",
             "OTEL_TRACES_EXPORTER", "DD_PROFILING_ENABLED", "DD_INJECTION_ENABLED")
SECRETS = {"AWS_SECRET_ACCESS_KEY": SECRET, "PASSWORD": SECRET, "DD_API_KEY": SECRET,
           "DATABASE_URL": "postgres://user:{}@host/DD_SERVICE={}".format(SECRET, SECRET),
           "MULTILINE": "x\nDD_SERVICE={}\nDD_ENV={}".format(SECRET, SECRET)}

LONGEST = 128 * 1024  # MAX_ARG_STRLEN: the name, the equals sign, the value and a NUL
MOST_CHARACTERS = 200

# Those of every series of a Python, and what the command asks for.
OTHER_KEYS = {"process_name", "pid", "lang", "lang_interpreter", "lang_version",
              "tracer_loaded", "tracing_enabled", "profiling_enabled"}

WAIT = "import os; os.write(1, b'\\n'); os.read(0, 1)"

Environment = Mapping[Any, Any]
Report = Dict[str, List[Any]]


def longest(name: str, value: str) -> Dict[str, str]:
    """A variable that is as long as one can be, and begins so."""
    return {name: value.ljust(LONGEST - len(name) - 2, "x")}


def megabytes(count: int) -> Dict[str, str]:
    """So many, in few variables."""
    variables: Dict[str, str] = {}
    for number in range(count * 2**20 // LONGEST):
        variables.update(longest("PASSWORD{}".format(number), SECRET * 2300))
    return variables


def allow_large_environment() -> None:
    """The kernel lets arguments and environment have a quarter of the stack, and 6 MiB at most."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (32 << 20, hard))


def service_tags(report: Report) -> Set[FrozenSet[str]]:
    """Those of each series, but for the tags of any Python."""
    return {frozenset(tag for tag in metric["tags"] if tag.partition(":")[0] not in OTHER_KEYS)
            for metric in report["metrics"] if metric["name"] in door.ALL_GAUGES}


def cpu_seconds_of_children() -> float:
    """What the programs that have been waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class EnvironmentTest(fleet.FleetTestCase):
    """Each in a Python of its own."""

    def begin(self, command: Iterable[str], environment: Environment) -> int:
        """The pid of a process that has made itself ready."""
        clean = {name: value for name, value in fleet.ENVIRONMENT.items()
                 if not name.startswith(("DD_", "OTEL_"))}
        workload = self.start(
            list(command), env={**clean, **environment}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, preexec_fn=allow_large_environment)
        self.assertEqual(workload.process.stdout.readline(), b"\n")
        return workload.pid

    def begin_with(self, environment: Environment) -> int:
        """A process that was started with this."""
        return self.begin([sys.executable, "-c", WAIT], environment)

    def begin_making(self, *case: str, environment: Optional[Environment] = None,
                     python: str = sys.executable) -> int:
        """A process that has made itself another; see the program."""
        program = os.path.join(fleet.WORKLOADS, "environments.py")
        return self.begin([python, "-B", program, SECRET, *case], {
            **SECRETS, **(environment or {"DD_SERVICE": "from-file"})})

    def assert_tags(self, pid: int, expected: Set[str]) -> None:
        """The gauges come with just these tags by both doors, and no secret does."""
        for report in (self.report_of_door(pid), self.report_of_command(pid)):
            self.assert_whole(report)
            self.assertEqual(service_tags(report), {frozenset(expected)})

    def report_of_door(self, pid: int, runs: int = 2) -> Report:
        """What the last run gave; no run has said a secret."""
        instance = self.make({"name": NAME, "pid": pid})
        for _ in range(runs):
            self.run_check(instance)
            agent = door.AGENT
            self.assert_clean(repr((agent.metrics, agent.service_checks, agent.logs,
                                    agent.questions, instance.warnings)))
            self.assertEqual(agent.logs + instance.warnings, [])
        instance.cancel()
        return run_check.make_report(door.AGENT, {})

    def report_of_command(self, *pids: int, runs: int = 2, **options: Any) -> Report:
        """What the native door gave; it has printed nothing else, and no secret."""
        return self.report_of(
            CLI, "--pid=" + ",".join(map(str, pids)), "--format=json", "--interval=1ms",
            "--runs={}".format(runs), env=fleet.ENVIRONMENT, **options)

    def report_of(self, *command: str, timeout: float = 60, **options: Any) -> Report:
        """The report that a command prints; it prints nothing else, and no secret."""
        done = subprocess.run(command, capture_output=True, timeout=timeout, **options)
        self.assert_clean(repr(done))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return json.loads(done.stdout)

    def assert_clean(self, output: str) -> None:
        """No secret is in it."""
        place = output.lower().find(WORD)
        self.assertEqual(place, -1, output[max(place - 100, 0):place + 100])

    def assert_whole(self, report: Report) -> None:
        """All gauges have come, with tags as Datadog keeps them, and there is nothing to say."""
        self.assertLessEqual(set(door.ALL_GAUGES), {each["name"] for each in report["metrics"]})
        self.assertEqual(report["errors"], [])
        for check in report["service_checks"]:
            self.assertEqual((check["status"], check["message"]), ("OK", ""))
        for tag in {tag for metric in report["metrics"] for tag in metric["tags"]}:
            self.assertRegex(tag, r"\A(?:[^\W\d_]|:)[\w:./-]*\Z")
            self.assertEqual(tag, tag.lower())
            self.assertLessEqual(len(tag), MOST_CHARACTERS)

    def test_other_variables_do_not_come_out(self) -> None:
        self.assert_tags(self.begin_with({**SECRETS, "DD_SERVICE": "shop", "DD_ENV": "prod"}),
                         {"service:shop", "env:prod"})

    def test_the_loaded_door_prints_nothing_itself(self) -> None:
        pid = self.begin_with({**SECRETS, "DD_SERVICE": "shop"})
        conf = os.path.join(self.make_directory(), "conf.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            json.dump({"init_config": {}, "instances": [{"name": NAME, "pid": pid}]}, file)
        report = self.report_of(
            sys.executable, "-B", AGENT, "--door", os.path.dirname(door.DOOR), "--conf", conf,
            "--interval", "0", "--json")
        self.assert_whole(report)
        self.assertEqual(service_tags(report), {frozenset({"service:shop"})})

    def test_names_like_ours_are_not_ours(self) -> None:
        alike = [form.format(name) for name in VARIABLES for form in (
            "{}_KEY", "{}S", "{}_", "X{}", "_{}", " {}", "{} ", "{}\n", "\n{}", "{}\xff")]
        alike += [name.lower() for name in VARIABLES] + [name[:-1] for name in VARIABLES]
        self.assert_tags(self.begin_with(dict.fromkeys(alike, SECRET)), set())

    def test_what_a_tracer_makes_no_tag_of_is_none(self) -> None:
        for environment in (
                {"DD_RUNTIME_METRICS_ENABLED": SECRET},
                {"DD_TRACE_ENABLED": SECRET, "DD_PROFILING_ENABLED": SECRET},
                {"OTEL_TRACES_EXPORTER": SECRET, "DD_INJECTION_ENABLED": SECRET},
                {"OTEL_RESOURCE_ATTRIBUTES": "token=={},a=b".format(SECRET)},
                {"OTEL_RESOURCE_ATTRIBUTES": "token=" + SECRET, "DD_TAGS": ""},
                {"OTEL_SERVICE_NAME": SECRET, "DD_SERVICE": ""},
                {"DD_TAGS": "git.repository_url:https://user:{}@host/".format(SECRET)}):
            with self.subTest(environment=environment):
                self.assert_tags(self.begin_with({**SECRETS, **environment}), set())

    def test_values_may_be_anything(self) -> None:
        self.assert_tags(self.begin_with({
            b"DD_SERVICE": b"\xff\xfeMy\xc3Shop\x80", b"DD_ENV": b"\xc3\x96de\xed\xa0\x80",
            b"DD_VERSION": b"1.0=\n\x1b[31m\x07beta\t\r", b"PASSWORD\xff": SECRET.encode(),
            b"DD_TAGS": b"k\xff:v\x80w,\xe2\x82:x,ne\nw:li\r\nne,:none,7:8,\xf0\x9f\x90\x8d:y"}),
            {"service:_my_shop", "env:öde", "version:1.0_31m_beta", "k_:v_w", ":x", "ne_w:li_ne",
             ":8", ":y"})

    def test_a_variable_may_be_as_long_as_the_kernel_takes(self) -> None:
        for variables, expected in (
                (longest("DD_SERVICE", "shop"), "service:shop"),
                (longest("DD_TAGS", "k:v"), "k:v")):
            pid = self.begin_with({**SECRETS, **variables})
            self.assert_tags(pid, {expected.ljust(MOST_CHARACTERS, "x")})

    def test_a_hundred_of_thousands_of_tags_are_taken(self) -> None:
        tags = ["key{:04}:value".format(number) for number in range(3000)]
        self.assert_tags(self.begin_with({**SECRETS, "DD_TAGS": ",".join(tags)}), set(tags[:100]))

    def test_tags_cost_no_more_than_their_number(self) -> None:
        def seconds_for(count: int) -> float:
            pid = self.begin_with({"DD_TAGS": ",".join(map("t{:04x}".format, range(count)))})
            before = cpu_seconds_of_children()
            self.report_of_command(pid)
            return cpu_seconds_of_children() - before

        # Their square would take 75 times as long.
        self.assertLess(seconds_for(20_000), 30 * seconds_for(2_000))

    def test_two_megabytes_may_come_before(self) -> None:
        pid = self.begin_with({**megabytes(2), "DD_SERVICE": "behind"})
        self.assert_tags(pid, {"service:behind"})

    def test_there_may_be_more_variables_than_are_looked_at_in_memory(self) -> None:
        many = {"PASSWORD{}".format(number): SECRET for number in range(20_000)}
        self.assert_tags(self.begin_with({**many, "DD_SERVICE": "behind"}), {"service:behind"})

    def test_more_megabytes_than_are_read_of_memory_may_come_before(self) -> None:
        pid = self.begin_with({**megabytes(5), "DD_SERVICE": "behind"})
        self.assert_tags(pid, {"service:behind"})

    def test_a_variable_ends_with_its_nul(self) -> None:
        self.assert_tags(self.begin_making("beside"), {"service:shop"})

    def test_a_variable_may_lie_in_two_pages(self) -> None:
        self.assert_tags(self.begin_making("across_pages"), {"service:shop"})

    def test_the_first_variable_of_a_name_counts(self) -> None:
        self.assert_tags(self.begin_making("twice"), {"service:shop"})

    # What follows a variable without a NUL is part of it, also for getenv(3). But it ends where the
    # memory does, and where no program could be started with a longer one; a tag ends even sooner.
    def test_a_variable_without_nul_ends_with_the_memory(self) -> None:
        self.assert_tags(self.begin_making("without_nul"), {"service:shop"})

    def test_a_variable_without_nul_ends_where_it_is_too_long(self) -> None:
        self.assert_tags(self.begin_making("too_long"), {
            "service:".ljust(MOST_CHARACTERS, "s"), "k:".ljust(MOST_CHARACTERS, "v")})

    def test_a_file_without_nul_at_its_end_is_read(self) -> None:
        pid = self.begin_making("without_nul_in_file")
        self.assert_tags(pid, {"service:shop", "k:".ljust(MOST_CHARACTERS, "v")})

    def test_a_variable_of_the_file_ends_where_it_is_too_long(self) -> None:
        pid = self.begin_making("too_long_in_file", environment=megabytes(2))
        self.assert_tags(pid, {"service:shop", "k:".ljust(MOST_CHARACTERS, "v")})

    def test_where_the_memory_leads_to_no_environment_the_file_counts(self) -> None:
        for case in ("none", "endless", "without_null", *(
                "nowhere " + str(number) for number in range(5))):
            with self.subTest(case=case):
                self.assert_tags(self.begin_making(*case.split()), {"service:from-file"})

    def test_variables_that_lead_nowhere_are_passed_over(self) -> None:
        self.assert_tags(self.begin_making("all_nowhere"), {"service:shop"})

    def test_an_environment_may_be_its_own_variable(self) -> None:
        self.assert_tags(self.begin_making("itself"), set())

    @fleet.NEEDS_APPS
    def test_a_title_over_the_environment_does_not_hide_it(self) -> None:
        pid = self.begin_making("titled", python=fleet.APPS_PYTHON)
        with open("/proc/{}/environ".format(pid), "rb") as file:
            self.assertNotIn(b"DD_SERVICE", file.read())
        self.assert_tags(pid, {"service:from-file"})

    def test_an_environment_may_change_while_it_is_read(self) -> None:
        pid = self.begin_making("change")
        reports = [self.report_of_door(pid) for _ in range(500)]
        reports.append(self.report_of_command(*[pid] * 100))
        seen = set().union(*(tags for report in reports for tags in service_tags(report)))
        self.assertLessEqual({"service:one", "service:two"}, seen)
        self.assertLessEqual(seen, {"service:one", "service:two", "env:one", "env:two"})

    # Its name is of a page that was read before the secret came, its end of one read after that.
    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "nothing can change while it is read")
    def test_memory_that_is_used_anew_while_it_is_read_is_not_taken(self) -> None:
        pid = self.begin_making("reuse")
        elsewhere = {max(os.sched_getaffinity(0))}
        for _ in range(20):
            self.report_of_command(
                *[pid] * 50, runs=1, preexec_fn=lambda: os.sched_setaffinity(0, elsewhere))
