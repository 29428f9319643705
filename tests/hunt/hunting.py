# SPDX-License-Identifier: MIT
"""One boot of a hunt, and what its seed is called.

A run is a function of QEMU, the firmware, the kernel's image and the options; so a seed's full name
is NUMBER@QEMU.FIRMWARE.KERNEL, the first digits of the hashes of the three, and who replays a name
with something else is told.
"""
import hashlib
import os
import re
import shutil
import struct
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/qemu"))
sys.dont_write_bytecode = True

import launcher

OUT = os.path.join(ROOT, "build/hunt/runs")
KERNEL = os.path.join(ROOT, "build/hunt/kernel.elf")
FIRMWARE = "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"
MEM = "64M"
SMP = 4
LAST_RESORT = 300	# seconds for one boot, which takes less than one
NO_END = "no-end"	# a verdict of the host: the guest had to be ended
DIGITS = 6
PARTS = ("QEMU", "the firmware", "the kernel")


class Mismatch(Exception):
    """A seed's name that belongs to other images."""


class Failed(Exception):
    """A run that says nothing: no verdict can be had."""


# ---- Names ---------------------------------------------------------------------------------

def loaded_parts(path):
    """The bytes of an ELF file's load segments: what runs, without what only debuggers read."""
    with open(path, "rb") as f:
        image = f.read()
    offset, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    parts = []
    for n in range(count):
        kind, _, start, _, physical, in_file, in_memory = struct.unpack_from(
            "<IIQQQQQ", image, offset + n * size)
        if kind == 1:	# PT_LOAD
            parts.append(struct.pack("<QQ", physical, in_memory) + image[start:start + in_file])
    return b"".join(parts)


def file_hash(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:DIGITS]


def image_hashes(qemu="", bios="", kernel=""):
    """What a seed's name says after the number."""
    qemu = shutil.which(qemu or "qemu-system-riscv64")
    if not qemu:
        raise launcher.CannotStart("no QEMU: `make doctor` says what to do")
    firmware = bios if bios and bios != "default" else FIRMWARE
    code = hashlib.sha256(loaded_parts(kernel or KERNEL)).hexdigest()[:DIGITS]
    return "%s.%s.%s" % (file_hash(os.path.realpath(qemu)), file_hash(firmware), code)


def seed_of(name, hashes):
    """The number of a seed's name; Mismatch if it is of other images than `hashes`."""
    number, _, theirs = str(name).partition("@")
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise launcher.CannotStart("SEED=%s: a number, or a number@hashes, is wanted" % name)
    if theirs and theirs != hashes:
        pairs = zip(PARTS, theirs.split(".") + ["?"] * 3, hashes.split("."))
        others = ["%s (%s then, %s now)" % (part, a, b) for part, a, b in pairs if a != b]
        raise Mismatch("seed %s belongs to another build: %s" % (number, ", ".join(others)))
    return int(number)


def seed_range(text):
    """1..200, 7, or several of these with commas between."""
    seeds = []
    for part in text.split(","):
        m = re.fullmatch(r"\s*([0-9]+)(?:\.\.([0-9]+))?\s*", part)
        if not m or m.group(2) and int(m.group(2)) < int(m.group(1)):
            raise launcher.CannotStart("SEEDS=%s: 1..200 or 1,5,7..9 is wanted" % text)
        seeds += range(int(m.group(1)), int(m.group(2) or m.group(1)) + 1)
    return seeds


# ---- Runs ----------------------------------------------------------------------------------

class Options:
    """What all runs of one hunt have in common."""

    def __init__(self, program, smp=0, qemu="", bios="", kernel="", chaos=False):
        self.program, self.smp = program, int(smp or SMP)
        self.qemu, self.bios, self.kernel = qemu, bios, kernel or KERNEL
        self.chaos = chaos
        self.hashes = image_hashes(qemu, bios, self.kernel)

    def replay_line(self, seed, schedule=None):
        words = ["make replay PROG=%s SEED=%d@%s" % (self.program, seed, self.hashes)]
        words += ["SMP=%d" % self.smp] if self.smp != SMP else []
        words += ["CHAOS=1"] if self.chaos else []
        words += ["SCHEDULE=%s" % (",".join(schedule) or "none")] if schedule is not None else []
        return " ".join(words)


