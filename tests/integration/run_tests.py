"""Runs one of the tests beside this file in the interpreter PYCHECK_AGENT_PYTHON.

That is a Python in which datadog-checks-base is installed;
PYCHECK_RTLOADER_DOOR is the built python.abi3.so. The argument is the test's
name, such as metrics_test.
"""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)


def run_here(name: str) -> int:
    """Runs it in this interpreter."""
    sys.path[:0] = [HERE, os.path.join(TESTS, "agent"), os.path.join(TESTS, "check", "rtloader")]
    import door  # noqa: F401  (the Agent's modules come before the base class)
    import tap

    return 0 if tap.run(unittest.defaultTestLoader.loadTestsFromName(name)) else 1


def run_in(python: str, name: str) -> int:
    """Runs it in another interpreter."""
    if not os.path.exists(python):
        print("1..1\nok 1 - {} # SKIP no such interpreter: {}".format(name, python), flush=True)
        return 0
    return subprocess.call([python, "-B", __file__, "--here", name])


if __name__ == "__main__":
    if sys.argv[1] == "--here":
        sys.exit(run_here(sys.argv[2]))
    sys.exit(run_in(os.environ["PYCHECK_AGENT_PYTHON"], sys.argv[1]))
