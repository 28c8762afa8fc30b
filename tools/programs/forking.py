"""A master that forks two workers, as a pre-fork server does."""

import os
import time


def work(size):
    held = [bytearray(1 << 20) for _ in range(size)]
    while held:
        sum(range(20000))
        time.sleep(0.01)


for worker in range(2):
    if os.fork() == 0:
        work(20 * (worker + 1))
while True:
    time.sleep(1)
