# SPDX-License-Identifier: MIT
"""Child processes that never outlive who started them.

Each is a process group of its own. It is killed when its starter dies, even by a signal that nobody
can catch (setpriv asks the kernel for that), and whole when run() is left before its end. What it
starts itself, in its turn, should be started by this too.
"""
import os
import shutil
import signal
import subprocess


def bound(words):
    """The words of a command that dies with its starter."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] * bool(setpriv) + list(words)


_live = set()


def start(words, **how):
    child = subprocess.Popen(bound(words), start_new_session=True, **how)
    _live.add(child)
    return child


def end(child):
    """Kills the group of a child that is not reaped yet, and reaps the child."""
    _live.discard(child)
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def run(words, timeout=None, text=True, input=None, **how):
    """As subprocess.run: output and errors together in .stdout, no input unless some is given.

    TimeoutExpired has what was printed until then, in .stdout, as bytes."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
           "stdin": subprocess.DEVNULL if input is None else subprocess.PIPE,
           "errors": "replace" if text else None, **how}
    child = start(words, text=text, **how)
    try:
        out, err = child.communicate(input, timeout)
    finally:
        end(child)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()
    return subprocess.CompletedProcess(words, child.returncode, out, err)


def _end_all(number, _):
    for child in list(_live):
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def end_by_signals():
    """A signal that ends this program ends its children first. For programs whose threads run()."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_all)
