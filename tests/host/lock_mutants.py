#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Broken irqlocks that tests/host/test_irqlock.c must catch, under the thread sanitizer.

Each mutant changes one place of kernel/lock/ in a copy. It is caught if the test program fails or
hangs: a lost wake-up leaves all of its threads asleep, because nothing but a kick ends a sleep. (No
verdict by the clock: on a busy machine the program is slow, but not asleep.) The unchanged sources
must pass. Prints a line a mutant and `N passed, N failed`; arguments select mutants by name.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASLEEP = 20         # looks, a second apart, that must all find every thread asleep

# name: (file, what stands there, what the mutant says)
MUTANTS = {
    "release_relaxed": ("irqlock.h", "~(IRQLOCK_LOCKED | IRQLOCK_KICK), release)",
                        "~(IRQLOCK_LOCKED | IRQLOCK_KICK), relaxed)"),
    "acquire_relaxed": ("irqlock.h", "&free, IRQLOCK_LOCKED, acquire)",
                        "&free, IRQLOCK_LOCKED, relaxed)"),
    "newcomer_relaxed": ("irqlock.c", "word, taken, acquire))", "word, taken, relaxed))"),
    "head_relaxed": ("irqlock.c", "&word, taken, acquire))", "&word, taken, relaxed))"),
    "kick_not_taken": ("irqlock.h", "~(IRQLOCK_LOCKED | IRQLOCK_KICK)", "~IRQLOCK_LOCKED"),
    "kick_not_sent": ("park.c", "if (named)", "if (named > 1000)"),
    "successor_not_named": ("irqlock.c", "ASLEEP | KICK_OF(successor->index), relaxed",
                            "ASLEEP, relaxed"),
    "fifo_steals": ("irqlock.c", "return policy == IRQLOCK_QUEUE && (word & ASLEEP)",
                    "return (word & ASLEEP)"),
    "look_before_clear": ("park.c", """		mail |= relax_take_ipi();
		if (atomic_load_u32(state, acquire) != parked)
			break;
""", """		if (atomic_load_u32(state, acquire) != parked)
			break;
		mail |= relax_take_ipi();
"""),
    "interrupts_early": ("context.h", "if (--h->irq_depth == 0) {", "if (--h->irq_depth <= 1) {"),
    "writer_release_relaxed": ("irqrwlock.c", "~(WRITER | KICK_MASK), release)",
                               "~(WRITER | KICK_MASK), relaxed)"),
    "reader_release_relaxed": ("irqrwlock.c", "&word, left, release))", "&word, left, relaxed))"),
    "reader_ignores_writer": ("irqrwlock.c", "passing ? WRITER : WRITER | ASKED",
                              "passing ? 0 : WRITER | ASKED"),
    "last_reader_keeps_kick": ("irqrwlock.c", "left &= ~KICK_MASK;", "left |= 0;"),
    "seqlock_never_retries": ("seqlock.h", "relaxed) != start)", "relaxed) != start && false)"),
}


def sources():
    words = []
    for line in (ROOT / "tests/host/test_irqlock.c").read_text().splitlines()[:40]:
        if line.startswith(" * Sources:"):
            words += line.split(":")[1].split()
    return ["tests/host/test_irqlock.c"] + words


def all_asleep(pid):
    states = []
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            states.append(stat.read_text().rsplit(")", 1)[1].split()[0])
        except OSError:
            return False
    return all(state == "S" for state in states)


def caught(name):
    """Builds the copy with mutant `name` (None: unchanged) and runs it."""
    with tempfile.TemporaryDirectory() as tmp:
        copy = pathlib.Path(tmp)
        for folder in ("kernel", "lib", "tests/host"):
            shutil.copytree(ROOT / folder, copy / folder)
        if name:
            file, there, mutant = MUTANTS[name]
            path = copy / "kernel/lock" / file
            text = path.read_text()
            if text.count(there) < 1:
                raise SystemExit(f"{name}: `{there}` is not in {file} any more")
            path.write_text(text.replace(there, mutant))
        program = copy / "program"
        subprocess.run(
            ["gcc", "-std=gnu17", "-O1", "-g", "-fno-strict-aliasing", "-fsanitize=thread", "-w",
             "-DROUNDS=1500", "-DCONFIG_MAX_HARTS=128", "-DCONFIG_LOCKCHECK=0",
             "-DCONFIG_LOCKSTAT=1", "-DCONFIG_DEBUG=1", "-DCONFIG_HZ=100", "-Itests/host/include",
             "-I.", *sources(), "-o", str(program), "-lcmocka", "-lpthread"],
            cwd=copy, check=True)
        env = dict(os.environ, TSAN_OPTIONS="halt_on_error=1 exitcode=66")
        child = subprocess.Popen(["setarch", "-R", str(program)], env=env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        looks = 0
        while looks < ASLEEP:
            try:
                status = child.wait(timeout=1)
                return f"status {status}" if status else None
            except subprocess.TimeoutExpired:
                looks = looks + 1 if all_asleep(child.pid) else 0
        child.kill()
        child.wait()
        return "hangs"


def main():
    failed = passed = 0
    wanted = [n for n in MUTANTS if not sys.argv[1:] or any(a in n for a in sys.argv[1:])]
    for name in [None] + wanted:
        how = caught(name)
        good = bool(how) == bool(name)
        passed += good
        failed += not good
        print("ok    " if good else "FAILED", f"lock_mutants/{name or 'unchanged'}",
              f"({how or 'passes'})", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
