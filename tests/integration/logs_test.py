"""The example's rule for log files, on what Python's logging writes."""

import re
import subprocess
import sys
import unittest
from typing import List

import integration

# Writes three records, of which the second has the tracebacks of two exceptions and the third has
# two lines.
WRITE_RECORDS = """
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=sys.argv[1],
                    datefmt=sys.argv[2] or None)
logging.info("begins")
try:
    try:
        1 / 0
    except ZeroDivisionError as problem:
        raise ValueError("2024-02-29 is in its text") from problem
except ValueError:
    logging.exception("goes wrong")
logging.info("ends\\n  in two lines")
"""

# Formats and the times in them: logging's own, that of Gunicorn's error log, and ISO 8601.
FORMATS = (
    ("%(asctime)s %(levelname)s %(name)s %(message)s", ""),
    ("[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s", "%Y-%m-%d %H:%M:%S %z"),
    ("%(asctime)s %(levelname)-8s %(message)s", "%Y-%m-%dT%H:%M:%S%z"),
)


def records(pattern: str, text: str) -> List[str]:
    """The Agent begins a record at each line that begins with the pattern."""
    found: List[str] = []
    for line in text.splitlines():
        if re.match(pattern, line) or not found:
            found.append(line)
        else:
            found[-1] += "\n" + line
    return found


class LogsTest(unittest.TestCase):
    """Each traceback stays in its record."""

    def setUp(self) -> None:
        (self.source,) = integration.enabled_example()["logs"]

    def test_records_are_put_together(self) -> None:
        (rule,) = self.source["log_processing_rules"]
        self.assertEqual(rule["type"], "multi_line")
        for style, times in FORMATS:
            text = subprocess.run(
                [sys.executable, "-c", WRITE_RECORDS, style, times],
                check=True, stdout=subprocess.PIPE, text=True).stdout
            with self.subTest(style):
                first, second, third = records(rule["pattern"], text)
                self.assertTrue(first.endswith("begins"))
                self.assertEqual(second.count("Traceback (most recent call last):"), 2)
                self.assertTrue(second.endswith("ValueError: 2024-02-29 is in its text"))
                self.assertTrue(third.endswith("ends\n  in two lines"))

    def test_the_source_is_the_manifests(self) -> None:
        assets = integration.read_json("manifest.json")["assets"]
        self.assertEqual(self.source["source"], assets["logs"]["source"])

    def test_the_readme_shows_the_same(self) -> None:
        shown = [each["logs"] for each in integration.readme_examples() if "logs" in each]
        self.assertEqual(shown, [[self.source]])
