/* SPDX-License-Identifier: MIT */
/*
 * Tables that the linker gathers: any file adds an entry, one file walks them all.
 *
 *	LINKSET_ADD(crash, struct crash, my_crash);	(at file level)
 *
 *	LINKSET_DECLARE(crash, struct crash);
 *	linkset_for_each(crash, struct crash, c)
 *		puts(c->name);
 *
 * The section linkset_NAME holds pointers to the entries, in no particular order; ld marks its
 * bounds, provided that the linker script keeps each linkset_* as an output section of its own
 * name. A set without entries has no section, so the bounds are weak and both 0. Entries may be
 * const: then the walker names `const struct crash` as the type.
 */
#ifndef LIB_LINKSET_H
#define LIB_LINKSET_H

#include "lib/string.h"
#include "lib/types.h"

#define LINKSET_ADD(set, type, obj) \
	static_assert( \
		__builtin_types_compatible_p(__typeof__(obj), type), #obj " is not a " #type); \
	static __typeof__(obj) *const linkset_##set##_##obj \
		__attribute__((used, section("linkset_" #set))) = &(obj)

#define LINKSET_DECLARE(set, type) \
	extern type *const __start_linkset_##set[] __attribute__((weak)); \
	extern type *const __stop_linkset_##set[] __attribute__((weak))

#define linkset_for_each(set, type, ptr) \
	for (type *const *it_##ptr = linkset_hide_(__start_linkset_##set), *ptr; \
		it_##ptr < linkset_hide_(__stop_linkset_##set) && ((ptr = *it_##ptr), true); \
		it_##ptr++)

#define linkset_size(set) \
	((size_t)(linkset_hide_(__stop_linkset_##set) - linkset_hide_(__start_linkset_##set)))

/* The entry whose `name` follows that of `last` (NULL: the first one); NULL at the end. For lists
 * that people read. */
#define linkset_next_by_name(set, type, last) \
	({ \
		type *last_ = (last), *next_ = NULL; \
		linkset_for_each(set, type, entry_) { \
			if (last_ && strcmp(entry_->name, last_->name) <= 0) \
				continue; \
			if (!next_ || strcmp(entry_->name, next_->name) < 0) \
				next_ = entry_; \
		} \
		next_; \
	})
#define linkset_for_each_by_name(set, type, ptr) \
	for (type *ptr = NULL; (ptr = linkset_next_by_name(set, type, ptr)) != NULL;)

/* The compiler must not conclude that two different arrays never meet. */
#define linkset_hide_(array) \
	({ \
		__typeof__(&(array)[0]) hidden_ = (array); \
		__asm__("" : "+r"(hidden_)); \
		hidden_; \
	})

#endif
