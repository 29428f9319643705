# SPDX-License-Identifier: MIT
"""Nothing that the test programs start outlives them."""
import os
import signal
import subprocess
import sys
import time

import pytest

import children
from guest import LAST_RESORT, ROOT

STARTER = """
import sys, threading
sys.path.insert(0, %r)
import children
children.end_by_signals()
words = ["sh", "-c", "sleep 1000 & echo $!; echo $$; wait"]
worker = threading.Thread(target=children.run, args=(words,), kwargs={"stdout": None})
worker.start()
worker.join()
""" % str(ROOT / "tests/qemu")


def runs(pid):
    """It is there, and more than a line in its parent's book."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_gone(pids):
    limit = time.monotonic() + LAST_RESORT
    while any(map(runs, pids)) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(map(runs, pids))


@pytest.fixture
def starter():
    """A program with a child and a grandchild: itself, and the pids of both."""
    with subprocess.Popen([sys.executable, "-B", "-c", STARTER], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as process:
        sleeper, shell = int(process.stdout.readline()), int(process.stdout.readline())
        assert runs(sleeper) and runs(shell)
        yield process, shell, sleeper
        for pid in (process.pid, sleeper):
            if runs(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_whole_group(starter, number):
    process, shell, sleeper = starter
    process.send_signal(number)
    assert process.wait(LAST_RESORT) == -number
    assert wait_until_gone([shell, sleeper])


def test_even_a_killed_starter_leaves_no_child(starter):
    process, shell, _ = starter
    process.kill()
    process.wait(LAST_RESORT)
    assert wait_until_gone([shell])


def test_what_is_ended_is_ended_with_all_that_it_started():
    child = children.start(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE)
    sleeper = int(child.stdout.readline())
    assert runs(sleeper)
    children.end(child)
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL and wait_until_gone([sleeper])


def test_the_time_limit_ends_it_and_keeps_what_was_said():
    # A limit in which it came to say something, however slow the machine is.
    for limit in (1, 10, 100, LAST_RESORT):
        with pytest.raises(subprocess.TimeoutExpired) as late:
            children.run(["sh", "-c", "echo said; kill -STOP $$"], timeout=limit)
        if late.value.stdout:
            break
    assert late.value.stdout == b"said\n"
    done = children.run(["sh", "-c", "cat; echo wrong >&2; exit 3"], LAST_RESORT, input="read\n")
    assert (done.returncode, done.stdout) == (3, "read\nwrong\n")
