# SPDX-License-Identifier: MIT
"""Builds the programs of tests/fuzz with libFuzzer, the address and the undefined sanitizer.

A program is its ` * Sources:` lines and itself. All data of the kernel's sources are put into one
section, kdata, so that the program can put them back before each tree. Objects are kept, and made
again when something that they came from is newer.
"""
import concurrent.futures
import os
import re

import building
from building import Broken, call, mutate, object_of

OUT = "build/fuzz"
FDT = "build/third-party/libfdt/include"
LIBFDT = ["fdt", "fdt_ro", "fdt_rw", "fdt_sw", "fdt_wip", "fdt_addresses", "fdt_check",
          "fdt_strerror", "fdt_empty_tree"]
# Small tables are full sooner. Checks and statistics of locks are no matter of trees.
CONFIG = OUT + "/config.h"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COVER = "-fsanitize=fuzzer-no-link"
FLAGS = ["-std=gnu17", "-O1", "-gline-tables-only", "-fno-strict-aliasing",
         "-fno-omit-frame-pointer", "-fno-pie", "-Wall", "-Wextra", "-Werror",
         "-Wno-unknown-pragmas", "-I" + OUT, "-include", CONFIG, "-Itests/fuzz/include",
         "-Itests/host/include", "-I.", "-isystem", FDT]
# Ours beside libc's: memcpy becomes lib_memcpy, and so on.
RENAMED = ("lib/string.c", "lib/printf.c")


def sources(program):
    text = open("tests/fuzz/%s.c" % program).read().split("*/")[1]
    listed = " ".join(re.findall(r"^ \* Sources: (.*)", text, re.M)).split()
    return ["tests/fuzz/%s.c" % program] + listed


def stale(out, depends):
    """Whether `out` has to be made, from what its .d file and `depends` name."""
    if not os.path.exists(out):
        return True
    made = os.path.getmtime(out)
    listed = out[:-2] + ".d"
    if os.path.exists(listed):
        depends = depends + re.sub(r"^[^:]*:|\\\n", "", open(listed).read()).split()
    return any(not os.path.exists(d) or os.path.getmtime(d) > made for d in depends)


def compile_c(source, out, text=None, extra=()):
    """Compiles the source, or `text` in its place."""
    os.makedirs(os.path.dirname(out), exist_ok=True)
    if text is None and not stale(out, [source, CONFIG, __file__]):
        return out
    words = ["clang-19", *FLAGS, *SANITIZE, *extra, "-MMD", "-MF", out[:-2] + ".d"]
    # The fuzzer is led by what is new in the kernel's sources alone.
    words += [COVER] if is_kernel(source) else []
    if source in RENAMED:
        words += ["-include", "tests/host/include/host/rename.h"]
    if text is not None:
        changed = out[:-2] + ".c"
        with open(changed, "w") as f:
            f.write('#line 1 "%s"\n%s' % (source, text))
        source = changed
    call(words + ["-c", source, "-o", out])
    return out


def compile_libfdt(name):
    out = "%s/libfdt/%s.o" % (OUT, name)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    source = "%s/%s.c" % (FDT, name)
    if stale(out, [source, __file__]):
        call(["clang-19", "-O2", "-gline-tables-only", "-w", "-fno-pie", "-fsanitize=address",
              "-I" + FDT, "-c", source, "-o", out])
    return out


def is_kernel(source):
    return not source.startswith("tests/")


def link(program, objects, out):
    """objects: {source: object file}, libfdt among them."""
    whole, script = out + ".kernel.o", out + ".ld"
    with open(script, "w") as f:
        f.write("SECTIONS { kdata : { *(.data .data.[!r]* .bss .bss.* COMMON) } }\n")
    call(["ld", "-r", "--force-group-allocation", "-T", script, "-o", whole,
          *[o for s, o in objects.items() if is_kernel(s)]])
    rest = [o for s, o in objects.items() if not is_kernel(s)]
    # What no tree gets to is not linked: a call of it is one of address 0, which is a finding.
    call(["clang-19", "-no-pie", "-fsanitize=fuzzer,address,undefined",
          "-Wl,--unresolved-symbols=ignore-all", *rest, whole, "-o", out])
    os.unlink(whole)
    os.unlink(script)
    return out


def build(program, jobs=2):
    """The program; nothing is done that was done before."""
    folder, out = "%s/objects" % OUT, "%s/%s" % (OUT, program)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        made = {s: pool.submit(compile_c, s, object_of(folder, s))
                for s in sources(program) if s != "libfdt"}
        if "libfdt" in sources(program):
            made.update({"tests/libfdt/" + n: pool.submit(compile_libfdt, n) for n in LIBFDT})
        objects = {s: m.result() for s, m in made.items()}
    if stale(out, list(objects.values())):
        link(program, objects, out)
    return out


def build_mutant(program, name, path, old, new):
    """The program with one source changed; the rest is the good one's."""
    folder = "%s/mutants/%s" % (OUT, name)
    objects = {s: object_of(OUT + "/objects", s) for s in sources(program) if s != "libfdt"}
    if "libfdt" in sources(program):
        objects.update({"tests/libfdt/" + n: "%s/libfdt/%s.o" % (OUT, n) for n in LIBFDT})
    objects[path] = compile_c(path, object_of(folder, path),
                              mutate(open(path).read(), path, old, new), ["-w"])
    return link(program, objects, folder + "/" + program)


def configure():
    building.configure(OUT)
