# SPDX-License-Identifier: MIT
"""The one place that knows how QEMU is started.

tests/qemu/run is this as a command; the test runner, pytest and the benches import it:

	guest = Guest(smp=4, append='run="harts"')
	status = guest.run()		# QEMU's exit status
	text = guest.output

A guest ends by itself, through the `sifive,test` device; `timeout` is a last resort only and gives
TIMED_OUT. QEMU never outlives its guest object: it is reaped by its own pid, also on ^C.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Outside the kernel's table of statuses (kernel/abi/exit.h), and what timeout(1) uses.
TIMED_OUT = 124		# the last resort
NOT_STARTED = 125	# QEMU itself refused, or somebody ended it by a signal
LIMIT = 1200		# seconds, where nothing else is said and nobody sits at the terminal

QEMU_LEAST = (7, 2)
SMP_MAX = 512		# of QEMU's machine
# How many harts each OpenSBI was seen to carry on QEMU's virt machine.
CARRIES = {(1, 1): 128, (1, 3): 128, (1, 5): 32, (1, 6): 96, (1, 7): 96}
BANNER_LIMIT = 60	# seconds until OpenSBI has said its name, a last resort
SILENCE = 30		# seconds without a word from the firmware until the user gets a hint


class CannotStart(Exception):
    pass


def exit_names():
    """{status: name} of kernel/abi/exit.h: EXIT_STACK_OVERFLOW = 23 gives 23: 'stack-overflow'."""
    names = {TIMED_OUT: "timed-out", NOT_STARTED: "not-started"}
    with open(os.path.join(ROOT, "kernel/abi/exit.h")) as header:
        for name, number in re.findall(r"\bEXIT_([A-Z0-9_]+)\s*=\s*(\d+)", header.read()):
            names[int(number)] = name.lower().replace("_", "-")
    return names


def exit_name(status):
    return exit_names().get(status, "unknown")


def exit_status(name):
    return next(status for status, known in exit_names().items() if known == name)


def number(text, what, low, high):
    if not re.fullmatch(r"[0-9]+", str(text)) or not low <= int(text) <= high:
        raise CannotStart("%s=%s: a number from %d to %d is wanted" % (what, text, low, high))
    return int(text)


def seconds(text):
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(text)):
        raise CannotStart("TIMEOUT=%s: a number of seconds is wanted" % text)
    return float(text)


def memory(text):
    """MEM=1G, 512M or a number of MiB, as QEMU's -m understands it."""
    if not re.fullmatch(r"[0-9]+[MG]?", str(text)):
        raise CannotStart("MEM=%s: a size such as 64M or 2G is wanted" % text)
    return str(text)


def said_by(words):
    """What a program that takes no input prints, or None if it does not run to an end."""
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              errors="replace", stderr=subprocess.STDOUT, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None


def qemu_version(qemu):
    """(major, minor, micro), or None if it is no QEMU."""
    m = re.search(r"QEMU emulator version (\d+)\.(\d+)(?:\.(\d+))?",
                  said_by([qemu, "--version"]) or "")
    return tuple(int(n or 0) for n in m.groups()) if m else None


def qemu_fault(qemu):
    """Why this program cannot run the kernel, or None."""
    found = qemu_version(qemu)
    if not found:
        return "it is no QEMU that runs"
    if found < QEMU_LEAST:
        return "this is %s, 7.2 or newer is needed" % ".".join(map(str, found))
    if not re.search(r"\brv64\b", said_by([qemu, "-cpu", "help"]) or ""):
        return "it is a QEMU for other processors than riscv64"
    return None


def demand_qemu(qemu):
    """An old QEMU would hang without a word."""
    fault = qemu_fault(qemu)
    if fault:
        raise CannotStart("%s: %s; `make doctor` says what to do" % (qemu, fault))


def opensbi(qemu, bios=None):
    """The firmware's version, None if it is not OpenSBI, and what it printed: started alone."""
    words = [qemu, "-M", "virt", "-display", "none", "-nodefaults", "-serial", "stdio",
             "-bios", bios or "default"]
    guest = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    limit = threading.Timer(BANNER_LIMIT, guest.kill)
    limit.start()
    text, found = "", None
    try:
        for raw in guest.stdout:
            text += raw.decode("utf-8", "replace")
            found = re.search(r"OpenSBI v?(\d+)\.(\d+)(?:\.(\d+))?", text)
            if found:
                break
    finally:
        limit.cancel()
        guest.kill()
        guest.wait()
        guest.stdout.close()
    return found and tuple(int(n) for n in found.groups() if n), text


