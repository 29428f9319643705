# SPDX-License-Identifier: MIT
"""Branches of the lock protocols that were never taken, from what the command cover printed.

gcc's counters and the notes beside the objects go to gcov, which gives each line the branches that
leave it. The table `never` beside this one holds those that no torture can take, each with its
reason; an assert has one way only, and needs none. Only lines of sources count: what is inline in
headers is in every file that includes them, most of which nobody counts.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NEVER = os.path.join(HERE, "never")
ROOM = "kernel/lock/"


class Wrong(Exception):
    """The counts cannot be read, or the table does not fit the sources."""


def is_counted(config):
    """Is this configuration built, and does it count branches?"""
    try:
        with open(os.path.join(ROOT, "build", config, "generated/autoconf.h")) as header:
            return bool(re.search(r"^#define CONFIG_LOCKCOVER 1$", header.read(), re.M))
    except FileNotFoundError:
        return False


# ---- Counts --------------------------------------------------------------------------------

def counters(output):
    """{name of a file of counts: its bytes}"""
    files, data = {}, None
    for line in output.splitlines():
        m = re.match(r"cover: (?:file (.*)|([0-9a-f]+))$", line)
        if m and m.group(1):
            data = files.setdefault(m.group(1), bytearray())
        elif m and data is not None:
            data += bytes.fromhex(m.group(2))
    return files


def gcov_lines(name, data, gcov):
    """(path, what gcov says) of each line of one object."""
    with tempfile.TemporaryDirectory() as folder:
        base = os.path.basename(name)
        with open(os.path.join(folder, base), "wb") as f:
            f.write(data)
        try:
            shutil.copy(os.path.join(ROOT, name[:-len("gcda")] + "gcno"), folder)
            said = subprocess.run([gcov, "--json-format", "--stdout", "--branch-probabilities",
                                   base], cwd=folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=True)
            files = json.loads(said.stdout)["files"]
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise Wrong("%s: %s" % (base, error))
    for file in files:
        for line in file["lines"]:
            yield os.path.relpath(os.path.join(ROOT, file["file"]), ROOT), line


def source(path):
    with open(os.path.join(ROOT, path)) as f:
        return [line.strip() for line in f]


def branches(output, gcov):
    """{(path, function, line's number, its text): [count of each branch that leaves it]}"""
    found, texts = collections.defaultdict(list), {}
    for name, data in counters(output).items():
        for path, line in gcov_lines(name, data, gcov):
            if not line["branches"] or not path.startswith(ROOM) or not path.endswith(".c"):
                continue
            texts.setdefault(path, source(path))
            number = line["line_number"]
            found[path, line["function_name"], number, texts[path][number - 1]] += [
                b["count"] for b in line["branches"]]
    if not found:
        raise Wrong("nothing was counted")
    return found


# ---- The verdict ---------------------------------------------------------------------------

def exceptions(text):
    """{(path, function, line's text): (how many of its branches, why)} of a table like `never`."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        m = re.fullmatch(r"(\S+) (\w+) ([1-9]\d*) `(.+)`: (\S.*)", line)
        if not m:
            raise Wrong("never, line %d: `PATH FUNCTION NUMBER `LINE`: REASON` is wanted" % number)
        key = m.group(1), m.group(2), m.group(4)
        if key in found:
            raise Wrong("never, line %d: it was there before" % number)
        found[key] = int(m.group(3)), m.group(5)
    return found


def allowed(text, counts, number):
    """How many of a line's branches may stay at zero: at least, at most."""
    if text.startswith("assert("):
        return 0, len(counts) // 2
    return number, number


def judge(found, never):
    """(branches never taken, exceptions that are none, in however short a run), a line each"""
    missed, wrong, used = [], [], set()
    for (path, function, number, text), counts in sorted(found.items()):
        key = path, function, text
        used.add(key)
        zeros = counts.count(0)
        least, most = allowed(text, counts, never.get(key, (0,))[0])
        if zeros > most:
            missed.append("%s:%d: in %s %d of %d ways were never taken: %s"
                          % (path, number, function, zeros, len(counts), text))
        elif zeros < least:
            wrong.append("%s:%d: in %s `never` says %d of %d ways, and it was %d: %s"
                         % (path, number, function, least, len(counts), zeros, text))
    return missed, wrong + ["never: %s has no such branch in %s: %s" % (path, function, text)
                            for path, function, text in sorted(set(never) - used)]


def verdict(output, gcov):
    """(how many branches there are, missed, wrong)"""
    found = branches(output, gcov)
    with open(NEVER) as table:
        return (sum(map(len, found.values())), *judge(found, exceptions(table.read())))
