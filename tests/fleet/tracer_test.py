"""What a tracer does, told from outside: what it says itself, in the process."""

import json
import os
import subprocess
from typing import Any, Dict

import door
import fleet
import permissions_test

# Has the tracer say what it does, and waits.
ASK_TRACER = """
import json, os
import ddtrace
from ddtrace.internal.settings.profiling import config
os.write(1, json.dumps({"tracer_version": ddtrace.__version__,
                        "tracing_enabled": ddtrace.tracer.enabled,
                        "profiling_enabled": config.enabled}).encode() + b"\\n")
os.read(0, 1)
"""

WAIT = "import os; os.write(1, b'\\n'); os.read(0, 1)"

ENVIRONMENTS = [
    {},
    {"DD_TRACE_ENABLED": "false"},
    {"DD_TRACE_ENABLED": "1", "DD_PROFILING_ENABLED": "true"},
    {"DD_TRACE_ENABLED": "yes"},
    {"DD_TRACE_ENABLED": ""},
    {"DD_TRACE_ENABLED": "True", "OTEL_TRACES_EXPORTER": "none"},
    {"OTEL_TRACES_EXPORTER": "None"},
    {"OTEL_TRACES_EXPORTER": "otlp"},
    {"OTEL_TRACES_EXPORTER": "console"},
    {"DD_PROFILING_ENABLED": "on"},
    {"DD_PROFILING_ENABLED": "false", "DD_INJECTION_ENABLED": "tracer,profiler"},
    {"DD_INJECTION_ENABLED": "tracer"},
    {"DD_PROFILING_ENABLED": "auto", "DD_TRACE_ENABLED": "0"},
]

QUIET = {"DD_CRASHTRACKING_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false",
         "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}


@fleet.NEEDS_APPS
class TracerTest(fleet.FleetTestCase):
    """Each combination of variables, in a process that ddtrace-run has started."""

    def start_python(self, *command: str, **environment: str) -> Any:
        """A program of that Python, which has not written its line yet."""
        clean = {name: value for name, value in fleet.ENVIRONMENT.items()
                 if not name.startswith(("DD_", "OTEL_"))}
        return self.start([*command], env={**clean, **QUIET, **environment},
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tags_of(self, pid: int) -> Dict[str, str]:
        """Those of every gauge of the process, by their keys."""
        self.run_check(self.make({"name": "app", "pid": pid, "tag_by": ["tracer"]}))
        (tags,) = {tuple(metric.tags) for metric in door.runtime_metrics()}
        return dict(tag.split(":", 1) for tag in tags)

    def test_it_is_told_as_the_tracer_says_it(self) -> None:
        run = os.path.join(os.path.dirname(fleet.APPS_PYTHON), "ddtrace-run")
        for environment in ENVIRONMENTS:
            with self.subTest(environment=environment):
                workload = self.start_python(
                    fleet.APPS_PYTHON, run, fleet.APPS_PYTHON, "-B", "-c", ASK_TRACER,
                    **environment)
                said = json.loads(workload.process.stdout.readline())
                tags = self.tags_of(workload.pid)
                self.assertEqual(tags["tracer_loaded"], "true")
                for key, value in said.items():
                    self.assertEqual(tags[key], str(value).lower(), key)
                workload.stop()

    def test_there_is_none_where_nothing_is_loaded(self) -> None:
        workload = self.start_python(fleet.APPS_PYTHON, "-c", WAIT, DD_PROFILING_ENABLED="true")
        workload.process.stdout.readline()
        tags = self.tags_of(workload.pid)
        self.assertEqual(
            {key: tags[key] for key in tags if "trac" in key or "profil" in key},
            {"tracer_loaded": "false", "tracing_enabled": "false", "profiling_enabled": "false"})

    @fleet.NEEDS_ROOT
    def test_nothing_is_said_of_what_may_not_be_looked_into(self) -> None:
        workload = self.start_python(fleet.APPS_PYTHON, "-c", WAIT)
        workload.process.stdout.readline()
        self.tags_of(workload.pid)  # so that nothing need be imported later
        tags = permissions_test.run_as_nobody(lambda: self.tags_of(workload.pid))
        self.assertEqual(set(tags), {"process_name", "pid"})
