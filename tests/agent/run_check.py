"""Runs rtloader's python check in a stand-in for the Agent, and prints what it got."""

import argparse
import collections
import json
import sys
import time
from typing import Any, Dict, List

import stand_in
import yaml

STATUS_NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

# The columns of python-check's table: the gauge, its heading and its format.
COLUMNS = (
    ("runtime.python.cpu.time.sys", "sys s", "{:.2f}".format),
    ("runtime.python.cpu.time.user", "user s", "{:.2f}".format),
    ("runtime.python.cpu.percent", "cpu %", "{:.1f}".format),
    ("runtime.python.cpu.ctx_switch.voluntary", "ctx vol", "{:.0f}".format),
    ("runtime.python.cpu.ctx_switch.involuntary", "ctx inv", "{:.0f}".format),
    ("runtime.python.gc.count.gen0", "gen0", "{:.0f}".format),
    ("runtime.python.gc.count.gen1", "gen1", "{:.0f}".format),
    ("runtime.python.gc.count.gen2", "gen2", "{:.0f}".format),
    ("runtime.python.mem.rss", "rss", lambda value: "{:.1f} MiB".format(value / 2**20)),
    ("runtime.python.thread_count", "threads", "{:.0f}".format),
)

# How many processes a sum is of.
SUMMED = "python.process.summed"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--door", required=True, help="the folder of python.abi3.so")
    parser.add_argument("--conf", required=True, help="the check's conf.yaml")
    parser.add_argument("--runs", type=int, default=2, help="the last one is printed")
    parser.add_argument("--interval", type=float, default=1, help="seconds between two runs")
    parser.add_argument("--json", action="store_true", help="print JSON, as python-check does")
    return parser.parse_args()


def make_instances(check_class: Any, conf: str, errors: Dict[str, str]) -> Dict[str, Any]:
    """The instances of a conf.yaml by check id; those that are refused go to `errors`."""
    with open(conf, encoding="utf-8") as file:
        configuration = yaml.safe_load(file)
    init_config = yaml.safe_dump(configuration.get("init_config"))
    instances = {}
    for number, instance in enumerate(configuration["instances"]):
        check_id = "python:{}".format(number)
        try:
            instances[check_id] = stand_in.Instance.from_yaml(
                check_class, check_id, init_config, yaml.safe_dump(instance))
        except Exception as problem:
            errors[check_id] = str(problem)
    return instances


def run_all(instances: Dict[str, Any]) -> Dict[str, str]:
    """Runs every instance once; what went wrong, by check id."""
    errors = {}
    for check_id, instance in instances.items():
        result = instance.run()
        if result:
            errors[check_id] = json.loads(result)[0]["message"]
        for warning in instance.warnings:
            print("{}: {}".format(check_id, warning), file=sys.stderr)
    return errors


def make_report(agent: stand_in.Agent, errors: Dict[str, str]) -> Dict[str, List[Any]]:
    """What was recorded, in the shape of python-check --format=json."""
    return {
        "metrics": [
            {"check_id": metric.check_id, "type": stand_in.METRIC_TYPES[metric.type],
             "name": metric.name, "value": metric.value, "tags": metric.tags}
            for metric in agent.metrics],
        "service_checks": [
            {"check_id": check.check_id, "name": check.name,
             "status": STATUS_NAMES[check.status], "tags": check.tags, "message": check.message}
            for check in agent.service_checks],
        "errors": [{"check_id": check_id, "message": message}
                   for check_id, message in errors.items()],
    }


def tag_value(tags: List[str], key: str) -> str:
    """What a tag says, or a dash."""
    return next((tag[len(key):] for tag in reversed(tags) if tag.startswith(key)), "-")


def process_rows(metrics: List[Dict[str, Any]]) -> List[List[str]]:
    """The cells of the table: headings, then a row for each set of tags."""
    rows: Dict[Any, List[str]] = {(): ["process", "pid"] + [column[1] for column in COLUMNS]}
    for metric in metrics:
        if metric["name"] not in (*(column[0] for column in COLUMNS), SUMMED):
            continue
        tags = metric["tags"]
        row = rows.setdefault((metric["check_id"], *tags), [
            tag_value(tags, "process_name:"), tag_value(tags, "pid:")] + ["-"] * len(COLUMNS))
        for place, (name, _, text) in enumerate(COLUMNS, 2):
            if name == metric["name"]:
                row[place] = text(metric["value"])
        if metric["name"] == SUMMED:
            row[1] = "sum of {:.0f}".format(metric["value"])
    return list(rows.values())


def to_line(check: Dict[str, Any]) -> str:
    """What a service check says."""
    message = ": " + check["message"] if check["message"] else ""
    return "{}: {}{}".format(check["name"], check["status"], message)


def to_table(report: Dict[str, List[Any]]) -> str:
    """For a person, much as python-check prints it."""
    lines = []
    rows = process_rows(report["metrics"])
    if len(rows) > 1:
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            cells = [row[0].ljust(widths[0])] + list(map(str.rjust, row[1:], widths[1:]))
            lines.append("  " + "  ".join(cells))
    elif not report["errors"]:
        lines.append("  no Python process is reported")
    for line, count in sorted(collections.Counter(map(to_line, report["service_checks"])).items()):
        lines.append("  " + line + (" ({} instances)".format(count) if count > 1 else ""))
    lines += ["  error in {check_id}: {message}".format(**error) for error in report["errors"]]
    return "\n".join(lines)


def main() -> int:
    """Loads, runs, prints; the result is 1 where python-check's is."""
    arguments = parse_arguments()
    agent = stand_in.Agent()
    agent.install()
    sys.path.append(arguments.door)
    refused: Dict[str, str] = {}
    instances = make_instances(stand_in.load_check_class("python"), arguments.conf, refused)
    errors = refused
    for number in range(arguments.runs):
        if number > 0:
            time.sleep(arguments.interval)
        agent.clear()
        errors = {**refused, **run_all(instances)}
    report = make_report(agent, errors)
    print(json.dumps(report, indent=2, ensure_ascii=False) if arguments.json else to_table(report))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
