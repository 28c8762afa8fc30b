"""The Python package, with the built extension in it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import door
import integration
import python
import stand_in

LOAD = """
import json
import stand_in
stand_in.Agent().install()
check_class = stand_in.load_check_class("python")
from datadog_checks import python
print(json.dumps([check_class.__module__, check_class.__name__, python.__version__]))
"""


class PackageTest(unittest.TestCase):
    """What the Agent finds where the integration is installed."""

    def test_the_check_is_found_and_has_the_version_of_the_build(self) -> None:
        with tempfile.TemporaryDirectory() as site:
            package = os.path.join(site, "datadog_checks", "python")
            shutil.copytree(os.path.join(integration.FOLDER, "datadog_checks", "python"), package)
            os.symlink(door.DOOR, os.path.join(package, "python.abi3.so"))
            loaded = subprocess.run(
                [sys.executable, "-c", LOAD], check=True, stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(
                    [site, os.path.dirname(stand_in.__file__)])})
        self.assertEqual(json.loads(loaded.stdout.decode()), [
            "datadog_checks.python.python", "PythonCheck", python.__version__])

    def test_nothing_is_in_it_that_belongs_to_the_base_class(self) -> None:
        # Removing the package would remove the file.
        self.assertEqual(os.listdir(os.path.join(integration.FOLDER, "datadog_checks")), ["python"])

    def test_the_readme_links_to_what_is_there(self) -> None:
        for line in integration.read("README.md").splitlines():
            if line.startswith("[") and "]: " in line and "://" not in line:
                target = line.split("]: ")[1].partition("#")[0]
                if not target.startswith("mailto:"):
                    self.assertTrue(os.path.exists(os.path.join(integration.FOLDER, target)), target)
