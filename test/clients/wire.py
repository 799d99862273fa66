"""What a script sees on the wire of the lab: commands in instances and nodes, by `trunkline lab exec`.

    LAB_EXEC   JSON list, the argv that runs a command; called as ARGV NAME-OR-ID -- COMMAND
"""

import json
import os
import subprocess
import time

EXEC = json.loads(os.environ["LAB_EXEC"])

# A machine on the other side of the internet.
OUTSIDE = "outside"
OUTSIDE_ADDRESS = "198.51.100.10"


def run(where, *argv):
    """Runs a command there: its exit status and what it printed."""
    done = subprocess.run(EXEC + [where, "--", *argv], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def pings(where, address):
    """Whether one ping gets its answer."""
    return run(where, "ping", "-c", "1", "-W", "1", address)[0] == 0


def serve(instance, name, port):
    """A web server in an instance that answers everybody with a name."""
    script = "mkdir -p /tmp/web; echo %s > /tmp/web/index.html; httpd -p %d -h /tmp/web" % (name, port)
    status, said = run(instance, "sh", "-c", script)
    assert status == 0, "%s serves nothing: %s" % (name, said)


def ask(where, address, port, seconds=3):
    """What a web server answers; empty where none does in time."""
    return run(where, "timeout", str(seconds), "busybox", "wget", "-q", "-O", "-", "http://%s:%d/" % (address, port))[1]


def heard(where, address, port, names, seconds=10):
    """Whether all these names answer within the time."""
    missing = set(names)
    end = time.time() + seconds
    while missing and time.time() < end:
        missing.discard(ask(where, address, port))
    return not missing


def check(name, held, detail=""):
    """One line a step; the first that does not hold ends the script."""
    print(("ok   " if held else "FAIL ") + name + ("" if held or detail == "" else ": %s" % (detail,)), flush=True)
    assert held, name
