"""Stands in for the part of the Agent that a Python check meets.

That is the builtin modules which rtloader gives the interpreter, and the way in
which it finds, makes and runs a check. Everything submitted is recorded.
"""

import importlib
import sys
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Tuple

# In the order of the Agent's constants: GAUGE is 0.
METRIC_TYPES = ("gauge", "rate", "count", "monotonic_count", "counter", "histogram", "historate")

# Arguments of aggregator's functions, without the check that comes first.
Metric = NamedTuple("Metric", [
    ("check_id", str), ("type", int), ("name", str), ("value", float), ("tags", List[str]),
    ("hostname", str), ("flush_first_value", bool)])
ServiceCheck = NamedTuple("ServiceCheck", [
    ("check_id", str), ("name", str), ("status", int), ("tags", List[str]),
    ("hostname", str), ("message", str)])


class Agent:
    """What checks submit, log and ask, and what it knows: settings, and the tags of entities."""

    def __init__(self) -> None:
        self.settings: Dict[str, str] = {}
        self.entities: Dict[str, List[str]] = {}
        self.clear()

    def clear(self) -> None:
        """Forgets what was recorded."""
        self.metrics: List[Metric] = []
        self.service_checks: List[ServiceCheck] = []
        self.logs: List[str] = []
        self.questions: List[Tuple[str, int]] = []

    def install(self) -> None:
        """Registers the builtin modules; before the base class is imported."""
        types = {name.upper(): number for number, name in enumerate(METRIC_TYPES)}
        _register("aggregator", submit_metric=self._submit_metric,
                  submit_service_check=self._submit_service_check, **types)
        _register("tagger", tag=self._tag, LOW=0, ORCHESTRATOR=1, HIGH=2)
        _register("datadog_agent", get_config=self.settings.get, get_hostname=lambda: "host",
                  get_version=lambda: "7.0.0", tracemalloc_enabled=lambda: False,
                  log=lambda message, level: self.logs.append(message))

    def _submit_metric(self, check: Any, *arguments: Any) -> None:
        self.metrics.append(Metric(*arguments))

    def _tag(self, entity: str, cardinality: int) -> List[str]:
        self.questions.append((entity, cardinality))
        return self.entities.get(entity, [])

    def _submit_service_check(self, check: Any, *arguments: Any) -> None:
        self.service_checks.append(ServiceCheck(*arguments))


def _register(name: str, **members: Any) -> None:
    sys.modules[name] = ModuleType(name)
    vars(sys.modules[name]).update(members)


def load_check_class(name: str) -> Any:
    """The class of the check in an installed wheel, or else in a plain module."""
    problems = []
    for module_name in ("datadog_checks." + name, name):
        try:
            return find_check_classes(importlib.import_module(module_name))[0]
        except Exception as problem:  # the Agent too goes on after any
            problems.append("{}: {}".format(module_name, problem))
    raise ImportError("; ".join(problems))


def find_check_classes(module: ModuleType) -> List[Any]:
    """The AgentChecks in a module that nothing is derived from; rtloader takes the first."""
    from datadog_checks.checks import AgentCheck

    members = [getattr(module, name) for name in dir(module)]
    return [member for member in members
            if isinstance(member, type) and issubclass(member, AgentCheck)
            and member is not AgentCheck and not member.__subclasses__()]


class Instance:
    """One configured instance of a check, driven as the Agent drives it."""

    def __init__(self, check_class: Any, check_id: str, init_config: Any, instance: Any) -> None:
        if not isinstance(instance, dict):
            raise TypeError("instance is not a dict: {!r}".format(instance))
        arguments = {"name": check_id.split(":")[0], "init_config": init_config or {},
                     "instances": (instance,)}
        try:
            self.check = check_class(**arguments)
        except Exception:  # an old check may want the Agent's settings
            self.check = check_class(agentConfig={}, **arguments)
        self.check.check_id = check_id
        self.warnings: List[str] = []

    @classmethod
    def from_yaml(cls, check_class: Any, check_id: str, init_config: str,
                  instance: str) -> "Instance":
        """The Agent has each part of a configuration as YAML text."""
        return cls(check_class, check_id, check_class.load_config(init_config),
                   check_class.load_config(instance))

    def run(self) -> str:
        """Runs once; the result is empty, or JSON that tells what went wrong."""
        result = self.check.run()
        self.warnings = self.check.get_warnings()
        if not isinstance(result, str) or not isinstance(self.warnings, list):
            raise TypeError("run() gave {!r}, get_warnings() {!r}".format(result, self.warnings))
        return result

    def cancel(self) -> None:
        """Ends the instance."""
        self.check.cancel()
