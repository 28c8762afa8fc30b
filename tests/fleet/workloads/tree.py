"""A root, a chain of descendants, and children of which each stands for something odd.

Prints when all of them are there, as JSON, who of them holds no Python. Only the
root takes the name that is given. With a second argument it adopts orphans.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading

PR_SET_CHILD_SUBREAPER = 36


def fork(run):
    """Forks a child that runs something and then stands still."""
    pid = os.fork()
    if pid == 0:
        run()
        signal.pause()
    return pid


def chain(length, done):
    """Forks a child that forks a child, and so on."""
    if length == 0:
        os.write(done, b".")
    else:
        fork(lambda: chain(length - 1, done))


def become_a_parent_and_end(done):
    """Leaves an orphan behind."""
    fork(lambda: os.write(done, b"."))
    os._exit(0)


def main():
    if len(sys.argv) > 2:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reader, writer = os.pipe()
    chain(20, writer)
    os.waitpid(fork(lambda: become_a_parent_and_end(writer)), 0)
    # The parent of what a thread forks is the process, also when the thread has ended.
    thread = threading.Thread(target=lambda: fork(lambda: os.write(writer, b".")))
    thread.start()
    thread.join()
    for _ in range(3):
        os.read(reader, 1)
    sleep = subprocess.Popen(["sleep", "infinity"])
    zombie = fork(lambda: os._exit(0))
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    with open("/proc/self/comm", "w", encoding="utf-8") as comm:
        comm.write(sys.argv[1])
    print(json.dumps([sleep.pid, zombie]), flush=True)
    signal.pause()


main()
