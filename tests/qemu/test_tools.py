# SPDX-License-Identifier: MIT
"""What a user meets whose machine lacks something: configs/deps.sh, make doctor, tests/qemu/run.

apt, sudo and id are programs of the test, alone in a PATH with the few real ones that deps.sh
needs; they note how they were called. An old or foreign QEMU is a script.
"""
import os
import shutil
import subprocess
import sys

import pytest

import children
import launcher
from guest import LAST_RESORT, ROOT
from screen import Screen

REAL = ["cat", "chmod", "dirname", "env", "flock", "grep", "mkdir", "mktemp", "rm", "seq", "sh",
        "touch", "tr", "true"]

APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$CALLS"
case "$*" in
*Dir::State::lists*) touch "$FAKES/knows-by-itself" ;;
*update) [ ! -e "$FAKES/locked" ] || {
		rm "$FAKES/locked"
		echo "E: Could not get lock x"
		exit 100
	}
	[ ! -e "$FAKES/no-update" ] || { echo "E: a source is broken"; exit 100; }
	touch "$FAKES/updated" ;;
*install*) [ ! -e "$FAKES/no-install" ] || { echo "E: no room"; exit 100; }
	[ -e "$FAKES/useless" ] || touch "$FAKES/tool-a" "$FAKES/thing"
	[ -e "$FAKES/useless" ] || chmod +x "$FAKES/tool-a" ;;
