/* Compiler attributes, in one place. */
#ifndef GS_BASE_COMPILER_H
#define GS_BASE_COMPILER_H

#include "genset/status.h" /* GS_API, GS_MUST_CHECK */

#define GS_PRINTF(fmt_idx, arg_idx) __attribute__((format(printf, fmt_idx, arg_idx)))
#define GS_ALIGNED(n)               __attribute__((aligned(n)))
#define GS_UNUSED                   __attribute__((unused))
#define GS_NOINLINE                 __attribute__((noinline))
#define GS_TYPEOF(x)                __typeof__(x)

#define GS_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define GS_MIN(a, b)   ((a) < (b) ? (a) : (b))
#define GS_MAX(a, b)   ((a) > (b) ? (a) : (b))

#if defined(__x86_64__)
#define GS_ARCH_X86 1
#else
#define GS_ARCH_X86 0
#endif
#if defined(__aarch64__)
#define GS_ARCH_ARM 1
#else
#define GS_ARCH_ARM 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define GS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GS_ASAN 1
#endif
#endif
#ifndef GS_ASAN
#define GS_ASAN 0
#endif

#endif
