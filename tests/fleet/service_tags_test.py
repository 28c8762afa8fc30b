"""The tags of a service: ours, and those that the tracer in the process gives its own metrics."""

import json
import re
import subprocess
from typing import Any, Dict, Set

import door
import fleet

# Has the tracer say what it tags runtime metrics with, and waits.
ASK_TRACER = """
import json, os
from ddtrace.internal.runtime.tag_collectors import PlatformTagCollector, TracerTagCollector
tags = [tag for collector in (TracerTagCollector, PlatformTagCollector)
        for tag in collector().collect_fn(None)]
os.write(1, json.dumps(tags).encode() + b"\\n")
os.read(0, 1)
"""

ENVIRONMENTS = [
    {},
    {"DD_SERVICE": "shop"},
    {"DD_SERVICE": "My Shop", "DD_ENV": "Prod", "DD_VERSION": "1.0"},
    {"DD_SERVICE": "shop", "DD_TAGS": "team:web,env:prod,version:2"},
    {"DD_TAGS": "a:b c:d"},
    {"DD_TAGS": "a:b, c:d e,url:http://x/y, ,:no key"},
    {"DD_TAGS": "service:x,env:y,version:z,team:t"},
    {"DD_TAGS": "a:1,a:2,git.commit.sha:3,git.repository_url:u"},
    {"OTEL_SERVICE_NAME": "otel"},
    {"OTEL_SERVICE_NAME": "otel", "DD_SERVICE": "shop"},
    {"OTEL_SERVICE_NAME": "otel", "DD_SERVICE": ""},
    {"OTEL_SERVICE_NAME": "otel", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,k=v"},
    {"OTEL_RESOURCE_ATTRIBUTES":
     "k=w,Service.Name=n,deployment.environment=e,service.version=v"},
    {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=e,deployment.environment.name=f"},
    {"OTEL_RESOURCE_ATTRIBUTES": "a=b=c,d=e"},
    {"OTEL_RESOURCE_ATTRIBUTES": "a=b c"},
    {"OTEL_RESOURCE_ATTRIBUTES": "a=b", "DD_TAGS": ""},
    {"OTEL_RESOURCE_ATTRIBUTES": ",".join("k{}=v".format(number) for number in range(12))},
]

# What the tracer says where nothing says what the service is.
FALLBACK = "service:unnamed-python-service"

# Tags of ours that the tracer does not have.
OUR_KEYS = {"process_name", "pid"}


def key(tag: str) -> str:
    """What stands before the colon."""
    return tag.partition(":")[0]


def normal(tag: str) -> str:
    """A tag of these tests as Datadog stores it."""
    return re.sub(r"[^a-z0-9:./-]+", "_", tag.lower()).strip("_")


@fleet.NEEDS_APPS
class ServiceTagsTest(fleet.FleetTestCase):
    """Each combination of variables, in a process with a real tracer."""

    def start_traced(self, environment: Dict[str, str]) -> Any:
        """The process, which has not said its tags yet."""
        clean = {name: value for name, value in fleet.ENVIRONMENT.items()
                 if not name.startswith(("DD_", "OTEL_"))}
        quiet = {"DD_CRASHTRACKING_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false",
                 "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_TRACE_ENABLED": "false"}
        return self.start([fleet.APPS_PYTHON, "-B", "-c", ASK_TRACER],
                          env={**clean, **quiet, **environment},
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def our_tags(self, pid: int) -> Set[str]:
        """Those of every gauge of the process."""
        self.run_check(self.make({"name": "app", "pid": pid}))
        (tags,) = {tuple(metric.tags) for metric in door.runtime_metrics()}
        self.assertEqual(len(tags), len(set(map(key, tags))), tags)
        return {tag for tag in tags if key(tag) not in OUR_KEYS}

    def test_they_are_the_same(self) -> None:
        traced = [self.start_traced(environment) for environment in ENVIRONMENTS]
        for environment, workload in zip(ENVIRONMENTS, traced):
            said = json.loads(workload.process.stdout.readline())
            theirs = {normal(":".join(tag)) for tag in said} - {FALLBACK}
            with self.subTest(environment=environment):
                self.assertEqual(self.our_tags(workload.pid), theirs)