esac
"""

# Knows old-b, not new-b, after an update of the machine's state or of one's own.
APT_CACHE = """#!/bin/sh
case "$*" in
*Dir::State::lists*old-b) [ -e "$FAKES/knows-by-itself" ] ;;
*old-b) [ -e "$FAKES/updated" ] ;;
*) false ;;
esac
"""

SUDO = """#!/bin/sh
[ -e "$FAKES/sudo-is-free" ] || { echo "sudo: a password is required" >&2; exit 1; }
[ "$1" != -n ] || shift
echo "sudo" >>"$CALLS"
exec "$@"
"""

ASK = "  {0}apt-get update && {0}apt-get install --no-install-recommends -y pkg-a old-b{1}"


class Machine:
    """Lacks the program tool-a and the file `thing`, which pkg-a and old-b hold."""

    def __init__(self, folder, user):
        self.bin, self.config = folder / "bin", folder / "configs"
        self.bin.mkdir()
        self.config.mkdir()
        shutil.copy(ROOT / "configs/deps.sh", self.config)
        (self.config / "packages").write_text("all\tcmd:tool-a\tpkg-a\nall\tfile:%s\tnew-b|old-b\n"
                                              "other\tcmd:nowhere\tpkg-c\n" % (self.bin / "thing"))
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name))
        self.tool("apt-get", APT_GET)
        self.tool("apt-cache", APT_CACHE)
        self.tool("sleep", "#!/bin/sh\n")
        self.tool("id", "#!/bin/sh\necho %d\n" % user)

    def tool(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def deps(self, *marks, **variables):
        """Status, what was said, and the calls of apt and sudo."""
        for mark in marks:
            (self.bin / mark).touch()
        calls = self.bin / "calls"
        done = children.run(["sh", str(self.config / "deps.sh"), "all"], LAST_RESORT,
                            env={"PATH": str(self.bin), "FAKES": str(self.bin),
                                 "CALLS": str(calls), **variables})
        return done.returncode, done.stdout, calls.read_text() if calls.exists() else ""


INSTALL = ("-o DPkg::Lock::Timeout=600 install --no-install-recommends -y pkg-a old-b\n")


def test_root_installs_what_is_missing_and_then_nothing(tmp_path):
    machine = Machine(tmp_path, 0)
    status, said, calls = machine.deps()
    assert status == 0 and "Installing: pkg-a old-b\n" in said, said
    assert calls == "apt-get update\napt-get " + INSTALL
    assert machine.deps() == (0, "", calls)


def test_sudo_without_password_installs(tmp_path):
    machine = Machine(tmp_path, 1000)
    machine.tool("sudo", SUDO)
    status, said, calls = machine.deps("sudo-is-free")
    assert status == 0, said
    assert calls == "sudo\nsudo\napt-get update\nsudo\napt-get " + INSTALL


@pytest.mark.parametrize("apt", ["fresh", "updated"])
@pytest.mark.parametrize("sudo", [True, False])
def test_who_may_not_install_is_told_the_exact_command(tmp_path, sudo, apt):
    """Right also where apt was never updated, so that it knows no package."""
    machine = Machine(tmp_path, 1000)
    if sudo:
        machine.tool("sudo", SUDO)
    status, said, calls = machine.deps(*[apt] if apt == "updated" else [])
    want = ASK.format("sudo ", "") if sudo else ASK.format("", "'").replace("  apt", "  su -c 'apt")
    assert status == 1 and said.splitlines()[-1] == want, said
    assert "install" not in calls
    assert ("Dir::State::lists" in calls) == (apt == "fresh"), calls


def test_all_that_make_will_want_comes_in_one_go(tmp_path):
    """Each package once; and nothing of it while the groups asked for are there."""
    machine = Machine(tmp_path, 0)
    status, said, calls = machine.deps(TOOL_GROUPS="all other")
    assert status == 0 and calls.count("apt-get") == 2, said
    assert calls.endswith("install --no-install-recommends -y pkg-a old-b pkg-c\n"), calls
    assert machine.deps(TOOL_GROUPS="all other") == (0, "", calls)


def test_failed_installation_is_shown(tmp_path):
    status, said, _ = Machine(tmp_path, 0).deps("no-install")
    assert status == 1, said
    assert "E: no room\n" in said and "This failed: apt-get install pkg-a old-b\n" in said


def test_package_without_what_it_should_hold_is_named(tmp_path):
    status, said, _ = Machine(tmp_path, 0).deps("useless")
    assert status == 1 and "'pkg-a' was installed, but tool-a is still not there" in said, said


def test_another_apt_is_waited_for(tmp_path):
    status, said, calls = Machine(tmp_path, 0).deps("locked")
    assert status == 0 and "Waiting for another apt to end" in said, said
    assert calls == "apt-get update\n" * 2 + "apt-get " + INSTALL


def test_broken_source_of_apt_is_shown_and_no_obstacle(tmp_path):
    status, said, _ = Machine(tmp_path, 0).deps("updated", "no-update")
    assert status == 0 and "E: a source is broken" in said, said


def qemu_that_says(tmp_path, version, cpus="rv64"):
    path = tmp_path / "qemu"
    path.write_text("#!/bin/sh\ncase $1 in\n--version) echo '%s' ;;\n-cpu) echo '%s' ;;\n"
                    "*) exec sleep 1000 ;;\nesac\n" % (version, cpus))
    path.chmod(0o755)
    return str(path)


def tool(words, **variables):
    done = children.run(words, LAST_RESORT, env={**os.environ, "BIOS": "", "QEMU": "", **variables})
    return done.returncode, done.stdout


def run_from_make(**variables):
    kernel = str(ROOT / "build/virt64/kernel.elf")
    return tool([str(ROOT / "tests/qemu/run"), "--from-make", "--kernel", kernel], **variables)


BAD_QEMUS = [
    ("QEMU emulator version 6.2.0 (Debian 1:6.2)", "rv64", "this is 6.2.0, 7.2 or newer is needed"),
    ("something else 9.9.9", "rv64", "it is no QEMU that runs"),
    ("QEMU emulator version 10.0.0", "cortex-a72", "other processors than riscv64"),
]


@pytest.mark.parametrize("version, cpus, fault", BAD_QEMUS, ids=["old", "none", "foreign"])
def test_wrong_qemu_ends_in_one_clear_line(tmp_path, version, cpus, fault):
    qemu = qemu_that_says(tmp_path, version, cpus)
    status, said = run_from_make(QEMU=qemu)
    assert status == launcher.NOT_STARTED and said.count("\n") == 1, said
    assert fault in said and "make doctor" in said
    status, said = tool([str(ROOT / "tests/qemu/doctor")], QEMU=qemu)
    assert status == 1 and "PROBLEM  QEMU" in said and fault in said, said


@pytest.mark.parametrize("name, value", [("QEMU", "/nonexistent"), ("QEMU", "/etc"),
                                         ("BIOS", "/nonexistent"), ("BIOS", "/etc")])
def test_missing_program_or_firmware_ends_in_one_clear_line(name, value):
    status, said = run_from_make(**{name: value})
    assert status == launcher.NOT_STARTED and said.count("\n") == 1 and value in said, said
    status, said = tool([str(ROOT / "tests/qemu/doctor")], **{name: value})
    assert status == 1 and "PROBLEM  " + name in said and value in said, said


@pytest.mark.parametrize("name, value", [("SMP", "0"), ("SMP", "many"), ("MEM", "much"),
                                         ("TIMEOUT", "soon"), ("TIMEOUT", "-1"),
                                         ("DTB", "/nonexistent")])
def test_a_word_that_means_nothing_ends_in_one_clear_line(name, value):
    status, said = run_from_make(**{name: value})
    assert status == launcher.NOT_STARTED and said.count("\n") == 1, said
    assert name in said and value in said, said


def test_a_pattern_without_a_test_is_no_success():
    status, said = tool([str(ROOT / "tests/run"), "no_test_is_called_like_that"])
    assert status != 0 and "no test has a name that matches" in said, said
    assert said.endswith("\n0 passed, 0 failed\n"), said


def test_firmware_that_says_nothing_gets_a_hint(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(4096))
    code = ("import launcher; launcher.SILENCE = 1; "
            "launcher.interactive(launcher.Guest(bios=%r), %r)"
            % (str(tmp_path / "zeros"), str(tmp_path / "serial.log")))
    process = children.start([sys.executable, "-B", "-c", code], stdin=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONPATH": str(ROOT / "tests/qemu")})
    try:
        first = process.stderr.readline()
    finally:
        children.end(process)
        process.stderr.close()
    assert first.startswith("Nothing was said for 1 seconds"), first


def test_a_prompt_counts_only_while_it_stands_on_the_terminal():
    """What guest.Shell waits for: a line of the log may take the prompt off and put it back."""
    screen = Screen()
    prompt = "\rinterlock> \x1b[K"
    screen.feed(prompt + "har" + "\r\x1b[K[1.0] hart 3: online\r\n" + prompt + "har" + "ts\r\n")
    assert screen.rows == ["[1.0] hart 3: online", "interlock> harts"] and screen.row() == ""
    for c in "0 online\r\n" + prompt + "\r\x1b[K":
        screen.feed(c)
    assert screen.rows[2:] == ["0 online"] and screen.row() == ""
    screen.feed("late\r\n" + prompt)
    assert screen.rows[3:] == ["late"] and screen.row() == "interlock>"
    screen.feed("hxrtss\b \b\r\x1b[12C")
    assert screen.row() == "interlock> hxrts"
    screen.feed("\rinterlock> harts\x1b[K\r\x1b[11CH\x1b[1;31m\x1b[D\a")
    assert screen.row() == "interlock> Harts"
