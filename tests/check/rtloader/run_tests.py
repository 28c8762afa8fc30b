"""Runs the tests beside this file in each interpreter of PYCHECK_AGENT_PYTHONS.

That is a list with colons of Pythons in which datadog-checks-base is installed;
PYCHECK_RTLOADER_DOOR is the built python.abi3.so. The first argument names the
one test that is skipped where an interpreter is missing.
"""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, os.pardir, os.pardir, "agent")


def run_here() -> int:
    """Runs them in this interpreter."""
    sys.path[:0] = [HERE, AGENT]
    import door  # noqa: F401  (the Agent's modules come before the base class)
    import tap

    return 0 if tap.run(unittest.defaultTestLoader.discover(HERE, "*_test.py")) else 1


def run_in(python: str, name: str) -> int:
    """Runs them in another interpreter."""
    if not os.path.exists(python):
        print("1..1\nok 1 - {} # SKIP no such interpreter".format(name), flush=True)
        return 0
    return subprocess.call([python, "-B", __file__, "--here"])


if __name__ == "__main__":
    if sys.argv[1] == "--here":
        sys.exit(run_here())
    sys.exit(max(run_in(python, sys.argv[1])
                 for python in os.environ["PYCHECK_AGENT_PYTHONS"].split(os.pathsep)))