class Run:
    """What one boot said. `verdict` and `hash` are empty if it did not get that far."""

    def __init__(self, seed, status, text):
        self.seed, self.status, self.text = seed, status, text
        self.verdict, self.event, self.ns, self.hash = "", 0, 0, ""
        self.entries = re.findall(r"^hunt-entry: (\S+)$", text, re.M)
        self.orders = 0
        for index, word in re.findall(r"^hunt-orders: (\d+) ([0-9a-f]+)$", text, re.M):
            self.orders |= int(word, 16) << 32 * int(index)
        m = re.search(r"^hunt: program=\S+ seed=\d+ harts=\d+ verdict=(\S+) event=(\d+) ns=(\d+)$",
                      text, re.M)
        h = re.search(r"^trace hash: ([0-9a-f]{16})$", text, re.M)
        if m and h:
            self.verdict, self.hash = m.group(1), h.group(1)
            self.event, self.ns = int(m.group(2)), int(m.group(3))

    @property
    def passed(self):
        return self.verdict == "pass"

    def demand_verdict(self, log):
        """Only the guest judges. A time limit of the host says nothing about the program."""
        if self.verdict:
            return self
        end = "had to be ended after %d seconds" % LAST_RESORT \
            if self.status == launcher.TIMED_OUT else \
            "ended with %s (%d)" % (launcher.exit_name(self.status), self.status)
        raise Failed("seed %d: the guest %s and gave no verdict%s" % (self.seed, end, log))

    def report(self):
        """What the kernel had to say about it, without the boot and the lines for us."""
        lines = self.text[self.text.rfind("shell: run="):].splitlines()[1:]
        return "\n".join(l for l in lines if not re.match(r"hunt(-\w+)?: |trace hash: ", l)).strip()


def boot_arguments(options, seed, schedule=None, stop=0, story=False):
    words = ["relax=turn", "watchdog=0", "shell=kernel", 'run="hunt %s"' % options.program,
             "hunt_seed=%d" % seed, "hunt_stop=%d" % stop, "hunt_story=%d" % story,
             'hunt_replay="%s"' % options.replay_line(seed)]
    if options.chaos:
        words.append("hunt_chaos=1")
    if schedule is not None:
        words.append("hunt_schedule=%s" % (",".join(schedule) or "none"))
    return " ".join(words)


def make_guest(options, seed, log, schedule=None, stop=0, story=False, gdb=None):
    """Everything on the serial line goes into a file: a pipe would change the timing."""
    return launcher.Guest(smp=options.smp, mem=MEM, kernel=options.kernel, icount=0,
                          qemu=options.qemu, bios=options.bios, serial_file=log, gdb=gdb,
                          append=boot_arguments(options, seed, schedule, stop, story),
                          timeout=0 if gdb else LAST_RESORT)


def run(options, seed, schedule=None, stop=0, story=False, tag="", guest=None):
    """One boot; what it printed stays in build/hunt/runs/."""
    os.makedirs(OUT, exist_ok=True)
    log = os.path.join(OUT, "%s-%d%s.log" % (options.program, seed, tag))
    if os.path.exists(log):
        os.unlink(log)
    guest = make_guest(options, seed, log, schedule, stop, story)
    status = guest.run()
    if status == launcher.NOT_STARTED:
        raise Failed("QEMU did not run: %s" % guest.output.strip())
    return Run(seed, status, read_log(log)).demand_verdict(": see " + os.path.relpath(log, ROOT))


def read_log(log):
    """What the guest said, if it came to say anything."""
    if not os.path.exists(log):
        return ""
    with open(log, encoding="utf-8", errors="replace", newline="") as f:
        return f.read().replace("\r", "")


def programs():
    """{name: (verdict that is expected, within how many seeds, what it is)}."""
    os.makedirs(OUT, exist_ok=True)
    log = os.path.join(OUT, "programs.log")
    if os.path.exists(log):
        os.unlink(log)
    guest = launcher.Guest(smp=1, mem=MEM, kernel=KERNEL, icount=0, serial_file=log,
                           append='relax=turn watchdog=0 shell=kernel run="hunt"',
                           timeout=LAST_RESORT)
    status = guest.run()
    found = re.findall(r"^hunt-program: (\S+) (\S+) (\d+) (.*)$", read_log(log), re.M)
    if status or not found:
        raise Failed("the kernel lists no programs and ends with %s (%d): see %s"
                     % (launcher.exit_name(status), status, os.path.relpath(log, ROOT)))
    return {name: (verdict, int(within), what) for name, verdict, within, what in sorted(found)}
