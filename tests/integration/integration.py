"""What the tests of integration/ share: its files."""

import json
import os
import re
from typing import Any, Dict, List

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "integration")
EXAMPLES = (
    os.path.join(ROOT, "conf.d", "python.d", "conf.yaml.example"),
    os.path.join(FOLDER, "datadog_checks", "python", "data", "conf.yaml.example"),
)


def read(*path: str) -> str:
    """A file of the integration."""
    with open(os.path.join(FOLDER, *path), encoding="utf-8") as file:
        return file.read()


def read_json(*path: str) -> Any:
    """A JSON file of the integration."""
    return json.loads(read(*path))


def enabled_example() -> Dict[str, Any]:
    """The example configuration with all that is commented out switched on."""
    return yaml.safe_load(re.sub(r"^( *)# ", r"\1", read(EXAMPLES[0]), flags=re.MULTILINE))


def readme_examples() -> List[Any]:
    """The YAML in the README."""
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```$", read("README.md"), re.DOTALL | re.MULTILINE)
    return [yaml.safe_load(block) for block in blocks]
