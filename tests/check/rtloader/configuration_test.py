"""Configurations as load_config gives them, good and bad."""

import datetime
from typing import Any, Dict, Optional

from datadog_checks.base import ConfigurationError

import door
import stand_in

GOOD = {"name": "app", "pid": 1}

# An instance with one mistake, and the option that is to blame.
BAD_INSTANCES = [
    ({"pid": 1}, "name"),
    ({"name": 7, "pid": 1}, "name"),
    ({"name": "app"}, "search_string, pid, pid_file"),
    ({"name": "app", "pid": 1, "pid_file": "/run/app.pid"}, "pid and pid_file"),
    ({"name": "app", "pid": 0}, "pid"),
    ({"name": "app", "pid": "one"}, "pid"),
    ({"name": "app", "pid": True}, "pid"),
    ({"name": "app", "pid": 1e300}, "pid"),
    ({"name": "app", "pid_file": 3}, "pid_file"),
    ({"name": "app", "search_string": "python"}, "search_string"),
    ({"name": "app", "search_string": []}, "search_string"),
    ({"name": "app", "search_string": [1]}, "search_string"),
    ({"name": "app", "search_string": ["("], "exact_match": False}, "search_string"),
    ({"name": "app", "search_string": ["app"], "exact_match": "no"}, "exact_match"),
    ({**GOOD, "tags": "env:prod"}, "tags"),
    ({**GOOD, "tags": [None]}, "tags"),
    ({**GOOD, "min_collection_interval": 0}, "min_collection_interval"),
    ({**GOOD, "min_collection_interval": "often"}, "min_collection_interval"),
    ({**GOOD, "tag": ["env:prod"]}, '"tag" is not known; did you mean "tags"'),
    # Options and values that have to be cut where they are shown.
    ({**GOOD, "tags": "\N{GREEK SMALL LETTER ALPHA}" * 100}, "tags"),
    ({**GOOD, "tags": "-" + "\N{GREEK SMALL LETTER ALPHA}" * 100}, "tags"),
    ({**GOOD, "-" + "\N{GREEK SMALL LETTER ALPHA}" * 100: 1}, "is not known"),
]
BAD_INIT_CONFIGS = [
    ({"procfs_path": 3}, "procfs_path"),
    ({"procfs_path": "/nowhere"}, "procfs_path"),
    ({"procfs_path": "/dev"}, "procfs_path"),
    ({"procfs": "/proc"}, "procfs_path"),
]

YAML = """
name: "2024-02-29"
pid: {pid}
exact_match: ~
tags:
  - env:prod
  - "\N{LATIN SMALL LETTER U WITH DIAERESIS}ber:A \N{SNOWMAN}b"
"""


class ConfigurationTest(door.DoorTestCase):
    """What the constructor takes and refuses."""

    def assert_refused(self, instance: Dict[str, Any], option: str,
                       init_config: Optional[Dict[str, Any]] = None) -> None:
        """The constructor raises, as the Agent calls it."""
        with self.subTest(instance=instance, init_config=init_config):
            with self.assertRaises(ConfigurationError) as raised:
                self.make(instance, init_config)
            self.assertIn(option, str(raised.exception))

    def test_names_the_option_of_a_mistake_in_an_instance(self) -> None:
        for instance, option in BAD_INSTANCES:
            self.assert_refused(instance, option)

    def test_names_the_option_of_a_mistake_in_init_config(self) -> None:
        for init_config, option in BAD_INIT_CONFIGS:
            self.assert_refused(GOOD, option, init_config)

    def test_takes_what_load_config_makes_of_yaml(self) -> None:
        child = self.start_child()
        instance = stand_in.Instance.from_yaml(
            door.CHECK_CLASS, "python:1", "", YAML.format(pid=child.pid))
        self.addCleanup(instance.cancel)
        self.assertEqual(self.run_check(instance), door.FIRST_GAUGES)
        self.assertEqual(door.runtime_metrics()[0].tags, [
            "env:prod", *door.LANGUAGE_TAGS, "pid:{}".format(child.pid),
            "process_name:2024-02-29", "\N{LATIN SMALL LETTER U WITH DIAERESIS}ber:a_b"])

    def test_takes_a_date_for_its_text(self) -> None:
        day = datetime.date(2024, 2, 29)
        self.run_check(self.make({"name": day, "pid": self.start_child().pid, "tags": ["on", day]}))
        tags = door.runtime_metrics()[0].tags
        self.assertIn("process_name:2024-02-29", tags)
        self.assertIn("on", tags)
