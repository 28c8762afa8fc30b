"""An Agent with the rights that a container leaves it.

Reads JSON from the standard input: the user to become, the mask of the capabilities to keep, how
often to run and what seconds to wait in between, and of each instance its init_config and itself.
Prints the mask that is in effect, and what each run gave, in the shape of run_check.py's reports.
"""

import ctypes
import json
import os
import struct
import sys
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)
sys.path[:0] = [os.path.join(TESTS, "agent"), os.path.join(TESTS, "check", "rtloader")]

import door
import run_check
import stand_in

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
CAPABILITY_VERSION_3 = 0x20080522


def become(user, capabilities):
    """What a program is that was started as this user with these capabilities."""
    LIBC.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    # The effective, permitted and inheritable ones: the first 32, then the others.
    sets = struct.pack("6I", low, low, 0, high, high, 0)
    if LIBC.capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def effective_capabilities():
    """The mask, as the kernel says it."""
    with open("/proc/self/status", encoding="utf-8") as status:
        (line,) = (line for line in status if line.startswith("CapEff:"))
    return int(line.split()[1], 16)


def make(check_id, arguments):
    """An instance of the check."""
    return stand_in.Instance(door.CHECK_CLASS, check_id, *arguments)


def import_all():
    """Fails once, so that no file of the Agent need be opened later."""
    instance = make("python:0", [{}, {"name": "first", "pid_file": "/no/such/file"}])
    instance.run()
    instance.cancel()


def main():
    told = json.load(sys.stdin)
    import_all()
    become(told["user"], told["capabilities"])
    instances = {check_id: make(check_id, arguments)
                 for check_id, arguments in told["instances"].items()}
    reports = []
    for _ in range(told["runs"]):
        door.AGENT.clear()
        reports.append(run_check.make_report(door.AGENT, run_check.run_all(instances)))
        time.sleep(told["seconds"])
    json.dump({"capabilities": effective_capabilities(), "reports": reports}, sys.stdout)


main()
