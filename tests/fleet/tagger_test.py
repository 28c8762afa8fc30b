"""The tags that the Agent has for containers, on processes in cgroups such as containers have."""

import os
import unittest
from typing import Any, Dict, List, Set
from unittest import mock

import door
import fleet
import run_check
import stand_in

LOW, ORCHESTRATOR, HIGH = range(3)
TAGS = ["image_name:web", "kube_namespace:shop", "Pod_Name:web-1", "kube_service:a",
        "kube_service:b"]
NORMAL_TAGS = {"image_name:web", "kube_namespace:shop", "pod_name:web-1", "kube_service:a",
               "kube_service:b"}


@unittest.skipUnless(fleet.cgroup_root(), "no cgroups of version 2 can be made here")
class TaggerTest(fleet.FleetTestCase):
    """Two processes in one container, one in another, one in none."""

    def setUp(self) -> None:
        super().setUp()
        self.name = fleet.unique("tagger")
        self.containers = [self.make_cgroup() for _ in range(2)]
        self.contained = [self.start_in(container) for container in (
            self.containers[0], self.containers[0], self.containers[1])]
        self.free = self.start_child(self.name).pid
        self.entities = ["container_id://" + each.container_id for each in self.containers]
        for agents in (door.AGENT.entities, door.AGENT.settings):
            self.addCleanup(agents.clear)
        door.AGENT.entities[self.entities[0]] = TAGS

    def make_cgroup(self) -> fleet.Cgroup:
        """One that is removed when its processes have ended."""
        cgroup = fleet.Cgroup()
        self.addCleanup(cgroup.remove)
        return cgroup

    def start_in(self, cgroup: fleet.Cgroup) -> int:
        """The pid of a process in it."""
        pid = self.start_child(self.name).pid
        with open(os.path.join(cgroup.path, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write(str(pid))
        return pid

    def make_by_name(self, **options: Any) -> stand_in.Instance:
        """An instance that chooses all of them."""
        return self.make({"name": "app", "search_string": [self.name], **options})

    def run_tags(self, instance: stand_in.Instance) -> Dict[int, Set[str]]:
        """The tags of each process's series, by its pid."""
        self.run_check(instance)
        tags: Dict[int, List[str]] = {}
        for metric in door.runtime_metrics():
            pid = int(run_check.tag_value(metric.tags, "pid:"))
            self.assertEqual(tags.setdefault(pid, metric.tags), metric.tags)
            self.assertEqual(len(metric.tags), len(set(metric.tags)))
        return {pid: set(each) for pid, each in tags.items()}

    def test_series_have_the_tags_of_their_containers(self) -> None:
        tags = self.run_tags(self.make_by_name())
        self.assertEqual(set(tags), {*self.contained, self.free})
        for pid, series in tags.items():
            self.assertEqual(series & NORMAL_TAGS,
                             NORMAL_TAGS if pid in self.contained[:2] else set())

    def test_the_agent_is_asked_once_for_each_container_in_a_refresh_period(self) -> None:
        door.AGENT.entities[self.entities[1]] = ["image_name:other"]
        instance = self.make_by_name()
        questions: List[Any] = []
        for _ in range(20):
            self.run_check(instance)
            questions += door.AGENT.questions
        self.assertEqual(sorted(questions), sorted((entity, LOW) for entity in self.entities))

    def test_the_option_says_how_many_tags_there_are(self) -> None:
        for option, cardinality in (
                ("low", LOW), ("orchestrator", ORCHESTRATOR), ("high", HIGH)):
            self.run_check(self.make_by_name(tag_cardinality=option))
            self.assertEqual({asked for _, asked in door.AGENT.questions}, {cardinality})

    def test_without_it_the_agents_own_setting_counts(self) -> None:
        for setting, cardinality in (
                ("high", HIGH), ("orchestrator", ORCHESTRATOR), ("low", LOW), ("?", LOW)):
            door.AGENT.settings["checks_tag_cardinality"] = setting
            self.run_check(self.make_by_name())
            self.assertEqual({asked for _, asked in door.AGENT.questions}, {cardinality})

    def test_what_is_configured_and_what_the_process_says_wins(self) -> None:
        door.AGENT.entities[self.entities[0]] = ["env:container", "team:container", "service:c"]
        instance = self.make_by_name(tags=["team:web"], service="web")
        series = self.run_tags(instance)[self.contained[0]]
        self.assertLessEqual({"team:web", "env:container"}, series)
        self.assertFalse({"team:container", "service:c"} & series)

    def test_a_tagger_that_fails_costs_only_its_tags(self) -> None:
        import tagger

        for answer in (None, 5, ["a:b", None, b"c:d", 7], RuntimeError("tagger")):
            with mock.patch.object(tagger, "tag", side_effect=[answer] * 2):
                tags = self.run_tags(self.make_by_name())
            self.assertEqual(set(tags), {*self.contained, self.free})
            self.assertEqual("a:b" in tags[self.contained[0]], isinstance(answer, list))

    def test_the_container_is_a_tag_where_that_is_asked_for(self) -> None:
        tags = self.run_tags(self.make_by_name(tag_by=["container_id"]))
        for pid, container in zip(self.contained, (0, 0, 1)):
            self.assertIn("container_id:" + self.containers[container].container_id, tags[pid])
        self.assertFalse([tag for tag in tags[self.free] if tag.startswith("container_id:")])

    def test_a_sum_is_one_of_each_container(self) -> None:
        door.AGENT.entities[self.entities[1]] = ["image_name:other"]
        self.run_check(self.make_by_name(aggregation="sum"))
        summed = {tuple(tag for tag in metric.tags if tag.startswith("image_name:")): metric.value
                  for metric in door.AGENT.metrics if metric.name == "python.process.summed"}
        self.assertEqual(summed, {("image_name:web",): 2, ("image_name:other",): 1, (): 1})
