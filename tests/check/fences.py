# SPDX-License-Identifier: MIT
"""fences: those between two harts that no test on an emulator can miss, in the machine code.

What a hart stores before it has another one started, or woken by an interrupt, and what that one
reads first: arch/riscv/smp.c names the pairs. The code of each side is looked at as it was compiled
in every configuration.
"""
import os
import re

import compiled
from tree import ROOT

SOURCES = ["arch/riscv/smp.c", "arch/riscv/boot.S"]
FIRMWARE = "sbi_call"
# (function, where the fence must be, the fence)
RULES = [
    ("arch_hart_start", "before the firmware", "rw,orw"),
    ("arch_hart_die", "before the firmware", "rw,orw"),
    ("arch_hart_stop", "before the firmware", "rw,orw"),
    ("arch_hart_suspend", "before the firmware", "rw,orw"),
    ("arch_ipi_send", "before the firmware", "w,ow"),
    ("arch_ipi_send_hart", "before the firmware", "w,ow"),
    ("arch_ipi_clear", "after the bit is cleared", "io,rw"),
    ("secondary_start", "first", "rw,rw"),
]
LOAD, STORE = re.compile(r"l[bhwd]u?$|fl[wd]$"), re.compile(r"s[bhwd]$|fs[wd]$|amo|sc\.")


def functions(obj):
    """{function: [(instruction, operands)]}; calls are ("call", whom)."""
    out = compiled.run([compiled.CROSS + "objdump", "-dr", "--no-show-raw-insn", obj]).stdout
    found, code = {}, []
    for line in out.splitlines():
        begin = re.match(r"[0-9a-f]+ <([^>]+)>:$", line)
        insn = re.match(r"\s+[0-9a-f]+:\t(\S+)\s*(.*)$", line)
        call = re.search(r"R_RISCV_(?:CALL\w*|JAL)\s+(\w+)", line)
        if begin:
            # Labels inside of assembly go on with the function that they stand in.
            if not begin.group(1).startswith((".", "1", "9")):
                code = found.setdefault(begin.group(1), [])
        elif call:
            code.append(("call", call.group(1)))
        elif insn and not insn.group(1).startswith("R_RISCV"):
            code.append(insn.groups())
    return found


def is_own_stack(operands):
    return re.search(r"\((sp|s0)\)", operands)


def before_firmware(code, fence):
    """Each call of the firmware has the fence before it, and no store for others between."""
    calls, fenced = 0, False
    for name, operands in code:
        if name == "fence":
            fenced = operands == fence
        elif STORE.match(name) and not is_own_stack(operands):
            fenced = False
        elif (name, operands) == ("call", FIRMWARE):
            calls += 1
            if not fenced:
                return False
    return calls > 0


def after_clearing(code, fence):
    cleared = False
    for name, operands in code:
        if name.startswith("csr") and "sip" in operands:
            cleared = True
        elif name == "fence" and cleared:
            return operands == fence
        elif cleared and LOAD.match(name) and not is_own_stack(operands):
            return False
    return False


def comes_first(code, fence):
    for name, operands in code:
        if name == "fence":
            return operands == fence
        if LOAD.match(name) or STORE.match(name):
            return False
    return False


HOLDS = {"before the firmware": before_firmware, "after the bit is cleared": after_clearing,
         "first": comes_first}


def objects(tree):
    """(configuration, source, object): the built ones, or a mutant's, compiled here."""
    for config in compiled.CONFIGS:
        if tree.root == ROOT:
            yield from ((config, s, "build/%s/%s.o" % (config, s)) for s in SOURCES)
            continue
        compiled.run(["make", "-s", "CONFIG=" + config, "prepare"])
        for source in tree.paths:
            flags = compiled.flags(config, tree) if source.endswith(".c") else \
                compiled.variable(config, "ASFLAGS") + compiled.variable(config, "INCLUDES")
            obj = os.path.join(tree.root, config + ".o")
            done = compiled.run([compiled.CROSS + "gcc"] + flags
                                + ["-c", "-o", obj, os.path.join(tree.root, source)])
            if done.returncode:
                raise RuntimeError(done.stdout)
            yield config, source, obj


def fences(tree):
    """Between two harts there are the fences that arch/riscv/smp.c speaks of."""
    problems, seen = [], set()
    for config, source, obj in objects(tree):
        code = functions(os.path.join(ROOT, obj))
        for name, where, fence in RULES:
            if name not in code:
                continue
            seen.add(name)
            if not HOLDS[where](code[name], fence):
                problems.append("%s: %s, %s: no `fence %s` %s"
                                % (source, name, config, fence, where))
    missing = [name for name, _, _ in RULES if name not in seen]
    if tree.root == ROOT and missing:
        problems.append("not found: %s" % ", ".join(missing))
    return problems
