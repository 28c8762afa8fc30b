"""The specification, the example that is made of it, and the options that the check takes."""

import re
import unittest
from typing import Any, Dict, Iterator, List

import yaml
from datadog_checks.base import ConfigurationError

import door
import integration

CHOOSING = (
    "search_string", "pid", "pid_file", "discover", "service_unit", "container_id", "pod_uid")


def specified(section: str) -> Dict[str, Dict[str, Any]]:
    """The options of a section by name; of a template, those that it is made to say."""
    (file,) = yaml.safe_load(integration.read("assets", "configuration", "spec.yaml"))["files"]
    (options,) = [part["options"] for part in file["options"] if part["template"] == section]
    found = {}
    for option in options:
        if "template" not in option:
            found[option["name"]] = option
        for path, description in option.get("overrides", {}).items():
            found[path.partition(".")[0]] = {"description": description}
    return found


def shown(section: str) -> Dict[str, Dict[str, Any]]:
    """The options of a section that are in the example."""
    return {name: option for name, option in specified(section).items()
            if not option.get("hidden")}


def lines_of(option: Dict[str, Any]) -> str:
    """The description as the example has it."""
    return "".join("    ##{}\n".format(" " + line if line else "")
                   for line in option["description"].splitlines())


class ConfigurationTest(door.DoorTestCase):
    """No option is described that the check does not take, and none that it takes is left out."""

    def known(self, instance: Dict[str, Any], init_config: Dict[str, Any]) -> List[str]:
        """The options that the check itself says there are."""
        with self.assertRaises(ConfigurationError) as raised:
            self.make(instance, init_config)
        return re.search(r"the options are (.*)", str(raised.exception)).group(1).split(", ")

    def test_the_two_examples_are_one(self) -> None:
        self.assertEqual(*map(integration.read, integration.EXAMPLES))

    def test_the_specification_has_exactly_the_options_of_an_instance(self) -> None:
        known = self.known({"name": "app", "pid": 1, "@": 1}, {})
        self.assertEqual(sorted(specified("instances")), sorted(known))

    def test_the_specification_has_exactly_the_options_of_init_config(self) -> None:
        known = self.known({"name": "app", "pid": 1}, {"@": 1})
        self.assertEqual(sorted(specified("init_config")), sorted(known))

    def test_the_example_has_what_the_specification_has(self) -> None:
        text = integration.read(integration.EXAMPLES[0])
        enabled = integration.enabled_example()
        (instance,) = enabled["instances"]
        self.assertEqual(set(enabled["init_config"]), set(shown("init_config")))
        self.assertEqual(set(instance), set(shown("instances")))
        for section in ("init_config", "instances"):
            for name, option in shown(section).items():
                with self.subTest(section, option=name):
                    self.assertIn(lines_of(option), text)
                    example = option.get("value", {}).get("example")
                    if example is not None:
                        values = instance if section == "instances" else enabled["init_config"]
                        self.assertEqual(values[name], example)

    def test_the_example_as_it_is_says_what_is_to_be_given(self) -> None:
        configuration = yaml.safe_load(integration.read(integration.EXAMPLES[0]))
        with self.assertRaisesRegex(ConfigurationError, "give exactly one of"):
            self.make(configuration["instances"][0], configuration["init_config"])

    def test_the_check_takes_every_example(self) -> None:
        for options in self.single_options():
            with self.subTest(options):
                self.make(options)

    def single_options(self) -> Iterator[Dict[str, Any]]:
        """Instances with one of the example's options each, but for what stands for a value."""
        (instance,) = integration.enabled_example()["instances"]
        for name, value in instance.items():
            if isinstance(value, str) and value.startswith("<"):
                continue
            chosen = {} if name in CHOOSING else {"pid": 1}
            yield {"name": "app", **chosen, name: value}

    def test_the_check_takes_what_the_readme_shows(self) -> None:
        shown_instances = 0
        for configuration in integration.readme_examples():
            for instance in configuration.get("instances", ()):
                self.make(instance, configuration.get("init_config"))
                shown_instances += 1
        self.assertGreater(shown_instances, 0)
