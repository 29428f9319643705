# SPDX-License-Identifier: MIT
"""The kinds of lock that are tortured, and their twins, as the sources name them."""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def twins_by_kind():
    """{kind: [twin, ...]}, of every TORTURE(KIND, DEFECTS, ...)."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/torture/*.c"))):
        with open(path) as source:
            for kind, twins in re.findall(r"^TORTURE\((\w+),\s*([A-Z_|\s]+),", source.read(), re.M):
                found[kind] = re.findall(r"[a-z_]+", twins.lower())
    return found


def names():
    """KIND of each kind, KIND.TWIN of each twin."""
    return [name for kind, twins in twins_by_kind().items()
            for name in [kind] + ["%s.%s" % (kind, t) for t in twins]]


def chosen(word):
    """The names that `word` stands for, as the command torture understands it."""
    kind, dot, twin = word.partition(".")
    kind = "" if kind == "all" else kind
    return [n for n in names() if n.startswith(kind) and
            (not dot or n.partition(".")[1] and n.partition(".")[2].startswith(twin))]
