/* Character properties and case mapping as Python's str methods see them, without a locale. */
#ifndef GS_JINJA_UNICODE_H
#define GS_JINJA_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

enum gs_jinja_property {
    GS_UNI_ALPHA = 1 << 0,
    GS_UNI_DECIMAL = 1 << 1,
    GS_UNI_DIGIT = 1 << 2,
    GS_UNI_NUMERIC = 1 << 3,
    GS_UNI_SPACE = 1 << 4,
    GS_UNI_UPPER = 1 << 5,
    GS_UNI_LOWER = 1 << 6,
    GS_UNI_TITLE = 1 << 7,
    GS_UNI_PRINTABLE = 1 << 8,
    GS_UNI_ID_START = 1 << 9,
    GS_UNI_ID_PART = 1 << 10,
    GS_UNI_CASE_IGNORABLE = 1 << 11,

    GS_UNI_ALNUM = GS_UNI_ALPHA | GS_UNI_DECIMAL | GS_UNI_DIGIT | GS_UNI_NUMERIC,
    GS_UNI_CASED = GS_UNI_UPPER | GS_UNI_LOWER | GS_UNI_TITLE,
};

/* Does the character have any of `properties`? */
bool gs_jinja_is(uint32_t cp, unsigned properties);

enum gs_jinja_case { GS_CASE_UPPER, GS_CASE_LOWER, GS_CASE_TITLE, GS_CASE_FOLD };

/* The full mapping of one character: writes 1 to 3 characters and returns their number. */
unsigned gs_jinja_case_map(enum gs_jinja_case to, uint32_t cp, uint32_t out[3]);

#endif
