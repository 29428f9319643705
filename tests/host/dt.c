/* SPDX-License-Identifier: MIT */
/* Device trees by qemu and dtc: dt.h. */
#include "tests/host/dt.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fdt.h"
#include "tests/host/harness.h"

static void *tree;

int dt_drop(void **state unused_arg)
{
	free(tree);
	tree = NULL;
	return 0;
}

/* Makes the file's tree the current one: a heap block of exactly its size, so that the sanitizer
 * sees a read behind the end. */
static const void *take(const char *path)
{
	static char data[2 << 20] __attribute__((aligned(8)));
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	unlink(path);
	assert_int_equal(fdt_check(data, n), 0);

	dt_drop(NULL);
	n = fdt_size(data); /* QEMU pads the file */
	tree = malloc(n);
	for (size_t i = 0; i < n; i++)
		((char *)tree)[i] = data[i];
	assert_int_equal(fdt_check(tree, n), 0);
	return tree;
}

static void run(const char *command)
{
	int status = system(command);

	if (status)
		fail_msg("status %d of: %s", status, command);
}

static void temporary(char *path)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
}

const void *dt_qemu(const char *args)
{
	char file[] = "/tmp/dt-XXXXXX", command[512];

	temporary(file);
	snprintf(command, sizeof(command),
		"timeout 60 qemu-system-riscv64 %s -display none -M virt,dumpdtb=%s 2>/dev/null",
		args, file);
	run(command);
	return take(file);
}

const void *dt_source(const char *dts)
{
	char in[] = "/tmp/dts-XXXXXX", file[] = "/tmp/dtb-XXXXXX", command[128];
	FILE *f;

	temporary(in);
	temporary(file);
	f = fopen(in, "w");
	assert_non_null(f);
	fprintf(f, "/dts-v1/;\n%s", dts);
	fclose(f);
	snprintf(command, sizeof(command), "dtc -q -f -I dts -O dtb -o %s %s", file, in);
	run(command);
	unlink(in);
	return take(file);
}

int dt_find(const void *fdt, const char *path)
{
	int node = fdt_find(fdt, path);

	if (node < 0)
		fail_msg("no node %s", path);
	return node;
}
