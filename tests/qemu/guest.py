# SPDX-License-Identifier: MIT
"""What the black-box tests share: a guest driven over its serial line.

No verdict hangs on the wall clock: every wait has the same last-resort limit, long enough for a
host whose cores are away for seconds, and a test judges only what the guest printed and how QEMU
ended.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "tests" / "qemu" / "run"
LAST_RESORT = 300  # seconds
PROMPT = "interlock> "


def kernel(config="virt64"):
    return str(ROOT / "build" / config / "kernel.elf")


def kernel_is_built(config="virt64"):
    return Path(kernel(config)).exists()


def exit_statuses():
    """Names and numbers of kernel/abi/exit.h."""
    text = (ROOT / "kernel" / "abi" / "exit.h").read_text()
    return {name: int(value) for name, value in
            re.findall(r"\b(EXIT_[A-Z_]+) = (\d+)", text)}


EXIT = exit_statuses()


def command(smp=1, mem="256M", append="", config="virt64", **options):
    cmd = [str(LAUNCHER), "--kernel", kernel(config), "--smp", str(smp), "--mem", mem,
           "--timeout", str(LAST_RESORT), "--append", append]
    for name, value in options.items():
        cmd += [f"--{name}", str(value)]
    return cmd


class Result:
    def __init__(self, status, text):
        self.status = status
        self.text = text.replace("\r\n", "\n")

    def lines(self, pattern):
        return re.findall(pattern, self.text, re.M)


def run(commands, **options):
    """Boots, runs the commands through run=, and returns the status and all output."""
    extra = options.pop("append", "")
    append = f'shell=kernel run="{commands}" {extra}'.strip()
    done = subprocess.run(command(append=append, **options), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    return Result(done.returncode, done.stdout.decode(errors="replace"))


class Shell:
    """A guest at its prompt, driven by keys. Use as a context manager."""

    def __init__(self, **options):
        cmd = command(append=options.pop("append", "shell=kernel"), **options)
        self.child = pexpect.spawn(cmd[0], cmd[1:], cwd=str(ROOT), timeout=LAST_RESORT,
                                   encoding="utf-8", codec_errors="replace", dimensions=(40, 200))
        if os.environ.get("GUEST_LOG"):
            self.child.logfile_read = sys.stderr

    def __enter__(self):
        self.child.expect_exact(PROMPT)
        return self

    def __exit__(self, *exc):
        self.child.close(force=True)

    def keys(self, text):
        self.child.send(text)

    def ask(self, line):
        """Types a line and returns what was printed up to the next prompt, without the echo."""
        self.child.send(line + "\r")
        self.child.expect_exact("\r\n")
        self.child.expect_exact(PROMPT)
        return self.child.before.replace("\r\n", "\n")

    def expect(self, pattern):
        self.child.expect(pattern)
        return self.child.match

    def end(self, line=None):
        """Sends a last line, waits for QEMU's end and returns its status."""
        if line:
            self.child.send(line + "\r")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus
