"""From the constructor to cancel(), and what is left behind."""

import gc
import os
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Tuple
from unittest import mock

import aggregator

import door

RUNS = 2000
SMALLEST_OBJECT = 16  # bytes
# Found by a look at all processes.
EVERY_PYTHON = {"name": "app", "search_string": ["python"], "exact_match": False}


@contextmanager
def repeated(function: Callable[[], None]) -> Iterator[None]:
    """Calls a function again and again in another thread."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            function()

    with ThreadPoolExecutor(1) as pool:
        repeating = pool.submit(repeat)
        try:
            yield
        finally:
            stop.set()
        repeating.result()


@contextmanager
def no_forced_switches() -> Iterator[None]:
    """Another Python thread runs only where the running one lets it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


class CancelTest(door.DoorTestCase):
    """cancel() at any time, from any thread."""

    def assert_cancelled(self, result: str) -> None:
        """A run said that the check has been cancelled."""
        self.assertIn("cancelled", door.error_message(result))

    def test_frees_the_descriptors(self) -> None:
        before = door.open_descriptors()
        instance = self.make({"name": "app", "pid": os.getpid()})
        self.run_check(instance)
        self.assertGreater(len(door.open_descriptors()), len(before))
        instance.cancel()
        self.assertEqual(door.open_descriptors(), before)

    def test_deleting_the_instance_frees_the_descriptors(self) -> None:
        before = door.open_descriptors()
        check = door.CHECK_CLASS("python", {}, [{"name": "app", "pid": os.getpid()}])
        self.assertEqual(check.run(), "")
        del check
        gc.collect()
        self.assertEqual(door.open_descriptors(), before)

    def test_ends_the_runs(self) -> None:
        child = self.start_child()
        instance = self.make({"name": "app", "pid": child.pid})
        self.run_check(instance)
        instance.cancel()
        instance.cancel()
        self.assert_cancelled(instance.run())
        self.assertEqual(len(door.runtime_metrics()), len(door.FIRST_GAUGES))

    def test_in_the_middle_of_a_run_lets_it_end(self) -> None:
        child = self.start_child()
        before = door.open_descriptors()
        instance = self.make({"name": "app", "pid": child.pid})
        submitted: List[Tuple[Any, ...]] = []

        def cancel_and_submit(*arguments: Any) -> None:
            canceller = threading.Thread(target=instance.cancel)
            canceller.start()
            canceller.join()
            submitted.append(arguments)

        with mock.patch.object(aggregator, "submit_metric", cancel_and_submit):
            self.assertEqual(instance.run(), "")
        self.assertEqual([arguments[3] for arguments in submitted],
                         [*door.FIRST_GAUGES, *door.INSTANCE_GAUGES])
        self.assert_cancelled(instance.run())
        self.assertEqual(door.open_descriptors(), before)

    def test_races_with_runs(self) -> None:
        before = door.open_descriptors()
        results: List[str] = []
        for moment in range(100):
            instance = self.make(EVERY_PYTHON)
            with repeated(lambda: results.append(instance.run())):
                for _ in range(moment):
                    time.sleep(0)
                instance.cancel()
        for result in results:
            if result:
                self.assert_cancelled(result)
        self.assertEqual(door.open_descriptors(), before)

    def test_runs_in_two_threads_come_one_after_another(self) -> None:
        child = self.start_child()
        instance = self.make({"name": "app", "pid": child.pid})
        self.run_check(instance)
        submitters: List[int] = []

        def submit_slowly(*arguments: object) -> None:
            submitters.append(threading.get_ident())
            time.sleep(0)  # lets the other thread come between

        with mock.patch.object(aggregator, "submit_service_check"), \
                mock.patch.object(aggregator, "submit_metric", submit_slowly):
            results: List[str] = []
            with repeated(lambda: results.append(instance.run())):
                while len(results) < 50:
                    results.append(instance.run())
        self.assertEqual(set(results), {""})
        gauges = len(door.ALL_GAUGES) + len(door.INSTANCE_GAUGES)
        while submitters:
            run, submitters = submitters[:gauges], submitters[gauges:]
            self.assertEqual(run, gauges * run[:1])


class GilTest(door.DoorTestCase):
    """Other checks run while processes are read."""

    def test_other_threads_run_during_a_check(self) -> None:
        instance = self.make(EVERY_PYTHON)
        self.run_check(instance)
        progress = 0

        def count() -> None:
            nonlocal progress
            progress += 1
            time.sleep(0)  # lets the checking thread have the GIL again

        def check_once() -> int:
            before = progress
            instance.check.check(instance.check.instance)
            return progress - before

        # When the processes are few, reading them may be faster than waking up.
        with repeated(count), no_forced_switches():
            self.assertTrue(any(check_once() for _ in range(1000)))


class LeakTest(door.DoorTestCase):
    """Thousands of runs leave nothing behind."""

    def count_kept(self) -> Dict[str, int]:
        """What must not grow with the number of runs."""
        gc.collect()
        check = self.instance.check
        return {
            "descriptors": len(door.open_descriptors()),
            "objects": len(gc.get_objects()),
            "memory": tracemalloc.get_traced_memory()[0] // SMALLEST_OBJECT,
            "references to the check": sys.getrefcount(check),
            "references to its id": sys.getrefcount(check.check_id),
            "references to its class": sys.getrefcount(door.CHECK_CLASS),
            "references to its configuration": sys.getrefcount(check.instance),
            "references to the aggregator": sys.getrefcount(aggregator.submit_metric),
        }

    def test_runs_leak_nothing(self) -> None:
        self.instance = self.make({"name": "app", "pid": self.start_child().pid})
        self.assert_flat(lambda: self.assertEqual(self.instance.run(), ""))

    def test_failing_runs_leak_nothing(self) -> None:
        self.instance = self.make({"name": "app", "pid_file": "/nowhere/app.pid"})
        self.assert_flat(lambda: self.assertNotEqual(self.instance.run(), ""))

    def test_instances_leak_nothing(self) -> None:
        self.instance = self.make({"name": "app", "pid": self.start_child().pid})

        def live() -> None:
            check = door.CHECK_CLASS("python", {}, [{"name": "app", "pid": os.getpid()}])
            check.run()
            check.cancel()

        self.assert_flat(live)

    def assert_flat(self, function: Callable[[], None]) -> None:
        """Calls it again and again: what it keeps would be there once for each call."""
        def call_often(calls: int) -> Dict[str, int]:
            for _ in range(calls):
                function()
                door.AGENT.clear()
            return self.count_kept()

        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        call_often(100)
        counts = [self.count_kept(), call_often(RUNS), call_often(RUNS)]
        for kind in counts[0]:
            # A table that happens to grow does so once; what leaks does so each time.
            growth = min(after[kind] - before[kind]
                         for before, after in zip(counts, counts[1:]))
            self.assertLess(growth, 1 if kind == "descriptors" else RUNS, kind)
