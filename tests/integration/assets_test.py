"""Metadata, dashboards and monitors speak of what the check emits, and of nothing else."""

import csv
import glob
import io
import os
import re
import unittest
from typing import Any, Dict, Iterator, List, Set, Tuple

import integration
from observed import STATUSES, Observed

COLUMNS = 12  # of a dashboard

METRIC_QUERY = re.compile(r"(avg|sum|min|max):([\w.]+)\{([^}]*)\}(?: by \{([^}]*)\})?")
METRIC_MONITOR = re.compile(r"(?:avg|min|max|pct_change)\(.+?\):(.*) > ([\d.]+)")
CHECK_MONITOR = re.compile(
    r'"([\w.]+)"\.over\("\*"\)\.by\(([^)]*)\)\.last\((\d+)\)\.count_by_status\(\)')


def fields(text: str) -> List[str]:
    """What stands between commas."""
    return [field for field in text.split(",") if field]


def key_of(part: str, variables: Dict[str, str]) -> str:
    """The tag by which a part of a scope chooses; "*" is none."""
    return variables[part[1:]] if part.startswith("$") else part.partition(":")[0]


def walk(value: Any) -> Iterator[Dict[str, Any]]:
    """Every mapping in a JSON document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from walk(part)


def dashboards() -> Iterator[Tuple[str, Any]]:
    """The files that the manifest names, and what is in them."""
    for path in integration.read_json("manifest.json")["assets"]["dashboards"].values():
        yield path, integration.read_json(path)


def monitors() -> Iterator[Tuple[str, str, Any]]:
    """The titles and files that the manifest names, and what is in them."""
    for title, path in integration.read_json("manifest.json")["assets"]["monitors"].items():
        yield title, path, integration.read_json(path)


class AssetsTest(unittest.TestCase):
    """Each kind of asset, against a check that runs."""

    observed: Observed

    @classmethod
    def setUpClass(cls) -> None:
        cls.observed = Observed()

    def assert_query(self, query: str, variables: Dict[str, str]) -> Set[str]:
        """It asks for what is emitted. The tags by which it groups."""
        match = METRIC_QUERY.fullmatch(query)
        self.assertIsNotNone(match, query)
        _, gauge, scope, groups = match.groups(default="")
        self.assertIn(gauge, self.observed.gauges, query)
        keys = {key_of(part, variables) for part in fields(scope)} - {"*"}
        self.assertLessEqual(keys | set(fields(groups)), self.observed.tags_of(gauge), query)
        return set(fields(groups))

    def test_the_manifest_names_every_dashboard_and_monitor(self) -> None:
        named = {path for path, _ in dashboards()} | {path for _, path, _ in monitors()}
        there = {os.path.relpath(path, integration.FOLDER)
                 for kind in ("dashboards", "monitors")
                 for path in glob.glob(os.path.join(integration.FOLDER, "assets", kind, "*"))}
        self.assertEqual(named, there)

    def test_metadata_has_exactly_the_gauges(self) -> None:
        rows = list(csv.DictReader(io.StringIO(integration.read("metadata.csv"))))
        self.assertEqual([row["metric_name"] for row in rows], sorted(self.observed.gauges))
        for row in rows:
            with self.subTest(row["metric_name"]):
                self.assertEqual((row["metric_type"], row["integration"]), ("gauge", "python"))
                self.assertTrue(row["unit_name"] and row["description"].isascii())

    def test_the_metric_to_check_is_emitted(self) -> None:
        metrics = integration.read_json("manifest.json")["assets"]["integration"]["metrics"]
        self.assertIn(metrics["check"], self.observed.gauges)

    def test_service_checks_are_exactly_those_with_these_statuses(self) -> None:
        described = {check["check"]: check
                     for check in integration.read_json("assets", "service_checks.json")}
        self.assertEqual(set(described), set(self.observed.statuses))
        for name, check in described.items():
            with self.subTest(name):
                self.assertLessEqual(set(check["groups"]), self.observed.tags_of_check(name))
                self.assertEqual(check["statuses"],
                                 [status for status in STATUSES if status in check["statuses"]])
                seen = self.observed.statuses[name]
                if os.geteuid() == 0:
                    self.assertEqual(set(check["statuses"]), seen)
                else:  # nothing was denied
                    self.assertLessEqual(seen, set(check["statuses"]))

    def test_dashboards_ask_for_what_is_emitted(self) -> None:
        for path, dashboard in dashboards():
            variables = {each["name"]: each["prefix"] for each in dashboard["template_variables"]}
            shown = set()
            for part in walk(dashboard):
                if part.get("data_source") == "metrics":
                    self.assert_query(part["query"], variables)
                    shown.add(METRIC_QUERY.fullmatch(part["query"]).group(2))
                if part.get("type") == "check_status":
                    keys = {key_of(tag, variables) for tag in part["tags"]} | set(part["group_by"])
                    self.assertLessEqual(keys, self.observed.tags_of_check(part["check"]))
                    shown.add(part["check"])
                if "formulas" in part:
                    self.assertEqual([formula["formula"] for formula in part["formulas"]],
                                     [query["name"] for query in part["queries"]])
            with self.subTest(path):
                self.assertEqual(shown, set(self.observed.gauges) | set(self.observed.statuses))
                for variable in variables:
                    self.assertIn("$" + variable, integration.read(path))

    def test_widgets_lie_beside_one_another(self) -> None:
        for path, dashboard in dashboards():
            for part in walk(dashboard):
                taken: Set[Tuple[int, int]] = set()
                for widget in part.get("widgets", ()):
                    place = widget["layout"]
                    cells = {(x, y)
                             for x in range(place["x"], place["x"] + place["width"])
                             for y in range(place["y"], place["y"] + place["height"])}
                    with self.subTest(path, widget=widget["id"]):
                        self.assertLess(max(cells)[0], COLUMNS)
                        self.assertFalse(taken & cells)
                    taken |= cells

    def test_monitors_ask_for_what_is_emitted(self) -> None:
        for title, path, monitor in monitors():
            definition = monitor["definition"]
            query, thresholds = definition["query"], definition["options"]["thresholds"]
            with self.subTest(path):
                self.assertEqual(monitor["title"], title)
                if definition["type"] == "service check":
                    check, by, last = CHECK_MONITOR.fullmatch(query).groups()
                    groups = set(re.findall(r'"(\w+)"', by))
                    self.assertLessEqual(groups, self.observed.tags_of_check(check))
                    self.assertLessEqual(max(thresholds.values()), int(last))
                else:
                    metric_query, threshold = METRIC_MONITOR.fullmatch(query).groups()
                    groups = self.assert_query(metric_query, {})
                    self.assertEqual(float(threshold), thresholds["critical"])
                named = re.findall(r"\{\{(\w+)\.name\}\}", definition["name"] + definition["message"])
                self.assertTrue(named)
                self.assertLessEqual(set(named), groups)
