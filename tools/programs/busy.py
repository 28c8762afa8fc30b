"""Uses a good part of one CPU, and allocates and collects as it goes."""

import time

while True:
    kept = [{"number": i, "self": None} for i in range(2000)]
    for item in kept:
        item["self"] = item
    time.sleep(0.002)
