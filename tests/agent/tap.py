"""Runs unittest's tests and prints the Test Anything Protocol: a line for each test."""

import sys
import unittest
from typing import Any


class TapResult(unittest.TestResult):
    """Prints each test when it ends; what went wrong in it goes to stderr as comments."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._ok, self._skip = "ok", ""

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        # At once, so that a crash shows which test it was in.
        print("{} {} - {}{}".format(self._ok, self.testsRun, test.id(), self._skip), flush=True)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._fail(test, self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._fail(test, self.failures[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            self._fail(subtest, (self.failures if failed else self.errors)[-1][1])

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._fail(test, "passed, though a failure was expected")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._skip = " # SKIP " + reason

    def _fail(self, test: unittest.TestCase, problem: str) -> None:
        self._ok = "not ok"
        # Test runners show this stream when a test has failed.
        for line in [test.id()] + problem.splitlines():
            print("# " + line, file=sys.stderr, flush=True)


def run(suite: unittest.TestSuite) -> bool:
    """Runs a suite; whether nothing in it failed."""
    print("1..{}".format(suite.countTestCases()), flush=True)
    result = TapResult()
    suite.run(result)
    return result.wasSuccessful()
