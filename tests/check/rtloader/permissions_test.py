"""An Agent that may not read other users' processes."""

import json
import os
import unittest
from typing import Any, Callable, Dict, List

import door

NOBODY = 65534
SEVEN_GAUGES = [name for name in door.ALL_GAUGES if ".gc." not in name]


def run_as_nobody(function: Callable[[], Any]) -> Any:
    """The result of a function in a copy of this process that gave up its rights."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result: Any = None
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            result = function()
        except BaseException as problem:
            result = repr(problem)
        finally:
            os.write(writer, json.dumps(result).encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        result = json.loads(pipe.read().decode())
    os.waitpid(child, 0)
    return result


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
class PermissionsTest(door.DoorTestCase):
    """What can be read without rights is, and what cannot is told once."""

    def watch(self, pid: int) -> List[Dict[str, Any]]:
        """What three runs hand over."""
        instance = self.make({"name": "app", "pid": pid})
        runs = []
        for _ in range(3):
            gauges = self.run_check(instance)
            runs.append({"gauges": gauges, "warnings": instance.warnings,
                         "service_checks": door.AGENT.service_checks})
        return runs

    def test_counts_are_left_out_and_the_remedy_is_told(self) -> None:
        child = self.start_child()
        self.watch(child.pid)  # so that nothing need be imported later
        runs = run_as_nobody(lambda: self.watch(child.pid))
        self.assertEqual([len(run["warnings"]) for run in runs], [1, 0, 0])
        self.assertEqual(runs[0]["gauges"], SEVEN_GAUGES[-2:])
        self.assertEqual(runs[1]["gauges"], SEVEN_GAUGES)
        self.assertEqual(runs[2]["gauges"], SEVEN_GAUGES)
        self.assertIn("CAP_SYS_PTRACE", runs[0]["warnings"][0])
        for run in runs:
            up, (check_id, name, status, tags, hostname, message) = run["service_checks"]
            self.assertEqual(up[:3], ["python:1", "python.process.up", 0])
            self.assertEqual((check_id, name, status, tags, hostname),
                             ("python:1", "python.gc.readable", 1, ["process_name:app"], ""))
            self.assertIn("CAP_SYS_PTRACE", message)

    def test_a_denied_access_is_an_error_where_it_is_not_to_be_ignored(self) -> None:
        child = self.start_child()
        self.watch(child.pid)
        instance = self.make({"name": "app", "pid": child.pid, "ignore_denied_access": False})
        door.AGENT.clear()
        message, gauges = run_as_nobody(lambda: (
            door.error_message(instance.run()), [each.name for each in door.runtime_metrics()]))
        self.assertIn("ignore_denied_access is false", message)
        self.assertIn("CAP_SYS_PTRACE", message)
        self.assertEqual(gauges, SEVEN_GAUGES[-2:])
