# SPDX-License-Identifier: MIT
"""Turns a configuration into what the compiler and make read.

usage: autoconf.py KCONFIG DOTCONFIG OUTDIR [--defconfig FILE]

With --defconfig, DOTCONFIG is first made from FILE. Then OUTDIR/autoconf.h (every option as a
number: a bool is 0 or 1, so that code asks with `if (CONFIG_X)`) and OUTDIR/config.mk (the same for
make, empty for a bool that is off) are written, autoconf.h only if its text has changed: what
depends on it is compiled again only then.
"""
import argparse
import os
import sys

import kconfiglib


def number(sym):
    if sym.type == kconfiglib.BOOL:
        return "1" if sym.str_value == "y" else "0"
    if sym.type == kconfiglib.STRING:
        return '"%s"' % kconfiglib.escape(sym.str_value)
    return sym.str_value


def make_value(sym):
    if sym.type == kconfiglib.BOOL:
        return "y" if sym.str_value == "y" else ""
    return sym.str_value


def write_if_changed(path, text):
    try:
        with open(path) as old:
            if old.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path + ".new", "w") as new:
        new.write(text)
    os.replace(path + ".new", path)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("kconfig")
    args.add_argument("dotconfig")
    args.add_argument("outdir")
    args.add_argument("--defconfig")
    args = args.parse_args()

    kconf = kconfiglib.Kconfig(args.kconfig, warn_to_stderr=False)
    kconf.warn_assign_undef = True
    kconf.load_config(args.defconfig or args.dotconfig)
    wrong = [w for w in kconf.warnings if "undefined symbol" in w or "assigned" in w]
    if args.defconfig and wrong:
        sys.exit("\n".join(wrong))

    os.makedirs(args.outdir, exist_ok=True)
    if args.defconfig:
        kconf.write_config(args.dotconfig)
    syms = [s for s in kconf.unique_defined_syms if s.nodes]
    header = "".join("#define CONFIG_%s %s\n" % (s.name, number(s)) for s in syms)
    write_if_changed(os.path.join(args.outdir, "autoconf.h"), header)
    with open(os.path.join(args.outdir, "config.mk"), "w") as mk:
        mk.writelines("CONFIG_%s := %s\n" % (s.name, make_value(s)) for s in syms)


if __name__ == "__main__":
    main()
