"""Eight threads that wake up a hundred times a second each."""

import threading
import time


def wake():
    while True:
        time.sleep(0.01)


for _ in range(8):
    threading.Thread(target=wake, daemon=True).start()
while True:
    time.sleep(1)