def warn_of_firmware(guest):
    """Newer OpenSBI says nothing at all if there are more harts than it carries."""
    if guest.smp <= min(CARRIES.values()):
        return
    found, _ = opensbi(guest.qemu, guest.bios)
    carried = CARRIES.get(found[:2]) if found else None
    if carried and guest.smp > carried:
        print("SMP=%d: OpenSBI %s carries %d harts; perhaps it does not even start."
              % (guest.smp, ".".join(map(str, found)), carried), file=sys.stderr, flush=True)


# MiB of two nodes, and of the machine: the second one is above the first 4 GiB of addresses.
FAR_NODES = (2048, 512)
FAR_MEM = "%dM" % sum(FAR_NODES)


def two_nodes(harts, mibs=(512, 512)):
    """More of QEMU's own arguments, for a machine with two NUMA nodes: half of the harts are in
    each, and an interrupt controller, which does not reach the other's harts."""
    extra = []
    for node, (first, mib) in enumerate(zip((0, harts // 2), mibs)):
        extra += ["-object", "memory-backend-ram,size=%dM,id=m%d" % (mib, node), "-numa",
                  "node,memdev=m%d,cpus=%d-%d" % (node, first, first + harts // 2 - 1)]
    return extra


def icount_args(shift):
    """Instruction counting: time is a function of what the guest executes, bit for bit."""
    return ["-icount", "shift=%d,sleep=off" % number(shift, "icount", 0, 10), "-seed", "1",
            "-rtc", "base=2025-01-01,clock=vm"]


class Guest:
    """One boot. All arguments are optional; an empty string is the same as none.

    smp, mem, cpu, dtb, bios, qemu	as the words of make
    append		boot arguments, passed on as they are
    config, kernel	build/CONFIG/kernel.elf, or another kernel
    icount		shift of instruction counting (deterministic at smp=1)
    gdb			port to wait on for gdb before the first instruction
    serial_file		the serial line is written there, read by run() when QEMU has ended
    extra		more of QEMU's own arguments
    timeout		last resort in seconds
    """

    def __init__(self, smp="", mem="", append="", config="", kernel="", cpu="", dtb="", bios="",
                 qemu="", icount=None, gdb=None, serial_file=None, extra=(), timeout=None):
        self.smp = number(smp or 1, "SMP", 1, SMP_MAX)
        self.mem = memory(mem or "1G")
        self.append, self.cpu, self.dtb, self.bios = append or "", cpu, dtb, bios
        self.qemu = qemu or "qemu-system-riscv64"
        self.kernel = kernel or os.path.join(ROOT, "build", config or "virt64", "kernel.elf")
        self.icount, self.gdb = icount, gdb
        self.serial_file = serial_file
        self.serial_args = ["-serial", "file:%s" % serial_file if serial_file else "stdio"]
        self.extra = list(extra)
        self.timeout = LIMIT if timeout in (None, "") else seconds(timeout)
        self.process = None
        self.output = ""
        self.timed_out = False
        self._limit = None

    def command(self):
        """QEMU's argument list."""
        if not shutil.which(self.qemu):
            raise CannotStart("%s: not found; `make doctor` says what to do" % self.qemu)
        for what, path in (("kernel", self.kernel), ("DTB", self.dtb)):
            if path and not os.path.exists(path):
                raise CannotStart("%s %s: there is no such file" % (what, path))
        # A name without a folder is one of QEMU's own.
        if self.bios and os.sep in self.bios and not os.path.isfile(self.bios):
            raise CannotStart("BIOS %s: there is no such file" % self.bios)
        words = [self.qemu, "-M", "virt", "-smp", str(self.smp), "-m", self.mem,
                 "-display", "none", "-nodefaults", "-monitor", "none",
                 "-bios", self.bios or "default", "-kernel", self.kernel]
        if self.append:
            words += ["-append", self.append]
        if self.cpu:
            words += ["-cpu", self.cpu]
        if self.dtb:
            words += ["-dtb", self.dtb]
        if self.icount is not None:
            words += icount_args(self.icount)
        if self.gdb:
            words += self.gdb_args()
        return words + self.serial_args + self.extra

    def gdb_args(self):
        where = "tcp:127.0.0.1:%s" % self.gdb
        if not str(self.gdb).isdigit():
            where = "chardev:gdb"
            return ["-S", "-chardev", "socket,id=gdb,server=on,wait=off,path=%s" % self.gdb,
                    "-gdb", where]
        return ["-S", "-gdb", where]

    # ---- Life ------------------------------------------------------------------------------

    def start(self, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
              **how):
        """Starts QEMU; the last resort begins to run."""
        words = self.command()
        if shutil.which("setpriv"):
            # Not even a killed launcher leaves its QEMU behind.
            words = ["setpriv", "--pdeathsig", "KILL"] + words
        self.process = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=stderr, **how)
        if self.timeout:
            self._limit = threading.Timer(self.timeout, self._expire)
            self._limit.daemon = True
            self._limit.start()
        return self.process

    def _expire(self):
        self.timed_out = True
        self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()

    def wait(self):
        """QEMU's end: its status, TIMED_OUT or NOT_STARTED."""
        try:
            status = self.process.wait()
        finally:
            self.close()
        if self.timed_out:
            return TIMED_OUT
        # 1 is QEMU's own complaint about its arguments; below 0 a signal ended it. One that asks
        # it to end makes it return 0 and say so.
        told_to_end = re.search(r"^qemu-system\S*: terminating on signal", self.output, re.M)
        return NOT_STARTED if status == 1 or status < 0 or told_to_end else status

    def close(self):
        """Reaps QEMU, whatever happened. May be called again."""
        if self._limit:
            self._limit.cancel()
        if self.process:
            self.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, each_line=None):
        """Runs to the end without input; each_line sees what goes to `output`, as it comes or,
        with a serial file, at the end."""
        def listen(lines):
            for raw in lines:
                line = raw.decode("utf-8", "replace").replace("\r", "")
                self.output += line
                if each_line:
                    each_line(line.rstrip("\n"))

        self.start()
        try:
            listen(self.process.stdout)
            status = self.wait()
            if self.serial_file and os.path.exists(self.serial_file):
                with open(self.serial_file, "rb") as f:
                    listen(f)
        except BaseException:
            self.close()
            raise
        return status


class Terminal:
    """The user's terminal, put back as it was however the guest ends."""

    def __init__(self):
        self.saved = None

    def __enter__(self):
        if sys.stdin is not None and sys.stdin.isatty():
            import termios
            self.saved = termios.tcgetattr(sys.stdin.fileno())
        return self

    def __exit__(self, *_):
        if self.saved:
            import termios
            # A background process group may not touch the terminal without this.
            old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self.saved)
            signal.signal(signal.SIGTTOU, old)


def with_colour(append):
    """`color=1` where the user can see it, unless the boot arguments say something else."""
    shown = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if shown and not re.search(r"(^|\s)color=", append) and not os.environ.get("NO_COLOR"):
        return (append + " color=1").strip()
    return append


def ends_line(log):
    """Whether what the log holds ends with a newline."""
    try:
        with open(log, "rb") as f:
            f.seek(0, os.SEEK_END)
            if f.tell() == 0:
                return True
            f.seek(-1, os.SEEK_END)
            return f.read() == b"\n"
    except OSError:
        return True


def hint_at_silence(guest, log):
    """Firmware says its name first: without it, not even the kernel's clear lines will come."""
    said = os.path.exists(log) and os.path.getsize(log)
    if guest.process.poll() is None and not said:
        end = "Ctrl-A x ends it" if sys.stdin is not None and sys.stdin.isatty() else "^C ends it"
        print("Nothing was said for %d seconds: perhaps the firmware does not carry %d harts, or is"
              " not OpenSBI.\r\n`make doctor` looks at it; %s." % (SILENCE, guest.smp, end),
              file=sys.stderr, end="\r\n", flush=True)


def interactive(guest, log=None):
    """The guest on this terminal: the serial line is standard input and output, kept in `log` too.

    On a terminal every key but Ctrl-A goes to the guest; Ctrl-A x ends QEMU, Ctrl-A c is QEMU's
    monitor and back. Where input is no terminal it is passed on as it is.
    """
    on_terminal = sys.stdin is not None and sys.stdin.isatty()
    line = "stdio,id=line,signal=off" + (",mux=on" if on_terminal else "")
    if log:
        line += ",logfile=" + log.replace(",", ",,")
        if os.path.exists(log):
            os.unlink(log)
    guest.serial_args = ["-chardev", line, "-serial", "chardev:line"]
    if on_terminal:
        guest.serial_args += ["-mon", "chardev=line"]
    sys.stdout.flush()
    hint = threading.Timer(SILENCE, hint_at_silence, (guest, log))
    hint.daemon = True
    with Terminal():
        guest.start(stdin=None if sys.stdin else subprocess.DEVNULL, stdout=None, stderr=None)
        if log:
            hint.start()
        try:
            return guest.wait()
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        finally:
            hint.cancel()
