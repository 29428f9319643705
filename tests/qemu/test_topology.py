# SPDX-License-Identifier: MIT
"""Harts, memory and what is near what: QEMU's NUMA machine, and trees that say odd things."""
import re

import tree
from guest import EXIT, run

NUMA = ["-object", "memory-backend-ram,size=128M,id=m0",
        "-object", "memory-backend-ram,size=256M,id=m1",
        "-numa", "node,memdev=m0,cpus=0-1", "-numa", "node,memdev=m1,cpus=2-3",
        "-numa", "dist,src=0,dst=1,val=25"]


def nodes(text):
    """{node: (id, KiB, free KiB, distances, local, lent, from others, harts)} of `topo`."""
    found = {}
    pieces = re.split(r"^node (\d+) +id ", text, flags=re.M)[1:]
    for number, piece in zip(pieces[::2], pieces[1::2]):
        head = re.match(r"(\d+), memory (\d+) KiB, free (\d+) KiB, distances((?: \d+)+)\n"
                        r" +pages given: (\d+) local, (\d+) lent, (\d+) from other nodes\n", piece)
        assert head, piece
        ident, size, free, distances, *given = head.groups()
        harts = [int(h) for h in re.findall(r"^ +core \d+ +hart (\d+), hartid", piece, re.M)]
        found[int(number)] = (int(ident), int(size), int(free),
                              [int(d) for d in distances.split()], *map(int, given), harts)
    return found


def test_numa_machine_is_shown_and_its_memory_used_by_the_harts_near_it():
    got = run("topo; mem; test topo.", smp=4, mem="384M", extra=NUMA)
    assert got.status == EXIT["EXIT_OK"], got.text
    told = nodes(got.text)
    assert [n[:2] for n in told.values()] == [(0, 128 << 10), (1, 256 << 10)], got.text
    assert [n[3] for n in told.values()] == [[10, 25], [25, 10]], got.text
    assert [n[7] for n in told.values()] == [[0, 1], [2, 3]], got.text
    assert all(0 < n[2] < n[1] for n in told.values()), got.text
    assert got.lines(r"^near harts first: (.*)") == ["cluster, then all"], got.text
    assert len(got.lines(r"^ +core .*, the boot hart$")) == 1, got.text
    # The border of the nodes is one of ranges, too.
    assert got.lines(r"^range +0x(\w+)-0x(\w+), .* node (\d)") == [
        ("80000000", "87ffffff", "0"), ("88000000", "97ffffff", "1")], got.text
    assert len(got.lines(r"^node (\d) +pages given \d+ local")) == 2, got.text


def test_machine_without_nodes_is_one(tmp_path):
    got = run("topo", smp=2)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert [n[3] for n in nodes(got.text).values()] == [[10]], got.text
    assert nodes(got.text)[0][7] == [0, 1], got.text
    assert "topology:" not in got.text and "all are as near" in got.text, got.text


def ident(number):
    return "numa-node-id = <%d>;" % number


def test_node_without_harts_and_node_without_memory(tmp_path):
    text = tree.split_memory(tree.dump(tmp_path, 2), 256, ident(4), ident(7))
    text = tree.insert(tree.insert(text, "cpu@0", ident(4)), "cpu@1", ident(5))
    text = tree.add_node(text, "distance-map",
                         'compatible = "numa-distance-map-v1"; '
                         "distance-matrix = <4 5 90 4 7 50 5 7 30>;", "")
    got = run("topo; test topo.; topo", smp=2, dtb=tree.build(tmp_path, text))
    assert got.status == EXIT["EXIT_OK"], got.text
    assert "is not used" not in got.text, got.text
    told = nodes(got.text)		# the second time
    assert [n[0] for n in told.values()] == [4, 5, 7], got.text
    assert [n[1] for n in told.values()] == [128 << 10, 0, 128 << 10], got.text
    assert told[1][3] == [90, 10, 30] and [n[7] for n in told.values()] == [[0], [1], []], got.text
    assert "no harts" in got.text, got.text
    # Its hart has to look elsewhere, and finds the nearest.
    assert told[1][4:6] == (0, 0) and told[1][6] > 0, got.text
    assert told[2][5] >= told[1][6], got.text	# read a moment later


def flat(got, harts):
    """One node, one cluster, all harts in it."""
    assert got.status == EXIT["EXIT_OK"], got.text
    assert len(nodes(got.text)) == 1 and len(nodes(got.text)[0][7]) == harts, got.text
    assert got.lines(r"^  cluster") == ["  cluster"], got.text


def test_nonsense_about_nodes_is_one_line_and_all_memory_is_one_node(tmp_path):
    text = tree.split_memory(tree.dump(tmp_path, 2), 256, ident(0), "")
    got = run("topo", smp=2, dtb=tree.build(tmp_path, text))
    flat(got, 2)
    assert got.lines(r"topology: the tree's (.*)") == [
        "NUMA is not used: a hart or memory lacks a numa-node-id that others have"], got.text
    assert nodes(got.text)[0][1] == 256 << 10, got.text


def test_nonsense_about_distances_and_clusters_is_a_line_each(tmp_path):
    text = tree.dump(tmp_path, 2)
    text = tree.edit(text, "core1", r"cpu = <\w+>", "cpu = <0x7777>")
    text = tree.add_node(text, "distance-map", 'compatible = "numa-distance-map-v1"; '
                         "distance-matrix = <0 0 11>;", "")
    got = run("topo", smp=2, dtb=tree.build(tmp_path, text))
    flat(got, 2)
    assert got.lines(r"topology: the tree's (\S+) is not used") == ["distance-map", "cpu-map"], \
        got.text


def test_ranges_that_share_a_large_block_keep_their_pages_apart(tmp_path):
    """One ends, and the next begins, inside the same 4 MiB."""
    text = tree.edit(tree.dump(tmp_path, 2, "256M"), r"memory@80000000", r"reg = <[^>]+>",
                     "reg = <0x0 0x80000000 0x0 0x6101000 0x0 0x86103000 0x0 0x9efd000>")
    got = run("mem; test mm_page", smp=2, dtb=tree.build(tmp_path, text))
    assert got.status == EXIT["EXIT_OK"], got.text
    assert got.lines(r"^range +0x(\w+)-0x(\w+),") == [
        ("80000000", "86100fff"), ("86103000", "8fffffff")], got.text
