"""Counts the tests in JUnit files and names those that were skipped or failed, with the reason for
a skip where the file gives one.

usage: summary.py FILE...
"""

import collections
import os
import sys
import xml.etree.ElementTree


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("result") == "skipped":
        return "skipped"
    return "passed"


def reason(case):
    """The last line of GoogleTest's message: the first is the place in the test."""
    lines = case.findtext("skipped", "").strip().splitlines()
    return f" ({lines[-1]})" if lines else ""


def main(paths):
    counts = collections.Counter()
    for path in paths:
        if not os.path.exists(path):
            print(f"failed: {path} was not made")
            counts["failed"] += 1
            continue
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            result = outcome(case)
            counts[result] += 1
            if result != "passed":
                name = f"{case.get('classname')}.{case.get('name')}"
                print(f"{result}: {name}{reason(case)}")
    print(", ".join(f"{counts[key]} {key}"
                    for key in ("passed", "failed", "skipped")))
    return 0 if counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
