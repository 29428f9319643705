# SPDX-License-Identifier: MIT
"""What the builders of host programs have in common (tests/verify, tests/fuzz): calling a tool, the
names of objects, the configuration that the kernel's sources see, and a source with one change.
"""
import os

import children

LAST_RESORT = 900	# seconds for one call of a compiler
SMALL = """\
#include "generated/autoconf.h"
#undef CONFIG_MAX_HARTS
#define CONFIG_MAX_HARTS 8
"""


class Broken(Exception):
    """A tool did not do its work; the text says which."""


def call(words):
    done = children.run(words, LAST_RESORT)
    if done.returncode:
        raise Broken("%s\n%s" % (" ".join(words), done.stdout))
    return done.stdout


def object_of(folder, source):
    return "%s/%s.o" % (folder, os.path.splitext(source)[0].replace("/", "_"))


def mutate(text, where, old, new, times=1):
    """The text with `old`, which must be there `times` times, replaced."""
    if text.count(old) != times:
        raise Broken("%s has this %d times, not %d:\n%s" % (where, text.count(old), times, old))
    return text.replace(old, new)


def configure(out):
    """The `perf` configuration with tables for few harts, as `out`/config.h. Written only if it
    changes: objects are as old as it."""
    os.makedirs(out + "/generated", exist_ok=True)
    call(["/usr/bin/python3", "configs/autoconf.py", "configs/Kconfig", out + "/.config",
          out + "/generated", "--defconfig", "configs/perf_defconfig"])
    path = out + "/config.h"
    if not os.path.exists(path) or open(path).read() != SMALL:
        with open(path, "w") as f:
            f.write(SMALL)
