# SPDX-License-Identifier: MIT
"""scenarios: what went wrong in other kernels, each with what keeps it out of this one.

scenarios.table names tests and rules. Here each of them is looked up where it must be, so that
whoever renames a test, rewords a rule or drops an assertion hears of the promise that hung on it.
A scenario is kept out by a test, or by a stated rule together with an assertion that holds it.
"""
import os
import re
import sys

import tree

sys.path.append(os.path.join(tree.ROOT, "tests/verify"))

import code_table
import model_table

TABLE = "tests/check/scenarios.table"
TESTS = {"ktest", "boot", "tree", "host", "verify", "check"}


class Sources:
    """The files of a tree; of a mutant's, those that it leaves as they are too."""

    def __init__(self, changed):
        self.changed, self.real = changed, tree.real_tree()

    def text(self, path):
        there = self.changed if path in self.changed.paths else self.real
        return there.text(path) if path in there.paths else ""

    def some(self, folder, ending):
        return [p for p in self.real.some(ending) if p.startswith(folder)]


def plain(text):
    """Without the stars of comments, all on one line."""
    return " ".join(re.sub(r"^[ \t]*(/\*|\*/|\*|#)|\*/[ \t]*$", " ", text, flags=re.M).split())


def head(text):
    """The comments before the first code."""
    return re.match(r"(?:\s*/\*.*?\*/|\s*#[^\n]*\n)*", text, re.S).group(0)


# ---- What a line may name: each says whether that is there ---------------------------------

def ktest(sources, name):
    suite, _, test = name.partition(".")
    pattern = r"^KTEST\(%s, %s\)" % (re.escape(suite), re.escape(test))
    return any(re.search(pattern, sources.text(p), re.M)
               for p in sources.some("tests/kernel/", ".c"))


def boot(sources, name):
    file, _, test = name.partition(".")
    return re.search(r"^def %s\(" % re.escape(test), sources.text("tests/qemu/%s.py" % file), re.M)


def altered_tree(sources, name):
    return re.search(r'^    (?:Row|hart)\("%s",' % re.escape(name),
                     sources.text("tests/qemu/alterations.py"), re.M)


def host(sources, name):
    file, _, test = name.partition(".")
    return re.search(r"cmocka_unit_test(_\w+)?\(%s\b" % re.escape(test),
                     sources.text("tests/host/%s.c" % file))


def verify(_, name):
    tool, subject, mutant = (name.split("/") + ["", ""])[:3]
    return any((row[0], row[1]) == (subject, tool) and mutant in row[3]
               for row in code_table.ROWS + model_table.ROWS)


def check(_, name):
    return os.path.exists(os.path.join(tree.ROOT, tree.MUTANTS, name + ".mutant"))


def gallery(sources, name):
    return re.search(r"^GALLERY_(CHECKED|HUNTED)\(\s*%s," % re.escape(name),
                     sources.text("tests/gallery/%s.c" % name), re.M)


def rule(sources, text):
    path, _, words = text.partition(" | ")
    return words and plain(words) in plain(head(sources.text(path)))


def assertion(sources, text):
    path, _, words = text.partition(" | ")
    return re.match(r"(static_)?assert\(", words) and plain(words) in plain(sources.text(path))


KINDS = {"ktest": ktest, "boot": boot, "tree": altered_tree, "host": host, "verify": verify,
         "check": check, "gallery": gallery, "rule": rule, "assert": assertion}


# ---- The table -----------------------------------------------------------------------------

def read(text):
    """[(line number, scenario, [(line number, kind, what)])]"""
    found = []
    for n, line in enumerate(text.splitlines(), 1):
        if line.startswith("\t"):
            kind, _, what = line.strip().partition(" ")
            found[-1][2].append((n, kind, what.strip()))
        elif line and not line.startswith(("#", "[")):
            found.append((n, line, []))
    return found


def is_kept_out(kinds):
    return bool(kinds & TESTS) or {"rule", "assert"} <= kinds


def scenarios(real):
    """Each scenario is kept out by what is there."""
    sources = Sources(real)
    problems, table = [], read(sources.text(TABLE))
    for n, scenario, lines in table:
        if not re.search(r" \| \S", scenario):
            problems.append("%s:%d: does not say where it happened" % (TABLE, n))
        kinds = {kind for _, kind, _ in lines}
        if not is_kept_out(kinds):
            problems.append("%s:%d: nothing keeps it out: no test, and no rule with an assertion"
                            % (TABLE, n))
        if "rule" in kinds and not kinds & ({"assert"} | TESTS):
            problems.append("%s:%d: a rule that nothing holds" % (TABLE, n))
        for m, kind, what in lines:
            if kind not in KINDS:
                problems.append("%s:%d: no such kind: %s" % (TABLE, m, kind))
            elif not KINDS[kind](sources, what):
                problems.append("%s:%d: is not there: %s %s" % (TABLE, m, kind, what))
    if not table:
        problems.append("%s: no scenario" % TABLE)
    return problems
