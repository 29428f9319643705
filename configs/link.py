# SPDX-License-Identifier: MIT
"""Links the kernel with a table of its own function names inside, for symbolised backtraces.

usage: link.py --cross PREFIX --out KERNEL --machine FLAGS -- LINK ARGUMENTS

The table (lib/symtab.h) is read off the linked kernel and linked in again, until the addresses
that it holds are those of the kernel that holds it: two links, one more where it moved code.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile

PASSES = 5


def symbols(cross, elf):
    """[(address, name)] of the functions, ascending, one name an address; and the end of text."""
    out = subprocess.run([cross + "nm", "-n", elf], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    found, end = {}, 0
    for line in out.splitlines():
        m = re.match(r"([0-9a-f]+) ([tTwW]) (\S+)$", line)
        if not m:
            continue
        address, kind, name = int(m.group(1), 16), m.group(2), m.group(3)
        end = max(end, address)
        if name[0] in ".$" or name.startswith("__start_") or name.startswith("__stop_"):
            continue
        # A global name says more than a local one at the same address.
        if address not in found or (kind in "TW" and found[address][1] not in "TW"):
            found[address] = (name, kind)
    return [(a, found[a][0]) for a in sorted(found)], end


def table(found, end, word):
    """The assembly of the table of `found`."""
    base = found[0][0] if found else 0
    if found and end - base >= 1 << 32:
        sys.exit("link.py: functions lie more than 4 GiB apart")
    names, where, at = [], [], 0
    for _, name in found:
        where.append(at)
        names.append('\t.asciz "%s"' % name)
        at += len(name) + 1

    def numbers(label, values):
        return ["\t.balign 4", "\t.globl %s" % label, "%s:" % label] + \
            ["\t.4byte %d" % v for v in values]

    lines = ['\t.section .symtab_blob, "a"', "\t.balign 8",
             "\t.globl symtab_base", "symtab_base:", "\t.%dbyte %#x" % (word, base)]
    lines += numbers("symtab_count", [len(found)])
    lines += numbers("symtab_offsets", [a - base for a, _ in found] + [max(end - base, 0)])
    lines += numbers("symtab_names", where or [0])
    lines += ["\t.globl symtab_strings", "symtab_strings:"] + names + ["\t.byte 0"]
    return "\n".join(lines) + "\n"


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--cross", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--machine", required=True)
    args.add_argument("rest", nargs="*")
    args = args.parse_args()

    machine = shlex.split(args.machine)
    word = 4 if any(f.startswith("-march=rv32") for f in machine) else 8
    with tempfile.TemporaryDirectory(dir=os.path.dirname(args.out)) as folder:
        link(args, machine, word, folder)


def link(args, machine, word, folder):
    source, obj, new = (os.path.join(folder, n) for n in ("symtab.S", "symtab.o", "kernel.elf"))
    gcc = [args.cross + "gcc"]
    held = table([], 0, word)
    for _ in range(PASSES):
        with open(source, "w") as f:
            f.write(held)
        subprocess.run(gcc + machine + ["-c", "-o", obj, source], check=True)
        if subprocess.run(gcc + ["-o", new, obj] + args.rest).returncode:
            sys.exit(1)
        wanted = table(*symbols(args.cross, new), word)
        if wanted == held:
            os.replace(new, args.out)
            return
        held = wanted
    sys.exit("link.py: the symbol table was not stable after %d links" % PASSES)


if __name__ == "__main__":
    main()
