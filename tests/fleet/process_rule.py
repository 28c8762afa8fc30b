"""Which processes Datadog's process check would choose, by psutil and its find_pids.

Reads instances of the configuration as a JSON list from the standard input, and
prints for each the list of its pids.
"""

import json
import re
import sys

import psutil


def matches(process, instance):
    """Whether a search string is the process's name or found in its command line."""
    exact = instance.get("exact_match", True)
    for string in instance["search_string"]:
        if exact and process.name() == string:
            return True
        if not exact and re.search(string, " ".join(process.cmdline())):
            return True
    return False


def selected(instance):
    """The pids of the one selector that an instance has."""
    if "pid" in instance:
        return {int(instance["pid"])} & set(psutil.pids())
    if "pid_file" in instance:
        with open(instance["pid_file"], encoding="ascii") as file:
            return {int(file.readline().strip())} & set(psutil.pids())
    found = set()
    for process in psutil.process_iter():
        try:
            if matches(process, instance):
                found.add(process.pid)
        # Also a zombie, which has no command line; the second, where another process has the pid.
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
    return found


def find_pids(instance):
    """What is selected, its children where they are asked for, and of these the user's."""
    pids = selected(instance)
    if instance.get("collect_children"):
        for pid in list(pids):
            pids.update(child.pid for child in psutil.Process(pid).children(recursive=True))
    if "user" in instance:
        pids = {pid for pid in pids if psutil.Process(pid).username() == instance["user"]}
    return sorted(pids)


json.dump([find_pids(instance) for instance in json.load(sys.stdin)], sys.stdout)
