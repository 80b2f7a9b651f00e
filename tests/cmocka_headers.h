/* cmocka wants these before its own header. */
#ifndef GS_TESTS_CMOCKA_HEADERS_H
#define GS_TESTS_CMOCKA_HEADERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
