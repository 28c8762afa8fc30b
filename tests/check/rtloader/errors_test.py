"""Runs in which something goes wrong."""

import sys
from unittest import mock

import aggregator

import door


class ErrorsTest(door.DoorTestCase):
    """A failed run says why, and the next one is as good as ever."""

    def test_a_missing_pid_file_is_named(self) -> None:
        instance = self.make({"name": "app", "pid_file": "/nowhere/app.pid"})
        for _ in range(2):
            door.AGENT.clear()
            message = door.error_message(instance.run())
            self.assertIn("pid_file", message)
            self.assertIn("/nowhere/app.pid", message)
            self.assertEqual([(check.name, check.status) for check in door.AGENT.service_checks],
                             [("python.process.up", 2), ("python.gc.readable", 3)])
            self.assertEqual(door.AGENT.metrics, [])

    def test_an_aggregator_that_raises_fails_the_run_only(self) -> None:
        instance = self.make({"name": "app", "pid": self.start_child().pid})
        for function in ("submit_metric", "submit_service_check"):
            failing = mock.Mock(side_effect=ValueError("the aggregator is full"))
            with self.subTest(function), mock.patch.object(aggregator, function, failing):
                self.assertEqual(door.error_message(instance.run()), "the aggregator is full")
                self.assertEqual(failing.call_count, 1)
                self.assertEqual(sys.exc_info(), (None, None, None))
        self.assertEqual(self.run_check(instance), door.ALL_GAUGES)

    def test_a_warning_that_raises_fails_the_run_only(self) -> None:
        instance = self.make({"name": "app", "search_string": ["no-such-process"]})
        with mock.patch.object(instance.check, "warning", side_effect=ValueError("no warnings")):
            self.assertEqual(door.error_message(instance.run()), "no warnings")
        self.assertEqual(self.run_check(instance), [])
