# SPDX-License-Identifier: MIT
"""Disassembles every primitive of kernel/lock/atomic.h and compares it with atomics.table.

Each primitive that the header names becomes a function of its own, compiled by gcc and by clang
for 64 and 32 bits. What counts in it: fences, accesses of the atomic object (which stands in a0),
and in a load-reserved loop each instruction. A primitive that the table does not know is a problem,
too.
"""
import os
import re

import compiled
from tree import ROOT

HEADER = "kernel/lock/atomic.h"
ORDERS = ["relaxed", "acquire", "release", "acq_rel", "seq_cst"]
ORDERS_OF = {"load": ["relaxed", "acquire", "seq_cst"], "store": ["relaxed", "release", "seq_cst"]}
CTYPES = {"u32": "uint32_t", "u64": "uint64_t", "ulong": "unsigned long", "ptr": "void *",
          "bool": "bool"}


def table():
    """{(operation, order): sequence}; `.W` stands for the width."""
    known = {}
    with open(os.path.join(ROOT, "tests/check/atomics.table")) as f:
        for line in f:
            line = line.split("#")[0].strip()
            if line:
                operation, order, sequence = line.split(None, 2)
                known[operation, order] = [i.strip() for i in sequence.split(";")]
    return known


def primitives(header, header_riscv):
    """(function, operation, order, type) of everything that the headers offer."""
    found = []
    for operation, kind in re.findall(r"^#define atomic_([a-z]+)_([a-z0-9]+)\(", header, re.M):
        for order in ORDERS_OF.get(operation, ORDERS):
            found.append(("t_%s_%s_%s" % (operation, kind, order), operation, order, kind))
    for order in re.findall(r"^static inline void fence_([a-z_]+)\(void\)", header_riscv, re.M):
        found.append(("t_fence_%s" % order, "fence", order, None))
    return found


def function(name, operation, order, kind):
    """C of one primitive; the object is the first argument."""
    if operation == "fence":
        return "void %s(void);\nvoid %s(void)\n{\n\tfence_%s();\n}\n" % (name, name, order)
    ctype = CTYPES[kind]
    result, arguments, call = ctype, "", ""
    if operation == "store":
        result = "void"
    if operation == "cas":
        result, arguments, call = "bool", ", %s *expected, %s v" % (ctype, ctype), ", expected, v"
    elif operation != "load":
        arguments, call = ", %s v" % ctype, ", v"
    head = "%s %s(atomic_%s *a%s)" % (result, name, kind, arguments)
    back = "" if result == "void" else "return "
    return "%s;\n%s\n{\n\t%satomic_%s_%s(a%s, %s);\n}\n" % (head, head, back, operation, kind, call,
                                                            order)


def disassembly(compiler, config, tree, text, folder):
    """{function: [instruction]}"""
    source, obj = os.path.join(folder, "all_atomics.c"), os.path.join(folder, "all_atomics.o")
    with open(source, "w") as f:
        f.write('#include "%s"\n%s' % (HEADER, text))
    words = [compiled.CROSS + "gcc"] + compiled.flags(config, tree)
    if compiler == "clang":
        words = compiled.clang(config, tree)
    done = compiled.run(words + ["-c", "-o", obj, source])
    if done.returncode:
        return None, compiled.errors(done.stdout)
    out = compiled.run([compiled.CROSS + "objdump", "-d", "--no-show-raw-insn", obj]).stdout
    functions, name = {}, None
    for line in out.splitlines():
        begin = re.match(r"[0-9a-f]+ <(\w+)>:$", line)
        insn = re.match(r"\s+[0-9a-f]+:\s+(\S+)\s*(.*)$", line)
        if begin and begin.group(1).startswith("t_"):
            name = begin.group(1)
            functions[name] = []
        elif insn and name:
            functions[name].append((insn.group(1), insn.group(2)))
    return functions, []


def essence(insns):
    """Fences, accesses of the object, and the whole of a load-reserved loop."""
    found, in_loop = [], False
    for name, operands in insns:
        if name.startswith("lr."):
            in_loop = True
        if name.startswith("fence"):
            # objdump leaves out the operands that mean everything.
            found.append("fence " + (operands or "iorw,iorw") if name == "fence" else name)
        elif in_loop or name.startswith("amo") or re.search(r"\(a0\)", operands):
            found.append({"bnez": "bne", "beqz": "beq"}.get(name, name))
            if name.startswith("sc."):
                in_loop = "branch"
            elif in_loop == "branch":
                in_loop = False
    return found


def expected(known, operation, order, kind, bits):
    width = "w" if kind in ("u32", "bool") or bits == 32 else "d"
    return [re.sub(r"\bW\b", width, i).replace("lW", "l" + width).replace("sW", "s" + width)
            for i in known[operation, order]]


def atomics(tree):
    """Every primitive is what the memory model's mapping tables ask for, under both compilers."""
    def text(path):
        return (tree if path in tree.paths else type(tree)(ROOT, [])).text(path)

    known = table()
    offered = primitives(text(HEADER), text("kernel/lock/atomic_riscv.h"))
    problems, seen = [], 0
    for config, bits in (("virt64", 64), ("virt32", 32)):
        compiled.run(["make", "-s", "CONFIG=" + config, "prepare"])
        # 64-bit operations on 32 bits are calls: tested where they run.
        these = [p for p in offered if not (bits == 32 and p[3] == "u64")]
        source = "\n".join(function(*p) for p in these)
        folder = os.path.join(ROOT, "build", "check") if tree.root == ROOT else tree.root
        os.makedirs(folder, exist_ok=True)
        for compiler in ("gcc", "clang"):
            functions, wrong = disassembly(compiler, config, tree, source, folder)
            problems += wrong
            for name, operation, order, kind in these if functions else ():
                if (operation, order) not in known:
                    problems.append("%s: not in atomics.table" % name)
                    continue
                seen += 1
                want = expected(known, operation, order, kind, bits)
                got = essence(functions.get(name, []))
                if got != want:
                    problems.append("%s, %s, %d bits: is `%s`, must be `%s`" % (
                        name[2:], compiler, bits, "; ".join(got), "; ".join(want)))
    if not seen and not problems:
        problems.append("no primitive was found in %s" % HEADER)
    return problems
