# SPDX-License-Identifier: MIT
"""`make debug`: the commands that gdb has for the kernel, while it runs a command of the shell."""
import os
import re

import pytest

import children
from guest import LAST_RESORT, ROOT, kernel

COMMANDS = ["harts", "threads", "locks", "bt-all"]


@pytest.fixture(scope="module")
def said():
    """{command: what it prints}, of one guest that stands in the command `mem`."""
    words = "-batch -ex 'tbreak cmd_mem' -ex continue"
    for command in COMMANDS:
        words += " -ex 'echo \\n== %s\\n' -ex %s" % (command, command)
    run = [str(ROOT / "tests/qemu/run"), "--debug", "--kernel", kernel(), "--smp", "2",
           "--append", 'shell=kernel run="mem"']
    done = children.run(run, LAST_RESORT, cwd=ROOT,
                        env=dict(os.environ, GDB_ARGS=words + " -ex 'echo \\n== end\\n' -ex kill"))
    # How gdb ends once its guest is gone is nobody's business.
    assert "== end" in done.stdout, done.stdout
    return dict(re.findall(r"^== (\S+)\n(.*?)(?=^== )", done.stdout, re.M | re.S))


@pytest.mark.parametrize("command", COMMANDS)
def test_all_can_be_read(said, command):
    assert said[command].strip() and "cannot be read" not in said[command], said[command]


def test_harts_has_a_line_for_each_hart(said):
    # The other one may be in a handler.
    rows = re.findall(r"^(\d) +(\d) +online +\d+ +\w+ +(\S+)$", said["harts"], re.M)
    assert [r[:2] for r in rows] == [("0", "0"), ("1", "1")] and "shell" in [r[2] for r in rows], \
        said["harts"]


def threads(said):
    """{name: (state, where)}; any but the shell may be about to sleep, or to end."""
    return {name: (state, at) for state, name, at in
            re.findall(r"^0x\w+ +(\w+) +\d+ +(\S+) +(.*)$", said["threads"], re.M)}


def test_threads_say_where_they_are(said):
    rows = threads(said)
    assert {"shell", "reaper", "work/0", "work/1", "idle/0", "idle/1"} <= rows.keys(), rows
    assert rows["shell"] == ("running", "on a hart")
    sleeping = [at for state, at in rows.values() if state == "sleeping" and at != "on a hart"]
    assert sleeping and all(re.match(r"\w+ \+ \d+ \(\S+:\d+\)$", at) for at in sleeping), rows


def test_locks_have_their_counts_and_their_holders(said):
    rows = dict(re.findall(r"^(\S+) +\d+ +(\d+) +\d+$", said["locks"], re.M))
    assert {"runq", "timerq", "console", "shell"} <= rows.keys(), said["locks"]
    assert int(rows["runq"]) > 0, said["locks"]
    assert re.search(r"^  shell +holds 0x\w+ of class shell, since shell_run_line ", said["locks"],
                     re.M), said["locks"]


def test_backtraces_are_of_harts_and_of_who_is_on_none(said):
    text = said["bt-all"]
    assert re.search(r"^#0 .*cmd_mem", text, re.M) and "shell_run_line" in text, text
    off = dict(re.findall(r"^thread (\S+) \(\w+\)\n((?:#.*\n)+)", text, re.M))
    assert off.keys() == {n for n, (_, at) in threads(said).items() if at != "on a hart"}, text
    assert any(" in thread_start " in trace for trace in off.values()), text
