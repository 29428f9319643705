# SPDX-License-Identifier: MIT
"""Checks that read the sources. Each takes a Tree and returns a list of problems."""
import os
import re
import subprocess

from tree import CODE

# ---- Includes ------------------------------------------------------------------------------

# Rooms of kernel/ from the lowest to the highest; rooms of one row may include each other.
ORDER = [["abi"], ["lock"], ["hart", "time", "irq", "log"], ["sched"], ["wait"], ["mm"], ["task"],
         ["block"], ["fs", "net"], ["syscall"], ["panic", "shell"], ["main.c"]]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
# Headers of kernel/ itself are for everybody.
ROOT_HEADER = re.compile(r"kernel/[a-z_]+\.h$")
# What arch/ may see of the kernel: the border, and plain data.
ARCH_SEES = re.compile(r"kernel/([a-z_]+\.h|abi/[a-z_]+\.h|hart/(hart|mask)\.h|sched/thread\.h|"
                       r"lock/(atomic|context|annotate|rank)\.h)$")
FREESTANDING = {"<stdarg.h>", "<stdbool.h>", "<stddef.h>", "<stdint.h>", "<stdnoreturn.h>",
                "<limits.h>", "<stdalign.h>", "<iso646.h>", "<float.h>"}


def includer_rule(path):
    """(what the folder is called, predicate over included paths); None: may include anything."""
    if path.startswith("lib/"):
        return "lib", lambda p: p.startswith("lib/")
    if path.startswith("arch/"):
        return "arch", lambda p: (p.startswith(("lib/", "arch/", "generated/"))
                                  or ARCH_SEES.match(p) is not None)
    if path.startswith("drivers/"):
        return "drivers", lambda p: p.startswith(("lib/", "kernel/", "drivers/"))
    if path.startswith("user/recipes/"):
        return "recipes", lambda p: p.startswith("lib/")
    if path.startswith("user/"):
        return "user", lambda p: p.startswith(("user/", "kernel/abi/"))
    if path.startswith("kernel/"):
        return "kernel", lambda p: p.startswith(("lib/", "kernel/"))
    return None


def layers(tree):
    """Includes name the whole path and point downwards."""
    problems = []
    for path in tree.some(*CODE, ".S"):
        for n, line in enumerate(tree.lines(path), 1):
            m = re.match(r"\s*#\s*include\s+(\"[^\"]+\"|<[^>]+>)", line)
            if not m:
                continue
            wrong = include_problem(tree, path, m.group(1))
            if wrong:
                problems.append("%s:%d: %s %s" % (path, n, m.group(1), wrong))
    return problems


def include_problem(tree, path, included):
    rule = includer_rule(path)
    if included.startswith("<"):
        ours = rule is not None and included not in FREESTANDING
        if ours and not (path.startswith(("lib/", "user/recipes/")) and included == "<libfdt.h>"):
            return "is no header of a freestanding compiler"
        return None
    name = included.strip('"')
    if name.startswith("arch/") and path == "kernel/arch.h":
        return None
    if path.endswith("atomic.h") and name in ("kernel/lock/atomic_host.h",):
        return None
    if not (tree.exists(name) or name.startswith("generated/")
            or tree.exists("arch/riscv/include/" + name)
            or path.startswith("tests/host/") and tree.exists("tests/host/include/" + name)):
        return "is no whole path from the top of the tree"
    if rule is None:
        return None
    if not rule[1](name):
        return "may not be included by %s" % rule[0]
    if path.startswith("kernel/") and name.startswith("kernel/") and not ROOT_HEADER.match(name):
        return upwards(path, name)
    return None


def upwards(path, name):
    own, other = path.split("/")[1], name.split("/")[1]
    if ROOT_HEADER.match(path):
        own = "lock"	# a header for everybody stands on the lowest rooms alone
    for room, where in ((own, path), (other, name)):
        if room not in LEVEL:
            return "is in or for a room that the order of kernel/ does not have (%s)" % where
    if LEVEL[other] > LEVEL[own]:
        return "points upwards: %s stands above %s" % (other, own)
    return None


# ---- Sizes ---------------------------------------------------------------------------------

FILE_MAX, FUNCTION_MAX, LINE_MAX, NESTING_MAX = 500, 70, 100, 3
# What runs has no ending: `run` of a folder and those beside it.
TEXT = CODE + (".S", ".pml", ".py", ".sh", ".mk", "Makefile", "Kconfig", "/run", "/doctor",
               "/lockdiff", "/recipe")


def width(line):
    return len(line.expandtabs(8))


def sizes(tree):
    """SPDX line, length of files, functions and lines, depth of functions."""
    problems = []
    for path in tree.some(*TEXT):
        lines = tree.lines(path)
        first = lines[1] if lines and lines[0].startswith("#!") and len(lines) > 1 else \
            (lines or [""])[0]
        if "SPDX-License-Identifier: MIT" not in first:
            problems.append("%s:1: does not begin with its SPDX line" % path)
        if len(lines) > FILE_MAX:
            problems.append("%s: has %d lines, %d are the most" % (path, len(lines), FILE_MAX))
        for n, line in enumerate(lines, 1):
            if width(line) > LINE_MAX:
                problems.append("%s:%d: has %d columns, %d are the most"
                                % (path, n, width(line), LINE_MAX))
        if path.endswith(CODE):
            problems += long_functions(path, lines)
            problems += deep_functions(path, code_only(tree.text(path)).splitlines())
    return problems


