"""Runs a test, or all those of a folder, in the interpreter PYCHECK_AGENT_PYTHON.

usage: run_tests.py [--alone] PATH

That is a Python in which datadog-checks-base is installed; PYCHECK_RTLOADER_DOOR
is the built python.abi3.so. With --alone in a pid namespace of its own, where
one can be had.
"""

import os
import subprocess
import sys
import tempfile
import unittest

UNSHARE = ("unshare", "--pid", "--mount-proc", "--fork", "--kill-child")

HERE = os.path.dirname(os.path.abspath(__file__))
DOOR = os.path.join(os.path.dirname(HERE), "check", "rtloader")


def run_here(path: str) -> int:
    """Runs it in this interpreter."""
    folder, name = (path, "*_test.py") if os.path.isdir(path) else os.path.split(path)
    sys.path[:0] = [folder, HERE, DOOR]
    import door  # noqa: F401  (the Agent's modules come before the base class)
    import tap

    return 0 if tap.run(unittest.defaultTestLoader.discover(folder, name)) else 1


def run_in(python: str, path: str, alone: bool) -> int:
    """Runs it in another interpreter."""
    if not os.path.exists(python):
        name = os.path.basename(path)
        print("1..1\nok 1 - {} # SKIP no such interpreter: {}".format(name, python), flush=True)
        return 0
    command = [python, "-B", __file__, "--here", path]
    if alone and can_unshare():
        command[:0] = UNSHARE
    # What programs leave behind that are killed ends with the test.
    with tempfile.TemporaryDirectory(prefix="agent-test-") as folder:
        os.chmod(folder, 0o1777)
        return subprocess.call(command, env={**os.environ, "TMPDIR": folder})


def can_unshare() -> bool:
    """Whether a pid namespace can be had here."""
    try:
        return subprocess.call([*UNSHARE, "true"], stderr=subprocess.DEVNULL) == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    if sys.argv[1] == "--here":
        sys.exit(run_here(sys.argv[2]))
    sys.exit(run_in(os.environ["PYCHECK_AGENT_PYTHON"], sys.argv[-1], "--alone" in sys.argv))
