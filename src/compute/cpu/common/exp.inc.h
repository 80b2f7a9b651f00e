/* The exponential function and what is made of it. */

/* exp, relative error below 2e-7; 0 below -104, infinity above 89, NaN stays NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor series to r^7 (error 5e-9); 2^n in two
 * factors, so that subnormal results are rounded once. */
SIMD_INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set(89), vf_max(vf_set(-104), x));
    const vf n = vf_round(vf_mul(x, vf_set(1.44269504f)));
    vf r = vf_fma(n, vf_set(-0.693359375f), x); /* ln 2 in two parts, the first exact times n */
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.0f / 5040);
    p = vf_fma(p, r, vf_set(1.0f / 720));
    p = vf_fma(p, r, vf_set(1.0f / 120));
    p = vf_fma(p, r, vf_set(1.0f / 24));
    p = vf_fma(p, r, vf_set(1.0f / 6));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(p, r, vf_set(1));
    p = vf_fma(p, r, vf_set(1));
    const vf half = vf_round(vf_mul(n, vf_set(0.5f)));
    return vf_mul(vf_mul(p, vf_exp2_whole(half)), vf_exp2_whole(vf_sub(n, half)));
}

/* exp(x) for x <= 0, relative error below 3e-7; 0 below -87, NaN stays NaN. As vf_exp(). */
SIMD_INLINE vf vf_exp_neg(vf x)
{
    const vf least = vf_set(-87);
    const vf y = vf_max(least, x);
    const vf n = vf_round(vf_mul(y, vf_set(1.44269504f)));
    vf r = vf_fma(n, vf_set(-0.693359375f), y);
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.0f / 720);
    p = vf_fma(p, r, vf_set(1.0f / 120));
    p = vf_fma(p, r, vf_set(1.0f / 24));
    p = vf_fma(p, r, vf_set(1.0f / 6));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(p, r, vf_set(1));
    p = vf_fma(p, r, vf_set(1));
    return vf_if_less(x, least, vf_zero(), vf_mul(p, vf_exp2_whole(n)));
}

/* cap tanh(s / cap), with tanh(x) = 1 - 2 / (e^2x + 1) and e^-2|x|. */
SIMD_INLINE vf vf_softcap(vf s, float cap)
{
    const vf x = vf_mul(s, vf_set(1 / cap));
    const vf e = vf_exp_neg(vf_mul(vf_set(-2), vf_abs(x)));
    const vf t = vf_mul(vf_set(cap), vf_div(vf_sub(vf_set(1), e), vf_add(vf_set(1), e)));

    return vf_if_less(x, vf_zero(), vf_sub(vf_zero(), t), t);
}
