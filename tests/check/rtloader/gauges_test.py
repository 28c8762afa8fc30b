"""What is submitted of live processes."""

import os

import aggregator

import door


def unique(name: str) -> str:
    """A name that no process has but of these tests in this interpreter."""
    return "{}-{}".format(name, os.getpid())


class GaugesTest(door.DoorTestCase):
    """Gauges, their tags, and the service check."""

    def test_counts_are_those_that_the_process_sees(self) -> None:
        child = self.start_child()
        self.run_check(self.make({"name": "app", "pid": child.pid}))
        values = door.gauge_values()
        self.assertEqual(child.counts, tuple(
            values["runtime.python.gc.count.gen%d" % generation] for generation in range(3)))

    def test_differences_come_from_the_second_run_on(self) -> None:
        instance = self.make({"name": "app", "pid": self.start_child().pid})
        self.assertEqual(self.run_check(instance), door.FIRST_GAUGES)
        self.assertEqual(self.run_check(instance), door.ALL_GAUGES)
        self.assertEqual(self.run_check(instance), door.ALL_GAUGES)

    def test_a_process_born_between_two_runs_has_all_gauges_at_once(self) -> None:
        name = unique("later")
        instance = self.make({"name": "app", "search_string": [name]})
        self.assertEqual(self.run_check(instance), [])
        self.start_child(name)
        self.assertEqual(self.run_check(instance), door.ALL_GAUGES)

    def test_every_gauge_is_submitted_as_the_agent_wants_it(self) -> None:
        child = self.start_child()
        instance = self.make({"name": "app", "pid": child.pid, "tags": ["env:prod", "lone"]})
        self.run_check(instance)
        self.run_check(instance)
        for metric in door.runtime_metrics():
            self.assertEqual(metric.check_id, "python:1")
            self.assertEqual(metric.type, aggregator.GAUGE)
            self.assertIs(type(metric.value), float)
            self.assertEqual(metric.tags, [
                "env:prod", *door.LANGUAGE_TAGS, "lone", "pid:{}".format(child.pid),
                "process_name:app"])
            self.assertEqual(metric.hostname, "")
            self.assertIs(metric.flush_first_value, False)

    def test_every_process_has_its_own_series(self) -> None:
        name = unique("two")
        pids = sorted(self.start_child(name).pid for _ in range(2))
        instance = self.make({"name": "app", "search_string": [name]})
        self.assertEqual(self.run_check(instance), 2 * door.FIRST_GAUGES)
        self.assertEqual([metric.tags for metric in door.runtime_metrics()], [
            [*door.LANGUAGE_TAGS, "pid:{}".format(pid), "process_name:app"]
            for pid in pids for _ in door.FIRST_GAUGES])

    def test_service_checks_and_the_count_come_with_every_run(self) -> None:
        instance = self.make({"name": "app", "pid": self.start_child().pid, "tags": ["a:b"]})
        for _ in range(3):
            self.run_check(instance)
            tags = ["a:b", "process_name:app"]
            self.assertEqual(door.AGENT.service_checks, [
                ("python:1", name, 0, tags, "", "")
                for name in ("python.process.up", "python.gc.readable")])
            self.assertEqual(door.AGENT.metrics[-2:], [
                ("python:1", aggregator.GAUGE, name, value, tags, "", False)
                for name, value in (
                    ("python.process.count", 1.0), ("python.process.left_to_tracer", 0.0))])
            self.assertEqual(instance.warnings, [])

    def test_a_sum_is_one_series(self) -> None:
        name = unique("sum")
        children = [self.start_child(name) for _ in range(3)]
        instance = self.make({"name": "app", "search_string": [name], "aggregation": "sum"})
        self.assertEqual(self.run_check(instance), door.FIRST_GAUGES)
        self.assertEqual(self.run_check(instance), door.ALL_GAUGES)
        values = door.gauge_values()
        for generation in range(3):
            self.assertEqual(values["runtime.python.gc.count.gen%d" % generation],
                             sum(child.counts[generation] for child in children))
        self.assertEqual(values["runtime.python.thread_count"], 3)
        self.assertEqual(values["python.process.summed"], 3)
        for metric in door.runtime_metrics():
            self.assertEqual(metric.tags, [*door.LANGUAGE_TAGS, "process_name:app"])

    def test_says_once_that_nothing_matches(self) -> None:
        instance = self.make({"name": "app", "search_string": ["no-such-process"]})
        self.assertEqual(self.run_check(instance), [])
        self.assertEqual(len(instance.warnings), 1)
        self.assertIn("app", instance.warnings[0])
        self.assertEqual(self.run_check(instance), [])
        self.assertEqual(instance.warnings, [])

    def test_finds_a_process_by_its_name_in_unicode(self) -> None:
        name = unique("\N{LATIN SMALL LETTER O WITH DIAERESIS}")
        self.start_child(name)
        instance = self.make({"name": "app", "search_string": [name]})
        self.assertEqual(self.run_check(instance), door.FIRST_GAUGES)

    def test_reads_a_process_whose_name_is_not_utf8(self) -> None:
        argument = unique("argument")
        child = self.start_child(b"\xff) R (\xc3", argument.encode() + b"\xfe.")
        by_pid = self.make({"name": "app", "pid": child.pid})
        self.assertEqual(self.run_check(by_pid), door.FIRST_GAUGES)
        by_line = self.make({"name": "app", "search_string": [argument + r".\."],
                             "exact_match": False})
        self.assertEqual(self.run_check(by_line), door.FIRST_GAUGES)
