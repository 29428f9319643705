# SPDX-License-Identifier: MIT
"""The interactive shell: editing, history, completion, and clear words for bad input."""
import pytest

from guest import EXIT, Shell, run

COMMANDS = ["help", "hart", "harts", "ps", "top", "locks", "irqs", "timers", "mem", "topo", "fdt",
            "log", "stress", "bench", "test", "crash", "reboot", "poweroff"]


@pytest.fixture(scope="module")
def shell():
    with Shell(smp=2) as s:
        yield s
        assert s.end("poweroff") == EXIT["EXIT_OK"]


def test_help_lists_every_command(shell):
    text = shell.ask("help")
    assert not [c for c in COMMANDS if c not in text.split()], text


@pytest.mark.parametrize("command", ["help", "crash", "stress"])
def test_lists_are_in_alphabetical_order(shell, command):
    names = [line.split()[0] for line in shell.ask(command).splitlines() if line.startswith("  ")]
    assert len(names) > 1 and names == sorted(names), names


def test_unknown_word_gets_one_clear_line(shell):
    text = shell.ask("frobnicate").strip()
    assert "frobnicate" in text and len(text.splitlines()) == 1


@pytest.mark.parametrize("line", ["log hart=99", "log level=loud", "stress nothing",
                                  "stress locks x", "stress locks -1", "bench nothing",
                                  "crash nothing", "fdt /no/such/node", "test no_such_test",
                                  "stress locks 99999999999999999999", "harts please"])
def test_absurd_arguments_get_one_clear_line(shell, line):
    text = shell.ask(line).strip()
    assert text and len(text.splitlines()) == 1, text


def test_editing_keys(shell):
    shell.keys("hxrts\x1b[D\x1b[D\x1b[D\x1b[D")  # left to behind the h
    shell.keys("\x1b[Ca\x1b[D\x1b[D")  # hxarts, cursor on the x
    shell.keys("\x1b[3~")  # delete it
    text = shell.ask("")
    assert "online" in text


def test_line_is_killed_and_yields_nothing(shell):
    shell.keys("frobnicate\x15")
    assert "frobnicate: " not in shell.ask("harts")


def test_history_recalls_the_last_line(shell):
    shell.ask("harts")
    shell.keys("\x1b[A")
    assert "online" in shell.ask("")


def test_tab_completes_a_unique_word(shell):
    shell.keys("power\t")
    shell.expect("poweroff")
    shell.keys("\x15")
    shell.keys("har\t")
    assert "online" in shell.ask("")


def test_overlong_line_does_no_harm(shell):
    shell.ask("x" * 5000)
    assert "online" in shell.ask("harts")


def test_what_is_typed_ahead_is_not_lost(shell):
    """Far more than the kernel buffers, while a command runs: all of it is read afterwards."""
    shell.keys("stress mutex 1\r" + "help\r" * 400 + "frobnicate\r")
    shell.expect("stress mutex: ok")
    for _ in range(400):
        shell.expect("lists the commands")
    shell.expect("frobnicate: ")
    shell.prompt()


def test_ps_shows_the_shell_and_idle_threads(shell):
    text = shell.ask("ps")
    assert "shell" in text and "idle" in text


def test_sleep_of_the_guest_is_interrupt_driven(shell):
    """At the prompt nothing runs: UART interrupts are counted when a key comes."""
    def count():
        text = shell.ask("irqs")
        row = [r for r in text.splitlines() if "uart" in r or "serial" in r]
        assert row, text
        return sum(int(w) for w in row[0].split() if w.isdigit())
    before = count()
    assert count() > before


def test_failing_command_fails_the_run():
    assert run("frobnicate").status == EXIT["EXIT_COMMAND"]
    assert run("harts; crash nothing; harts").status == EXIT["EXIT_COMMAND"]


def test_quotes_and_separators_in_run():
    got = run("harts ;; mem;  ; harts;")
    assert got.status == EXIT["EXIT_OK"], got.text


def test_reboot_boots_again():
    with Shell() as shell:
        shell.keys("reboot\r")
        shell.expect("boot hart")	# of the next boot: the first one's was read before
        shell.prompt()
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_fdt_prints_a_node():
    got = run("fdt /cpus/cpu@0")
    assert got.status == EXIT["EXIT_OK"] and "riscv,isa" in got.text, got.text


def test_log_is_filtered_by_hart():
    got = run("log hart=1", smp=2)
    assert got.status == EXIT["EXIT_OK"], got.text


def test_lines_of_the_log_leave_what_is_being_typed_below_them():
    """Harts that come late say so, whether or not somebody types."""
    with Shell(smp=4, append="shell=kernel hartwait=1000 fault=hart2:late@traps+4000") as shell:
        shell.keys("harts")
        while "hart 2: online" not in shell.text or shell.screen.row() != "interlock> harts":
            shell.read()
        assert "online" in shell.ask("")
        assert shell.end("poweroff") == EXIT["EXIT_OK"]