def long_functions(path, lines):
    begin = None
    for n, line in enumerate(lines, 1):
        if line == "{":
            begin = n
        elif line.startswith("}") and begin:
            if n - begin - 1 > FUNCTION_MAX:
                yield "%s:%d: function of %d lines, %d are the most" \
                    % (path, begin, n - begin - 1, FUNCTION_MAX)
            begin = None


def deep_functions(path, lines):
    """Blocks inside blocks of a function, the function's own not counted."""
    depth, inside = 0, False
    for n, line in enumerate(lines, 1):
        if line == "{":
            depth, inside = 0, True
        elif line.startswith("}"):
            inside = False
        elif inside:
            depth += line.count("{")
            if depth > NESTING_MAX:
                yield "%s:%d: %d levels of nesting, %d are the most" \
                    % (path, n, depth, NESTING_MAX)
                inside = False
            depth -= line.count("}")


# ---- Words ---------------------------------------------------------------------------------

def strip_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def code_only(text):
    """The text with comments, strings and characters blanked, lines kept."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text,
                  flags=re.S)


ATOMICS_HOME = re.compile(r"kernel/lock/atomic(_[a-z]+)?\.h$")


def words(tree):
    """Words that may not stand where they stand."""
    problems = []

    def flag(path, text, pattern, message):
        for m in re.finditer(pattern, text):
            problems.append("%s:%d: %s" % (path, text.count("\n", 0, m.start()) + 1, message))

    for path in tree.some(*TEXT):
        if path.startswith("tests/check/"):
            continue	# which must spell them to find them
        flag(path, tree.text(path), r"\b(TODO|FIXME|XXX|HACK)\b", "an unfinished thing")
    for path in tree.c():
        code = code_only(tree.text(path))
        if not ATOMICS_HOME.match(path):
            flag(path, code, r"\b(__atomic_\w+|__sync_\w+|_Atomic|atomic_thread_fence)\b",
                 "atomics come from kernel/lock/atomic.h alone")
            flag(path, code, r"#\s*include\s*<stdatomic\.h>",
                 "atomics come from kernel/lock/atomic.h alone")
        # racy_read marks what is looked at without order, and says why.
        if not path.startswith(("arch/", "drivers/", "tests/host/", "tests/bench/",
                                "kernel/lock/race.h")):
            flag(path, code, r"(?<!asm )(?<!__asm__ )\bvolatile\b",
                 "volatile shares nothing: use atomics")
        # Those of many harts live-lock in OpenSBI, and spin for ever under icount.
        flag(path, code, r"\bsbi_call\(\s*SBI_RFENCE\b",
             "a fence on other harts is a leaf call (kernel/hart/leaf.c)")
        if path.startswith(("kernel/", "drivers/", "lib/")) and not ATOMICS_HOME.match(path):
            # A barrier to the compiler and a directive to the assembler are no machine code.
            plain = re.sub(r'\b(asm|__asm__)( volatile)?\((""|"\.)', "",
                           strip_comments(tree.text(path)))
            flag(path, plain, r"\b(asm|__asm__)\b", "assembly belongs to arch/")
    return problems


# ---- Locks ---------------------------------------------------------------------------------

LOCKS = r"struct (irqlock|irqrwlock|seqlock|mixlock|mutex|rwmutex|semaphore)"
CLASS_SAYS = [".name", ".rank", ".contexts", ".max_hold_us", ".protects"]


def locks(tree):
    """A lock's class says everything, and its declaration what it protects."""
    problems = []
    for path in tree.c():
        text = tree.text(path)
        code = code_only(text)
        for m in re.finditer(r"^DEFINE_LOCK_CLASS\((\w+)(.*?)\);", code, re.M | re.S):
            missing = [f for f in CLASS_SAYS if f not in m.group(2)]
            if missing:
                problems.append("%s:%d: class %s does not say %s" % (
                    path, code.count("\n", 0, m.start()) + 1, m.group(1), ", ".join(missing)))
        if path.startswith(("kernel/", "drivers/")):
            problems += silent_locks(path, text, code)
    return problems


def silent_locks(path, text, code):
    lines = text.splitlines()
    comments = re.findall(r"/\*.*?\*/", text, re.S)
    for m in re.finditer(r"^[ \t]*(?:static )?%s (\w+)(?:\[\w+\])?(?: = [^;]*)?;" % LOCKS, code,
                         re.M | re.S):
        n = code.count("\n", 0, m.start())
        name = m.group(2)
        beside = "*/" in lines[n] or (n > 0 and lines[n - 1].rstrip().endswith("*/"))
        told = any(re.search(r"\b%s\b" % name, c) and re.search(r"[Pp]rotects|[Gg]uards", c)
                   for c in comments)
        if not beside and not told:
            yield "%s:%d: lock '%s' does not say what it protects" % (path, n + 1, name)


# ---- Layout --------------------------------------------------------------------------------

FORMAT = "clang-format-19"


def layout(tree):
    """clang-format changes nothing, and no comment was filled by a tool: tables run together."""
    paths = tree.c()
    if not paths:
        return []
    filled = ["%s:%d: a comment's line without a space behind its star" % (path, n)
              for path in paths for n, line in enumerate(tree.lines(path), 1)
              if re.match(r" \*[A-Za-z0-9`(\[]", line)]
    style = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), ".clang-format")
    problems = []
    done = subprocess.run([FORMAT, "--style=file:" + style, "--dry-run", "-Werror"]
                          + paths, cwd=tree.root, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    for m in re.finditer(r"^(\S+?):(\d+):\d+: error: (.*)$", done.stdout, re.M):
        problems.append("%s:%s: not as `make format` lays it out" % (m.group(1), m.group(2)))
    if done.returncode and not problems:
        problems.append(done.stdout.strip())
    return filled + list(dict.fromkeys(problems))
