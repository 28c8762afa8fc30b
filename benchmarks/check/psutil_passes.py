"""Chooses processes with psutil as the check does, again and again, and prints the cost of each.

The word to look for in the command lines comes from stdin, so that it is in none of this program's.
Prints JSON: how many processes the last pass chose, and the CPU time of each pass.
"""

import argparse
import json
import re
import sys
import time
from typing import Callable, Iterator

import psutil


def choose(word: str) -> Iterator[psutil.Process]:
    """The processes with the word in their command line, by the process check's rule."""
    pattern = re.compile(word)
    for process in psutil.process_iter(["name", "cmdline"]):
        if pattern.search(" ".join(process.info["cmdline"] or ())):
            yield process


def count_chosen(word: str) -> int:
    """The choice alone."""
    return sum(1 for _ in choose(word))


def read_gauges(word: str) -> int:
    """The choice, and the gauges that psutil has: all but those of the garbage collector."""
    count = 0
    for process in choose(word):
        with process.oneshot():
            process.cpu_times()
            process.cpu_percent()
            process.num_ctx_switches()
            process.memory_info().rss
            process.num_threads()
        count += 1
    return count


WAYS = {"choice": count_chosen, "gauges": read_gauges}


def measure(run_pass: Callable[[str], int], word: str, passes: int) -> dict:
    """The result of the last pass, and what each took."""
    cpu_ms = []
    for _ in range(passes):
        begin = time.process_time()
        chosen = run_pass(word)
        cpu_ms.append((time.process_time() - begin) * 1000)
    return {"chosen": chosen, "cpu_ms": cpu_ms}


def main() -> None:
    """Reads the word, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, required=True, help="what a pass does")
    parser.add_argument("--passes", type=int, required=True, help="how many, at least 1")
    arguments = parser.parse_args()
    json.dump(measure(WAYS[arguments.way], sys.stdin.read(), arguments.passes), sys.stdout)


if __name__ == "__main__":
    main()
