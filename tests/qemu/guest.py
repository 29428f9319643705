# SPDX-License-Identifier: MIT
"""What the black-box tests share: a guest driven over its serial line.

No verdict hangs on the wall clock: every wait has the same last-resort limit, long enough for a
host whose cores are away for seconds, and a test judges only what the guest printed and how QEMU
ended.
"""
import os
import re
import sys
from pathlib import Path

import pexpect

import children
from screen import Screen

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "tests" / "qemu" / "run"
LAST_RESORT = 1200  # seconds
PROMPT = "interlock> "
# A boot that has to bring up every hart waits for each, however long the firmware takes.
PATIENT = "hartwait=%d" % (LAST_RESORT * 1000)


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
    """The launcher's words; `extra` is more of QEMU's own."""
    cmd = [str(LAUNCHER), "--kernel", kernel(config), "--smp", str(smp), "--mem", mem,
           "--timeout", str(LAST_RESORT), "--append", append]
    extra = options.pop("extra", [])
    for name, value in options.items():
        cmd += ["--" + name.replace("_", "-"), str(value)]
    return cmd + (["--", *extra] if extra else [])


class Result:
    def __init__(self, status, text):
        self.status = status
        self.text = text.replace("\r\n", "\n")

    def lines(self, pattern):
        return re.findall(pattern, self.text, re.M)


def run(commands, **options):
    """Boots, runs the commands (None: there are none) through run=, and returns the status and all
    output."""
    extra = options.pop("append", PATIENT)
    script = "" if commands is None else f'run="{commands}" '
    append = f"shell=kernel {script}{extra}".strip()
    done = children.run(command(append=append, **options), cwd=ROOT)
    return Result(done.returncode, done.stdout)


class Shell:
    """A guest at its prompt, driven by keys. Use as a context manager.

    A line of the log may come at any moment: it takes the prompt off the terminal and puts it back.
    So a prompt is one that stands on the terminal, not one that was printed. `said` is what was
    printed before the last thing that was waited for, `text` all of it.
    """

    def __init__(self, **options):
        cmd = command(append=options.pop("append", "shell=kernel " + PATIENT), **options)
        self.child = pexpect.spawn(cmd[0], cmd[1:], cwd=str(ROOT), timeout=LAST_RESORT,
                                   encoding="utf-8", codec_errors="replace", dimensions=(40, 200))
        self.screen, self.text, self.said = Screen(), "", ""
        self.at = 0	# up to here expect() has read
        if os.environ.get("GUEST_LOG"):
            self.child.logfile_read = sys.stderr

    def __enter__(self):
        self.prompt()
        return self

    def __exit__(self, *exc):
        self.child.close(force=True)

    def read(self):
        """More of what the guest prints."""
        try:
            text = self.child.read_nonblocking(65536, LAST_RESORT)
        except (pexpect.EOF, pexpect.TIMEOUT) as silent:
            raise AssertionError("%s; the guest said:\n%s"
                                 % (type(silent).__name__, self.text)) from None
        self.text += text
        self.screen.feed(text)

    def at_prompt(self):
        """An empty prompt stands there."""
        return self.screen.row() == PROMPT.rstrip()

    def prompt(self):
        while not self.at_prompt():
            self.read()
        self.said, self.at = self.text[self.at:].replace("\r\n", "\n"), len(self.text)

    def keys(self, text):
        self.child.send(text)

    def ask(self, line):
        """Types a line and returns what was printed up to the next prompt, without the echo."""
        begin = len(self.screen.rows)
        self.child.send(line + "\r")
        # Only the end of a line that was typed leaves a prompt behind.
        while not any(row.startswith(PROMPT.rstrip()) for row in self.screen.rows[begin:]):
            self.read()
        while not self.screen.rows[begin].startswith(PROMPT.rstrip()):
            begin += 1
        self.prompt()
        return "".join(row + "\n" for row in self.screen.rows[begin + 1:])

    def expect(self, pattern):
        """Waits for what is printed from here on."""
        found = None
        while not found:
            found = re.compile(pattern, re.M).search(self.text, self.at)
            if not found:
                self.read()
        self.said, self.at = self.text[self.at:found.start()], found.end()
        return found

    def end(self, line=None):
        """Sends a last line, waits for QEMU's end and returns its status."""
        if line:
            self.child.send(line + "\r")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus
