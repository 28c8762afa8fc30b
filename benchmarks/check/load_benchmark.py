"""What it takes to load either object into a process that is like an Agent: a Python."""

import json
import os
import statistics
import subprocess
import sys
import tempfile

import measure

# Arguments: an object. Nothing of it has been mapped yet, but its file is in memory.
LOAD = """
import ctypes, json, os, sys, time

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

resident()
before, begin = resident(), time.perf_counter_ns()
ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW | os.RTLD_LOCAL)
print(json.dumps([(time.perf_counter_ns() - begin) / 1e6, (resident() - before) / 2**20]))
"""

REPETITIONS = 21

OBJECTS = {
    "rtloader": "check/rtloader/python.abi3.so",
    "native": "check/native/libdatadog-agent-python.so"}


def stripped_mebibytes(path: str) -> float:
    """The size of the object without what only debuggers read."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, path], check=True)
        return os.path.getsize(stripped.name) / 2**20


def benchmark() -> dict[str, float]:
    """Loads each object again and again, in a new process each time."""
    parser = measure.argument_parser(__doc__)
    arguments = parser.parse_args()
    figures = {}
    for name, path in OBJECTS.items():
        measure.say(f"loading {path} {REPETITIONS} times")
        command = [sys.executable, "-I", "-S", "-c", LOAD, str(arguments.build / path)]
        loads = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                 for _ in range(REPETITIONS)]
        milliseconds, mebibytes = zip(*loads)
        figures[f"{name}_load_ms"] = statistics.median(milliseconds)
        figures[f"{name}_resident_mib"] = statistics.median(mebibytes)
        figures[f"{name}_stripped_mib"] = stripped_mebibytes(str(arguments.build / path))
    return figures


if __name__ == "__main__":
    measure.main(benchmark)
