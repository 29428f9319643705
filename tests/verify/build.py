# SPDX-License-Identifier: MIT
"""Builds the programs of tests/verify: see machine.h for what they are.

A program is its ` * Sources:` lines, itself and the machine. The kernel's objects are compiled once
for both tools. For relacy they are linked into one object whose data are in one section, so that
they can be put back before each execution.
"""
import concurrent.futures
import os
import re

import building
from building import Broken, call, mutate, object_of

OUT = "build/verify"
HARTS = {"threads": 4, "relacy": 3}
# The configuration is `perf`, in which checks and statistics are compiled out: each of their
# accesses is one more that could order what should be ordered by the lock.
CONFIG = OUT + "/config.h"
DEFINES = ["-I" + OUT, "-include", CONFIG]
FLAGS = ["-std=gnu17", "-O1", "-g", "-fno-strict-aliasing", "-fno-omit-frame-pointer", "-fno-pie",
         "-Wall", "-Wextra", "-Werror", "-Wno-tsan", "-Wno-unknown-pragmas"]
INCLUDES = ["-Itests/verify/include", "-Itests/host/include", "-I."]
TSAN = "-fsanitize=thread"


def sources(program):
    """The program, and what the heads of its sources name, and theirs."""
    found = ["tests/verify/program_%s.c" % program]
    for path in found:
        if not path.startswith("tests/"):
            continue
        for line in open(path).read().split("*/")[1].splitlines():
            m = re.match(r" \* Sources: (.*)", line)
            found += [s for s in (m.group(1).split() if m else []) if s not in found]
    return found


def compile_c(source, out, harts, extra=(), includes=()):
    call(["gcc", *FLAGS, *DEFINES, "-DHARTS=%d" % harts, *extra, *includes, *INCLUDES,
          "-c", source, "-o", out])


def machine(tool):
    """The objects of the machine itself, in the folder of its tool."""
    folder = "%s/%s" % (OUT, tool)
    if tool == "threads":
        return ["%s/machine.o" % folder, "%s/machine_threads.o" % folder]
    return ["%s/machine.o" % folder, "%s/machine_relacy.o" % folder]


def build_machine(tool):
    harts = HARTS[tool]
    shared, own = machine(tool)
    os.makedirs("%s/%s" % (OUT, tool), exist_ok=True)
    compile_c("tests/verify/machine.c", shared, harts)
    if tool == "threads":
        compile_c("tests/verify/machine_threads.c", own, harts, [TSAN])
        return
    # relacy's headers are not free of warnings.
    call(["g++", "-std=gnu++17", "-O2", "-g", "-w", "-fno-pie", *DEFINES, "-DHARTS=%d" % harts,
          "-I.", "-c", "tests/verify/machine_relacy.cc", "-o", own])


def link(tool, objects, out):
    shared, own = machine(tool)
    if tool == "threads":
        call(["gcc", "-no-pie", TSAN, *objects, shared, own, "-lpthread", "-o", out])
        return
    whole = out + ".whole.o"
    call(["ld", "-r", "-o", whole, *objects, shared])
    for section in (".bss", ".data"):
        call(["objcopy", "--set-section-flags", section + "=alloc,load,contents,data",
              "--rename-section", section + "=kdata,alloc,load,contents,data", whole])
    call(["g++", "-no-pie", whole, own, "-o", out])


def build_program(program, tool):
    folder = "%s/%s/%s" % (OUT, tool, program)
    os.makedirs(folder, exist_ok=True)
    objects = []
    for source in sources(program):
        objects.append(object_of(folder, source))
        compile_c(source, objects[-1], HARTS[tool], [TSAN])
    link(tool, objects, folder + "/program")
    return folder + "/program"


def build_mutant(program, tool, name, edit):
    """The program with one source changed; the rest is taken from the good one."""
    path = edit[0]
    good = "%s/%s/%s" % (OUT, tool, program)
    folder = "%s.mutants/%s" % (good, name)
    changed = os.path.join(folder, path)
    os.makedirs(os.path.dirname(changed), exist_ok=True)
    with open(changed, "w") as f:
        f.write(mutate(open(path).read(), path, *edit[1:]))
    objects = []
    for source in sources(program):
        if source != path and path.endswith(".c"):
            objects.append(object_of(good, source))
            continue
        objects.append(object_of(folder, source))
        compile_c(changed if source == path else source, objects[-1], HARTS[tool], [TSAN, "-w"],
                  ["-I" + folder])
    link(tool, objects, folder + "/program")
    return folder + "/program"


def prepare(pairs, jobs):
    """What the runs of `pairs` (subject, tool) need before they begin."""
    pairs = sorted((s, t) for s, t in pairs if t != "spin")
    building.configure(OUT)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(build_machine, sorted({t for _, t in pairs})))
        list(pool.map(lambda p: build_program(*p), pairs))
