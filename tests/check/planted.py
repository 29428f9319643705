# SPDX-License-Identifier: MIT
"""planted: the mutants of `make verify` and the bugs of `make fuzz` replace texts that are there.

A mutant names a piece of a source or model. Whoever changes that piece hears of it here, at once,
and not only when the verification gets to the mutant.
"""
import os
import sys

import tree

sys.path += [os.path.join(tree.ROOT, "tests/verify"), os.path.join(tree.ROOT, "tests/fuzz")]

import bugs
import code_table
import model_table


def edits():
    """(mutant, path, text, times) of each mutant."""
    for subject, tool, _, mutants in code_table.ROWS + model_table.ROWS:
        for name, edit in mutants.items():
            if tool == "spin":
                edit = ("tests/verify/models/%s.pml" % subject,) + tuple(edit)
            path, old, _, times = (tuple(edit) + (1,))[:4]
            yield "%s/%s/%s" % (tool, subject, name), path, old, times
    for program, name, path, old, _ in bugs.ROWS:
        yield "fuzz/%s/%s" % (program, name), path, old, 1


def planted(real):
    problems = []
    for name, path, old, times in dict.fromkeys(edits()):
        if path in real.paths and real.text(path).count(old) != times:
            problems.append("%s: the mutant %s replaces a text that is there %d times, not %d: %s"
                            % (path, name, real.text(path).count(old), times,
                               old.strip().splitlines()[0]))
    return problems
