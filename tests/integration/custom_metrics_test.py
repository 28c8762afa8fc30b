"""The README's example of custom metrics, with a receiver in place of the Agent."""

import os
import re
import socket
import subprocess
import unittest
from typing import List, Set

import integration

PYTHON = os.environ["PYCHECK_APPS_PYTHON"]

PATIENCE = 30  # seconds; for a datagram that does not come


def example() -> str:
    """The section's program."""
    section = integration.read("README.md").partition("#### Custom metrics")[2]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)


class CustomMetricsTest(unittest.TestCase):
    """What is shown is sent."""

    def test_the_example_sends_its_metrics_with_the_tags_of_the_service(self) -> None:
        if subprocess.call([PYTHON, "-c", "import datadog"], stderr=subprocess.DEVNULL) != 0:
            self.skipTest("no datadog for {}: tools/setup apps".format(PYTHON))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(PATIENCE)
            subprocess.run([PYTHON, "-c", example()], check=True, timeout=PATIENCE, env={
                "DD_AGENT_HOST": "127.0.0.1",
                "DD_DOGSTATSD_PORT": str(receiver.getsockname()[1]),
                "DD_SERVICE": "shop", "DD_ENV": "test", "DD_VERSION": "1"})
            sent = receive(receiver, 2)
        tags = {"kind:book", "service:shop", "env:test", "version:1"}
        self.assertEqual(
            {name_value_kind: tags_of(line) for name_value_kind, line in sent.items()},
            {"shop.orders.placed:1|c": tags, "shop.orders.total:19.9|d": tags})


def receive(receiver: socket.socket, count: int) -> "dict[str, str]":
    """So many of the application's metrics, by what stands before the tags."""
    lines: List[str] = []
    while len(lines) < count:
        lines += [line for line in receiver.recv(65536).decode().splitlines()
                  if not line.startswith("datadog.dogstatsd.client.")]  # of the client itself
    return {line.partition("|#")[0]: line for line in lines}


def tags_of(line: str) -> Set[str]:
    """What stands behind the number sign, up to the next field."""
    return set(line.partition("|#")[2].partition("|")[0].split(","))
