"""What gunicorn serves: memory from before the forks, and workers that speak of themselves."""

import json
import os
import time

if os.environ.get("DD_RUNTIME_METRICS_ENABLED") == "true":
    import ddtrace.auto  # noqa: F401

from ddtrace.internal.runtime.runtime_metrics import RuntimeMetrics, RuntimeWorker

HELD = b"x" * (30 << 20)
RUNTIME_METRICS = RuntimeMetrics()
# So that between two answers nothing that the collector counts goes away.
ANSWERS = []


def measure():
    """What the tracer's own collectors say of this process, differences since the last time."""
    ANSWERS.append(dict(RUNTIME_METRICS))
    return ANSWERS[-1]


def burn():
    """Uses the processor for a while."""
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    return {}


def flush():
    """Lets the tracer send its metrics as it does every ten seconds."""
    RuntimeWorker._instance.flush()
    return {}


COMMANDS = {b"m": measure, b"b": burn, b"f": flush}


def application(environ, start_response):
    """Greets, then answers each byte with a line of JSON, until the other side has gone."""
    connection = environ["gunicorn.socket"]
    connection.sendall(b"\n")
    for command in iter(lambda: connection.recv(1), b""):
        answer = {"pid": os.getpid(), **COMMANDS[command]()}
        connection.sendall(json.dumps(answer).encode() + b"\n")
    start_response("200 OK", [])
    return []
