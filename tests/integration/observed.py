"""What the check is seen to emit: gauges with the keys of their tags, service checks with statuses."""

import collections
import os
from typing import Any, Callable, Dict, List, Optional, Set, Tuple
from unittest import mock

import door
import permissions_test
import stand_in

# What the Agent adds to everything.
AGENTS_TAGS = {"host"}

ENVIRONMENT = {"DD_SERVICE": "shop", "DD_ENV": "prod", "DD_VERSION": "1.0"}

STATUSES = ("ok", "warning", "critical", "unknown")

Tags = Dict[str, Set[str]]


class Observed:
    """Many runs of the check, over one process and over none."""

    def __init__(self) -> None:
        self.gauges: Tags = collections.defaultdict(set)
        self.check_tags: Tags = collections.defaultdict(set)
        self.statuses: Dict[str, Set[str]] = collections.defaultdict(set)
        with mock.patch.dict(os.environ, ENVIRONMENT):
            child = door.Child(["observed"])
        try:
            self._run_all(child.pid)
        finally:
            child.stop()

    def _run_all(self, pid: int) -> None:
        self._run({"name": "each", "pid": pid})
        self._run({"name": "sum", "pid": pid, "aggregation": "sum"})
        self._run({"name": "few", "pid": pid, "thresholds": {"warning": [2, 8]}})
        self._run({"name": "none", "search_string": ["no such process, that is sure"]})
        self._run({"name": "broken", "pid_file": os.devnull})
        self._run({"name": "denied", "pid": pid}, as_nobody)

    def _run(self, options: Dict[str, Any],
             function: Optional[Callable[[Callable[[], Any]], Any]] = None) -> None:
        gauges, checks = (function or call)(lambda: run_twice(options))
        for name, tags in gauges:
            self.gauges[name].update(map(key, tags))
        for name, status, tags in checks:
            self.statuses[name].add(STATUSES[status])
            self.check_tags[name].update(map(key, tags))

    def tags_of(self, gauge: str) -> Set[str]:
        """By which a query may choose from a gauge and group it."""
        return self.gauges[gauge] | AGENTS_TAGS

    def tags_of_check(self, check: str) -> Set[str]:
        """The same of a service check."""
        return self.check_tags[check] | AGENTS_TAGS


def key(tag: str) -> str:
    """What stands before the colon."""
    return tag.partition(":")[0]


def call(function: Callable[[], Any]) -> Any:
    """Its result."""
    return function()


def as_nobody(function: Callable[[], Any]) -> Any:
    """Its result for a user who may not look into the process; without root, nothing."""
    if os.geteuid() != 0:
        return (), ()
    return permissions_test.run_as_nobody(function)


def run_twice(options: Dict[str, Any]) -> Tuple[List[Any], List[Any]]:
    """What two runs submit; an error of the run is one of the things to see."""
    instance = stand_in.Instance(door.CHECK_CLASS, "python:1", None, options)
    door.AGENT.clear()
    for _ in range(2):
        instance.run()
    instance.cancel()
    return ([(metric.name, metric.tags) for metric in door.AGENT.metrics],
            [(check.name, check.status, check.tags) for check in door.AGENT.service_checks])
