# SPDX-License-Identifier: MIT
"""Checks that compile. Each takes a Tree and returns a list of problems.

On the real tree they look at the whole kernel; on a mutant at the mutant's files, with the mutant's
folder before the tree's in the include path.
"""
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tree import ROOT

JOBS = 2
CONFIGS = ["virt64", "debug", "perf", "race", "virt32"]
CROSS = "riscv64-unknown-elf-"
CLANG = "clang-19"


def run(words, **how):
    return subprocess.run(words, cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)


_variables = {}


def variable(config, name):
    """A variable of the Makefile as a list of words."""
    if (config, name) not in _variables:
        done = run(["make", "-s", "CONFIG=" + config, "show-" + name])
        if done.returncode:
            raise RuntimeError(done.stdout)
        _variables[config, name] = shlex.split(done.stdout)
    return _variables[config, name]


def flags(config, tree):
    """How the kernel's files are compiled, a mutant's headers first."""
    first = [] if tree.root == ROOT else ["-I" + tree.root]
    return variable(config, "CFLAGS") + variable(config, "WARNINGS") + first \
        + variable(config, "INCLUDES")


def errors(output):
    found = re.findall(r"^.*(?:error|warning): .*$", output, re.M)
    return found or [output.strip()[-500:]]


# ---- Annotations ---------------------------------------------------------------------------

def clang(config, tree):
    """clang with the flags of the kernel that it knows."""
    known = [f for f in flags(config, tree) if not f.startswith("-fno-tree-loop")]
    target = "riscv%d-unknown-elf" % (32 if config == "virt32" else 64)
    return [CLANG, "--target=" + target] + known + ["-Wno-unknown-warning-option",
                                           "-Wno-unknown-attributes"]


def clang_command(config, tree, path):
    fdt = variable(config, "FDT_INCLUDES") if path.startswith("lib/") else []
    return clang(config, tree) + fdt + ["-fsyntax-only", "-ferror-limit=0", "-Wthread-safety",
                                        "-Wthread-safety-beta", os.path.join(tree.root, path)]


def annotations(tree):
    """clang finds every guarded field under its lock."""
    config = "virt64"
    if tree.root == ROOT:
        # Tests break the rules on purpose; the checker in the kernel looks at them as they run.
        paths = [s for s in variable(config, "SOURCES")
                 if s.endswith(".c") and not s.startswith("tests/")]
    else:
        paths = [p for p in tree.paths if p.endswith(".c")]
    run(["make", "-s", "CONFIG=" + config, "prepare"])
    with ThreadPoolExecutor(JOBS) as pool:
        results = pool.map(lambda p: run(clang_command(config, tree, p)), paths)
    problems = []
    for done in results:
        if done.returncode:
            problems += errors(done.stdout)
    return list(dict.fromkeys(problems))


# ---- Warnings ------------------------------------------------------------------------------

def warnings(tree):
    """gcc has nothing to say in any configuration, 32 bits included."""
    problems = []
    if tree.root == ROOT:
        for config in CONFIGS:
            done = run(["make", "-s", "-k", "-j%d" % JOBS, "CONFIG=" + config, "kernel"])
            if done.returncode or "warning:" in done.stdout:
                problems += ["%s: %s" % (config, e) for e in errors(done.stdout)]
        return problems
    for config in CONFIGS:
        run(["make", "-s", "CONFIG=" + config, "prepare"])
        for path in tree.paths:
            done = run([CROSS + "gcc"] + flags(config, tree)
                       + ["-c", "-o", "/dev/null", os.path.join(tree.root, path)])
            if done.returncode:
                problems += ["%s: %s" % (config, e) for e in errors(done.stdout)]
    return problems


# ---- Segments ------------------------------------------------------------------------------

def segments(tree):
    """The kernel's segments: never writable and executable; the lowest begins with the entry."""
    if tree.root == ROOT:
        return [p for c in CONFIGS for p in segment_problems(c, "build/%s/kernel.elf" % c)]
    problems = []
    for path in tree.some(".S"):
        elf = os.path.join(tree.root, "mutant.elf")
        options = re.search(r"link: (.*?) \*/", tree.text(path)).group(1)
        done = run([CROSS + "gcc", "-nostdlib", "-static", "-o", elf,
                    os.path.join(tree.root, path)] + shlex.split(options))
        problems += segment_problems(path, elf) if not done.returncode else [done.stdout]
    return problems


def segment_problems(what, elf):
    out = run([CROSS + "readelf", "-lW", elf]).stdout
    entry = re.search(r"Entry point (0x[0-9a-f]+)", out)
    loads = re.findall(r"LOAD +(0x\w+) (0x\w+) (0x\w+) (0x\w+) (0x\w+) ([R ][W ][E ])", out)
    if not entry or not loads:
        return ["%s: is no program" % what]
    problems = []
    for _, virtual, _, _, _, rights in loads:
        if "W" in rights and "E" in rights:
            problems.append("%s: segment at %s is writable and executable" % (what, virtual))
    offset, virtual, physical, _, size, _ = min(loads, key=lambda s: int(s[2], 16))
    if int(offset, 16) == 0 and int(size, 16):
        problems.append("%s: the ELF header is loaded" % what)
    if int(entry.group(1), 16) not in (int(virtual, 16), int(physical, 16)):
        problems.append("%s: the entry is not the lowest address" % what)
    return problems


# ---- Left out ------------------------------------------------------------------------------

# The checker, the statistics and the watch for races, by their names. Of the checker perf keeps
# lockcheck_report and what that needs: a deadlock that is there is reported in every configuration.
CHECKER = re.compile(r"check_\w+|lock_stat_\w+|lock_held_\w+|event_note_\w+|might_sleep_at"
                     r"|irqlock_\w+_checked|race_\w+|__tsan_\w+")
KEPT = "kernel/lock/check_report.c"


def symbols(path):
    """Global symbols that an object or a program has or asks for."""
    done = run([CROSS + "nm", "-g", "-P", path])
    if done.returncode:
        raise RuntimeError(done.stdout)
    return {line.split()[0] for line in done.stdout.splitlines()}


def absent(tree):
    """perf carries nothing of the lock checker, of statistics, of what watches for races."""
    config = "perf"
    if tree.root == ROOT:
        there = symbols("build/%s/kernel.elf" % config)
        left_out = variable(config, "LEFT_OUT")
        problems = ["%s: %s is not left out" % (config, s) for s in variable("virt64", "SOURCES")
                    if re.match(r"kernel/lock/(check|stat)", s) and s not in left_out + [KEPT]]
        for source in left_out:
            done = run([CROSS + "nm", "-g", "-P", "--defined-only", "build/virt64/%s.o" % source])
            problems += ["%s has %s of %s" % (config, line.split()[0], source)
                         for line in done.stdout.splitlines() if line.split()[0] in there]
    else:
        there, problems = set(), []
        run(["make", "-s", "CONFIG=" + config, "prepare"])
        for path in tree.some(".c"):
            out = os.path.join(tree.root, path + ".o")
            done = run([CROSS + "gcc"] + flags(config, tree)
                       + ["-c", "-o", out, os.path.join(tree.root, path)])
            if done.returncode:
                return errors(done.stdout)
            there |= symbols(out)
    return problems + ["%s has %s" % (config, s) for s in sorted(there) if CHECKER.fullmatch(s)]
