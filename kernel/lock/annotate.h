/* SPDX-License-Identifier: MIT */
/*
 * Lock annotations. clang >= 19 checks them (-Wthread-safety -Wthread-safety-beta, `make check`);
 * gcc, which builds the kernel, ignores them. Arguments take the ampersand, GUARDED_BY(&lock), and
 * the lock stands before the fields it guards.
 */
#ifndef KERNEL_LOCK_ANNOTATE_H
#define KERNEL_LOCK_ANNOTATE_H

#ifdef __clang__
#define LOCK_ATTR(x) __attribute__((x))
#else
#define LOCK_ATTR(x)
#endif

#define CAPABILITY(name) LOCK_ATTR(capability(name))
#define GUARDED_BY(lock) LOCK_ATTR(guarded_by(lock))
#define PT_GUARDED_BY(lock) LOCK_ATTR(pt_guarded_by(lock))
#define REQUIRES(...) LOCK_ATTR(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) LOCK_ATTR(requires_shared_capability(__VA_ARGS__))
#define ACQUIRES(...) LOCK_ATTR(acquire_capability(__VA_ARGS__))
#define ACQUIRES_SHARED(...) LOCK_ATTR(acquire_shared_capability(__VA_ARGS__))
#define RELEASES(...) LOCK_ATTR(release_capability(__VA_ARGS__))
#define RELEASES_SHARED(...) LOCK_ATTR(release_shared_capability(__VA_ARGS__))
#define TRY_ACQUIRES(ok, ...) LOCK_ATTR(try_acquire_capability(ok, __VA_ARGS__))
#define TRY_ACQUIRES_SHARED(ok, ...) LOCK_ATTR(try_acquire_shared_capability(ok, __VA_ARGS__))
#define EXCLUDES(...) LOCK_ATTR(locks_excluded(__VA_ARGS__))
#define ASSERTS_HELD(...) LOCK_ATTR(assert_capability(__VA_ARGS__))
#define RETURNS_LOCK(x) LOCK_ATTR(lock_returned(x))
/* A function whose locking clang cannot follow; the reason stands beside each use. */
#define UNCHECKED_LOCKING LOCK_ATTR(no_thread_safety_analysis)

#endif
