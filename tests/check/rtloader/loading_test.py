"""How the Agent finds and loads the door."""

import os
import subprocess
import sys
import tempfile

from datadog_checks.checks import AgentCheck

import door
import python
import stand_in

LOAD_INSTALLED = """
import stand_in
stand_in.Agent().install()
check_class = stand_in.load_check_class("python")
print(check_class.__module__, check_class.__name__)
"""

RUN_WITHOUT_AN_AGENT = """
import os
import python
from datadog_checks.base.stubs import aggregator
check = python.PythonCheck("python", {}, [{"name": "app", "pid": os.getpid()}])
print(check.run(), len(aggregator.metrics("runtime.python.mem.rss")))
"""


class LoadingTest(door.DoorTestCase):
    """The module as rtloader sees it."""

    def test_has_one_class_that_is_a_check(self) -> None:
        classes = stand_in.find_check_classes(python)
        self.assertEqual(len(classes), 1)
        self.assertTrue(issubclass(classes[0], AgentCheck))
        self.assertEqual(classes[0].__module__, "python")

    def test_has_a_version(self) -> None:
        self.assertIsInstance(python.__version__, str)
        self.assertRegex(python.__version__, r"^\d+\.\d+\.\d+")

    def test_can_be_installed_in_datadog_checks(self) -> None:
        with tempfile.TemporaryDirectory() as site:
            package = os.path.join(site, "datadog_checks")
            os.mkdir(package)
            os.symlink(door.DOOR, os.path.join(package, "python.abi3.so"))
            loaded = subprocess.run(
                [sys.executable, "-c", LOAD_INSTALLED], check=True, stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(
                    [site, os.path.dirname(stand_in.__file__)])})
        self.assertEqual(loaded.stdout.split(), [b"datadog_checks.python", b"PythonCheck"])

    def test_submits_to_the_base_class_stubs_without_an_agent(self) -> None:
        ran = subprocess.run(
            [sys.executable, "-c", RUN_WITHOUT_AN_AGENT], check=True, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.path.dirname(door.DOOR)})
        self.assertEqual(ran.stdout.split(), [b"1"])
