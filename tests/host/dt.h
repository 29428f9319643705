/* SPDX-License-Identifier: MIT */
/*
 * Device trees for host tests, made at test time by the tools that make them for users. A test has
 * one tree at a time; making the next one frees it. Whatever fails fails the test.
 */
#ifndef TESTS_HOST_DT_H
#define TESTS_HOST_DT_H

#include <stddef.h>

/* QEMU's tree of its machine `virt` with these further arguments. */
const void *dt_qemu(const char *args);
/* The source `dts` through dtc; "/dts-v1/;" is added. */
const void *dt_source(const char *dts);
/* Frees the tree; also a cmocka teardown function. */
int dt_drop(void **state);

/* The node at a path, which must be there. */
int dt_find(const void *fdt, const char *path);

#endif
