/* NVFP4 has no golden file: every scale with every value against the definition of its two number
 * formats (sign, exponent, mantissa), evaluated in double. */
#include <math.h>

#include "cmocka_headers.h"
#include "compute/blocks.h"
#include "compute/tensor.h"
#include "gguf/type.h"

/* A number of `mantissa` bits below an exponent of that bias; the sign is the caller's. */
static double small_float(unsigned bits, int mantissa, int bias)
{
    const int exponent = (int)(bits >> mantissa);
    const double fraction = ldexp(bits & ((1u << mantissa) - 1), -mantissa);

    return exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias);
}

static double scale_of(unsigned byte)
{
    return byte == 0x7f ? 0 : small_float(byte & 0x7f, 3, 7);
}

static double value_of(unsigned nibble)
{
    const double v = small_float(nibble & 7, 1, 1);

    return nibble & 8 ? -v : v;
}

static void test_all_values(void **state)
{
    (void)state;
    assert_int_equal(gs_type_block_bytes(GS_TYPE_NVFP4), sizeof(struct gs_block_nvfp4));
    for (unsigned scale = 0; scale < 256; scale++) {
        struct gs_block_nvfp4 b;
        float out[64];
        for (unsigned i = 0; i < 4; i++)
            b.d[i] = (uint8_t)(scale + 77 * i);
        for (unsigned i = 0; i < 32; i++)
            b.qs[i] = (uint8_t)(i % 16 | (i * 7 + 3) % 16 << 4);
        gs_compute_dequant_row(GS_TYPE_NVFP4, &b, out, 64);
        for (unsigned i = 0; i < 64; i++) {
            const unsigned byte = b.qs[i / 16 * 8 + i % 8];
            const double value = value_of(i % 16 < 8 ? byte & 15 : byte >> 4);
            assert_true((double)out[i] == scale_of(b.d[i / 16]) * value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
