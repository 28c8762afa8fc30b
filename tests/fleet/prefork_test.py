"""Other servers that fork their workers: Celery, and uWSGI, which embeds its Python."""

import os
import shutil
import unittest
from typing import Any, Dict, List

import fleet

CHILDREN = 3
UWSGI = shutil.which("uwsgi_python3")


class PreforkTest(fleet.FleetTestCase):
    """From the master's pid, all its children are found, each with a series of its own."""

    def assert_followed(self, command: List[str], pid_file: str) -> None:
        """Selects by pid and by file, and compares with what the kernel says."""
        master = self.start(command).pid
        self.wait_until(lambda: len(fleet.children(master)) == CHILDREN, "its children")
        self.wait_until(lambda: os.path.exists(pid_file) and os.path.getsize(pid_file) > 0,
                        "its pid file")
        selectors: List[Dict[str, Any]] = [{"pid": master}, {"pid_file": pid_file}]
        for selector in selectors:
            with self.subTest(selector=selector):
                alone = self.observe(self.make({"name": "master", **selector}))
                self.assertEqual(alone.pids, {master})
                instance = self.make({"name": "all", **selector, "collect_children": True})
                self.assertEqual(set(self.observe(instance).series[master]), fleet.FIRST_GAUGES)
                run = self.observe(instance)
                self.assertEqual(run.pids, fleet.children(master) | {master})
                self.assertEqual(fleet.values_of("python.process.count"), [CHILDREN + 1])
                for gauges in run.series.values():
                    self.assertEqual(set(gauges), fleet.ALL_GAUGES)

    @fleet.NEEDS_APPS
    def test_celery_with_its_worker_processes(self) -> None:
        pid_file = os.path.join(self.make_directory(), "pid")
        self.assert_followed(
            [fleet.APPS_PYTHON, "-B", "-m", "celery", "--quiet", "--app", "celery_app",
             "--workdir", fleet.WORKLOADS, "worker", "--pool", "prefork",
             "--concurrency", str(CHILDREN), "--pidfile", pid_file, "--loglevel", "ERROR",
             "--without-gossip", "--without-mingle", "--without-heartbeat"], pid_file)

    @unittest.skipUnless(UWSGI, "no uWSGI with Python")
    def test_uwsgi_with_its_workers(self) -> None:
        directory = self.make_directory()
        pid_file = os.path.join(directory, "pid")
        self.assert_followed(
            [UWSGI, "--master", "--workers", str(CHILDREN), "--disable-logging",
             "--socket", os.path.join(directory, "socket"), "--pidfile", pid_file,
             "--logto", os.path.join(directory, "log"),
             "--wsgi-file", os.path.join(fleet.WORKLOADS, "uwsgi_app.py")], pid_file)
