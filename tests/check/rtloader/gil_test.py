"""The GIL is free while processes are read: every read waits until another thread has run."""

import ctypes
import os
import subprocess
import sys
import threading
from typing import Callable, Dict, List

import door
import stand_in

# The system calls of reading, which Python itself does not make in a run.
PREAD64, GETDENTS64 = 17, 217  # of x86-64
READS = (PREAD64, GETDENTS64)

SYS_SECCOMP = 317
# linux/seccomp.h
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_ALLOW = 0x7FFF0000
# linux/prctl.h
PR_SET_NO_NEW_PRIVS = 38
# linux/bpf_common.h
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

# Holds system calls up. It says of each "held N", N being its number; lets it go when told so, or
# when its patience is over; and then says which.
HOLDER = """
import fcntl, os, select, struct, sys

# linux/seccomp.h
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
NOTIFICATION = struct.Struct("QIIi60x")

listener, patience = int(sys.argv[1]), float(sys.argv[2])
waiting = select.poll()
waiting.register(listener, select.POLLIN)
while waiting.poll()[0][1] & select.POLLIN:
    notification = bytearray(NOTIFICATION.size)
    fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notification)
    call, _, _, number = NOTIFICATION.unpack(notification)
    os.write(1, b"held %d\\n" % number)
    told = select.select([0], [], [], patience)[0] and os.read(0, 1)
    fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, struct.pack(
        "QqiI", call, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE))
    os.write(1, b"told\\n" if told else b"out of patience\\n")
    patience = patience if told else 0
os.close(1)
sys.stdin.read()  # until nobody tells it anything more
"""

# How long a read is held up that nobody lets go. A test takes that long to fail, and not to pass.
PATIENCE = 20  # seconds


class Instruction(ctypes.Structure):
    """struct sock_filter of linux/filter.h."""

    _fields_ = [("code", ctypes.c_uint16), ("jump_true", ctypes.c_uint8),
                ("jump_false", ctypes.c_uint8), ("operand", ctypes.c_uint32)]


class Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction))]


def hold_up_reads() -> int:
    """From now on the calling thread's reads wait for what listens at this descriptor."""
    # The number of the call comes first in what a filter sees; each jump leads to the last line.
    lines = [(LOAD_WORD, 0, 0, 0)]
    lines += [(JUMP_IF_EQUAL, len(READS) - index, 0, number)
              for index, number in enumerate(READS)]
    lines += [(RETURN, 0, 0, SECCOMP_RET_ALLOW), (RETURN, 0, 0, SECCOMP_RET_USER_NOTIF)]
    instructions = (Instruction * len(lines))(*(Instruction(*line) for line in lines))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                            ctypes.byref(Program(len(lines), instructions)))
    if listener < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return listener


class HeldUpRun:
    """A run of an instance in another thread, of which each read waits to be let go."""

    def __init__(self, instance: stand_in.Instance) -> None:
        self.result = "it has not ended"
        self._instance = instance
        self._is_held_up = threading.Event()
        self._may_begin = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._is_held_up.wait()
        self._holder = None
        if self.problem is None:
            self._holder = subprocess.Popen(
                [sys.executable, "-c", HOLDER, str(self._listener), str(PATIENCE)],
                pass_fds=[self._listener], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            os.close(self._listener)  # it is over when the thread has ended

    def _run(self) -> None:
        self.problem = None
        try:
            self._listener = hold_up_reads()
        except OSError as problem:
            self.problem = str(problem)
        self._is_held_up.set()
        self._may_begin.wait()
        if self.problem is None:
            self.result = self._instance.run()

    def let_go(self, during: Callable[[int], None]) -> List[str]:
        """Calls a function with the number of each read while that waits; how each wait ended."""
        self._may_begin.set()
        ends = []
        for line in self._holder.stdout:
            word, _, number = line.decode().strip().partition(" ")
            if word == "held":
                during(int(number))
                self._holder.stdin.write(b".")
                self._holder.stdin.flush()
            else:
                ends.append(line.decode().strip())
        return ends

    def stop(self) -> None:
        """Waits for the end of the run, with nothing held up any more."""
        self._may_begin.set()
        self._thread.join()
        if self._holder is not None:
            self._holder.communicate()


class HeldUpReadTest(door.DoorTestCase):
    """Other checks run while a process is read, however long that takes."""

    def test_another_check_runs_during_every_read(self) -> None:
        neighbour = self.make({"name": "neighbour", "pid": self.start_child().pid})
        self.run_check(neighbour)  # so that nothing need be imported later
        name = "gil-{}".format(os.getpid())
        self.start_child(name)
        instance = self.make({"name": "app", "search_string": [name], "exact_match": False})
        for expected in (door.FIRST_GAUGES, door.ALL_GAUGES):
            counts = self.assert_free(instance, neighbour)
            self.assertGreater(counts[PREAD64], 0)  # of one process
            self.assertGreater(counts[GETDENTS64], 0)  # of all
            self.assertEqual(gauges_of("app"), expected)

    def assert_free(self, instance: stand_in.Instance,
                    neighbour: stand_in.Instance) -> Dict[int, int]:
        """A run of an instance in which its neighbour runs during each read; how many there are."""
        door.AGENT.clear()
        run = HeldUpRun(instance)
        self.addCleanup(run.stop)
        if run.problem is not None:
            self.skipTest("seccomp: " + run.problem)
        counts = dict.fromkeys(READS, 0)

        def run_neighbour(number: int) -> None:
            # Where the run held the GIL in its read, this thread would come here only when nobody
            # had let the read go for a long time.
            self.assertEqual(neighbour.run(), "")
            counts[number] += 1

        self.assertEqual(set(run.let_go(run_neighbour)), {"told"})
        run.stop()
        self.assertEqual(run.result, "")
        return counts


def gauges_of(name: str) -> List[str]:
    """The names of the gauges that came from one instance's processes."""
    return [metric.name for metric in door.runtime_metrics()
            if "process_name:" + name in metric.tags]
