# SPDX-License-Identifier: MIT
"""The sources that checks look at, and the mutants that checks must flag.

A mutant, tests/check/mutants/CHECK/NAME.mutant, is a small tree in one file:

	flagged: a part of the message with which CHECK must flag it
	path: kernel/lock/up.c		what follows, up to the next of these lines, is that file
	...
	edit: kernel/lock/atomic_riscv.h	the real file, with one text replaced by another
	from: the text, which must be there
	to: the other
"""
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUTANTS = "tests/check/mutants"
CODE = (".c", ".h", ".cc", ".hh")


class Tree:
    """Files below `root` by their paths in the tree."""

    def __init__(self, root, paths):
        self.root, self.paths = root, sorted(paths)

    def text(self, path):
        with open(os.path.join(self.root, path), errors="replace") as f:
            return f.read()

    def lines(self, path):
        return self.text(path).splitlines()

    def some(self, *endings):
        return [p for p in self.paths if p.endswith(endings)]

    def c(self):
        """C, and the C++ of tools that can be had in that alone."""
        return self.some(*CODE)

    def exists(self, path):
        """Also true for what the real tree has, so that a mutant may include it."""
        return any(os.path.exists(os.path.join(r, path)) for r in (self.root, ROOT))


def real_tree():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if listed.returncode == 0:
        paths = listed.stdout.splitlines()
    else:
        paths = []
        for folder, below, files in os.walk(ROOT):
            below[:] = [d for d in below if d not in ("build", ".git", "__pycache__")]
            paths += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files]
    keep = [p for p in paths if os.path.isfile(os.path.join(ROOT, p))
            and not os.path.islink(os.path.join(ROOT, p)) and not p.startswith(MUTANTS)]
    return Tree(ROOT, keep)


class Mutant:
    def __init__(self, path):
        self.check = os.path.basename(os.path.dirname(path))
        self.name = "%s/%s" % (self.check, os.path.splitext(os.path.basename(path))[0])
        self.flagged, self.files, self.edits = "", {}, []
        part = None
        for line in open(path).read().splitlines(keepends=True):
            word = re.match(r"(flagged|path|edit|from|to): (.*)\n", line)
            if word and word.group(1) == "flagged":
                self.flagged = word.group(2)
            elif word and word.group(1) == "path":
                part = word.group(2)
                self.files[part] = ""
            elif word and word.group(1) == "edit":
                self.edits.append({"edit": word.group(2)})
                part = None
            elif word:
                self.edits[-1][word.group(1)] = word.group(2)
            elif part is not None:
                self.files[part] += line

    def tree(self, folder):
        """Writes the mutant below `folder`."""
        files = dict(self.files)
        for e in self.edits:
            text = files.get(e["edit"]) or open(os.path.join(ROOT, e["edit"])).read()
            if e["from"] not in text:
                raise LookupError("%s: '%s' is no longer in %s" % (self.name, e["from"], e["edit"]))
            files[e["edit"]] = text.replace(e["from"], e.get("to", ""))
        for path, text in files.items():
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as f:
                f.write(text)
        return Tree(folder, files)

    def judged_by(self, check):
        """None if the check flags it as it must, else what was wrong."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                problems = check(self.tree(folder))
            except LookupError as gone:
                return str(gone)
        if not self.flagged or not any(self.flagged in p for p in problems):
            return "not flagged with '%s' but with %s" % (self.flagged, problems[:3] or "nothing")
        return None


def all_mutants():
    found = []
    for folder, _, files in sorted(os.walk(os.path.join(ROOT, MUTANTS))):
        found += [Mutant(os.path.join(folder, f)) for f in sorted(files) if f.endswith(".mutant")]
    return found
