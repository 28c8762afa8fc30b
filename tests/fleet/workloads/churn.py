"""A master that keeps a few children and forks many more, which soon end: churn.py LOG SECONDS.

The log has a line for all that happens to the child that was forked as the Nth. Times are
seconds of CLOCK_BOOTTIME:
    born N BEFORE AFTER PID
    hidden N BEFORE AFTER        it has taken another title
    ending N BEFORE CPU          it is about to, and has used so many seconds of the processor
    ended N AFTER                at most a zombie is left of it
A line is printed when the children that do not end are there, and one when all others have.
"""

import os
import random
import signal
import sys
import time

import setproctitle

FORKS_PER_SECOND = 200
LIFETIMES = (0.010, 0.200)  # seconds
KEPT = 3
ZOMBIE_SECONDS = 0.5


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def log(*words):
    # A short line to a file that is appended to is not torn.
    os.write(LOG, (" ".join(map(str, words)) + "\n").encode())


def live(number):
    """What a child does in its short life."""
    lifetime = random.Random(number).uniform(*LIFETIMES)
    end = now() + lifetime
    if number % 5 == 0:
        before = now()
        setproctitle.setproctitle("hidden")
        log("hidden", number, before, now())
    while now() < end:
        sum(range(10_000))
        time.sleep(lifetime / 4)
        if number % 7 == 0:
            with open("/proc/self/comm", "w", encoding="ascii") as comm:
                comm.write("renamed")
    log("ending", number, now(), time.process_time())


def keep(_):
    """Works a little, for ever."""
    while True:
        sum(range(50_000))
        time.sleep(0.01)


def fork(number, run):
    """Forks a child that runs something and ends."""
    before = now()
    pid = os.fork()
    if pid == 0:
        try:
            run(number)
        finally:
            os._exit(0)
    log("born", number, before, now(), pid)
    return pid


def has_ended(pid):
    """Whether a child has; it stays a zombie."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def main():
    for number in range(KEPT):
        fork(number, keep)
    print(flush=True)
    running, zombies = {}, []
    end = now() + float(sys.argv[2])
    while running or zombies or now() < end:
        due = now() + 1 / FORKS_PER_SECOND
        if due < end:
            number += 1
            running[fork(number, live)] = number
        for pid in list(filter(has_ended, running)):
            log("ended", running[pid], now())
            # Some are left for a while before they are waited for.
            wait = ZOMBIE_SECONDS if running.pop(pid) % 10 == 0 else 0
            zombies.append((now() + wait, pid))
        for zombie in [zombie for zombie in zombies if zombie[0] <= now()]:
            os.waitpid(zombie[1], 0)
            zombies.remove(zombie)
        time.sleep(max(0, due - now()))
    print(flush=True)
    signal.pause()


LOG = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
main()
