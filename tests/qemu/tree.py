# SPDX-License-Identifier: MIT
"""Device trees for the tests: QEMU's own tree of a machine, altered as text, compiled by dtc."""
import re
import subprocess


def dump(tmp_path, smp, mem="256M", *qemu_args):
    """The tree of this QEMU's virt machine, as source text."""
    blob = tmp_path / "virt.dtb"
    subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={blob}", "-smp", str(smp),
                    "-m", mem, "-nographic", *qemu_args], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", str(blob)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def build(tmp_path, text, name="altered"):
    """Compiles the text and returns the blob's path."""
    blob = tmp_path / f"{name}.dtb"
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(blob), "-"], check=True,
                   input=text, text=True)
    return blob


def node(text, head):
    """(start, end) of the node whose head line matches, its braces counted."""
    match = re.search(r"^[ \t]*" + head + r" \{", text, re.M)
    assert match, f"no node {head} in the tree"
    depth, i = 1, match.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        i += 1
    return match.start(), text.index(";", i) + 1


def remove(text, head):
    start, end = node(text, head)
    return text[:start] + text[end:]


def edit(text, head, pattern, replacement):
    """Replaces a pattern inside one node; it must be there."""
    start, end = node(text, head)
    body, n = re.subn(pattern, replacement, text[start:end], flags=re.M)
    assert n, f"{pattern} not in {head}"
    return text[:start] + body + text[end:]


def insert(text, head, line):
    """Puts a property line at the head of a node."""
    start, _ = node(text, head)
    at = text.index("{", start) + 1
    return text[:at] + "\n" + line + text[at:]


def add_node(text, head, properties, child):
    """Puts a node into a node of the root, which is made with these properties if it is absent."""
    if re.search(r"^[ \t]*" + head + r" \{", text, re.M):
        at = text.rindex("}", *node(text, head))
    else:
        at = text.rindex("}")
        child = f"{head} {{ {properties} {child} }};\n"
    return text[:at] + child + text[at:]


def split_memory(text, mib, *properties):
    """The tree's one memory node, of so many MiB, as several of the same size, one for each of the
    properties."""
    start, end = node(text, r"memory@80000000")
    size = mib * 2 ** 20 // len(properties)
    parts = ""
    for i, more in enumerate(properties):
        base = 0x80000000 + i * size
        parts += ('memory@%x { device_type = "memory"; reg = <0 0x%x 0 0x%x>; %s };\n'
                  % (base, base, size, more))
    return text[:start] + parts + text[end:]
