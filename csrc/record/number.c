/*
 * number.c - decimal text to double and float, see number.h.
 *
 * Three steps: exact arithmetic for short numbers (15 digits, powers of ten up to 22);
 * Eisel-Lemire's 128-bit product for all others; and, where digits beyond the 19th
 * decide, a comparison of big integers with the midpoint between the two candidates.
 */
#include "record/number.h"

enum {
    DIGITS_KEPT = 800, /* more cannot change the result; the rest counts as "not zero" */
    LIMBS = 300, /* 9600 bits: 800 digits times 10^308, or a midpoint times 5^1150 */
    EXP_MAX = 100000,
};

typedef struct decimal {
    uint64_t w;    /* the first 19 digits */
    int64_t exp10; /* of w */
    bool more;     /* digits beyond w that are not zero */
    bool negative;
    const char *first; /* first significant digit, for the exact way */
    const char *end;   /* end of the digits */
    size_t digits;     /* significant digits in all */
    int64_t exp_last;  /* exponent of the last digit */
} decimal;

typedef struct binary {
    int mantissa_bits, min_exp, inf_exp, q_min, q_max, even_min, even_max;
} binary;

static const binary DOUBLE = {52, -1023, 0x7FF, -342, 308, -4, 23};
static const binary FLOAT = {23, -127, 0xFF, -64, 38, -17, 10};

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    int64_t value = 0;
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (; p < end; p++)
        if (value < EXP_MAX)
            value = value * 10 + (*p - '0');
    return negative ? -value : value;
}

static decimal read_decimal(pst_sv text)
{
    decimal d = {0};
    const char *p = text.p, *end = text.p + text.n;
    int64_t fraction = 0, dropped = 0;
    int kept = 0;
    bool point = false;
    if (p < end && (*p == '-' || *p == '+'))
        d.negative = *p++ == '-';
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        unsigned digit = (unsigned)(*p - '0');
        fraction += point;
        if (d.digits == 0 && digit == 0)
            continue;
        if (d.digits++ == 0)
            d.first = p;
        if (kept < 19) {
            d.w = d.w * 10 + digit;
            kept++;
        } else {
            dropped++;
            d.more |= digit != 0;
        }
    }
    d.end = p;
    int64_t exp10 = p < end ? read_exponent(p + 1, end) : 0;
    d.exp_last = exp10 - fraction;
    d.exp10 = d.exp_last + dropped;
    return d;
}

/* The bits (without sign) of w * 10^q, correctly rounded for an exact w. */
static uint64_t product_bits(uint64_t w, int64_t q, const binary *b)
{
    uint64_t inf = (uint64_t)b->inf_exp << b->mantissa_bits;
    if (w == 0 || q < b->q_min - 20 || q < PST_POW5_MIN)
        return 0;
    if (q > b->q_max)
        return inf;
    int lz = __builtin_clzll(w);
    w <<= lz;
    const uint64_t *pow5 = pst_number_pow5[q - PST_POW5_MIN];
    unsigned __int128 first = (unsigned __int128)w * pow5[0];
    uint64_t upper = (uint64_t)(first >> 64), lower = (uint64_t)first;
    uint64_t mask = UINT64_MAX >> (b->mantissa_bits + 3);
    if ((upper & mask) == mask) {
        uint64_t second = (uint64_t)(((unsigned __int128)w * pow5[1]) >> 64);
        lower += second;
        upper += lower < second;
    }
    int top = (int)(upper >> 63);
    int shift = top + 64 - b->mantissa_bits - 3;
    uint64_t mantissa = upper >> shift;
    int64_t power2 = ((217706 * q) >> 16) + 63 + top - lz - b->min_exp;
    if (power2 <= 0) {
        if (-power2 + 1 >= 64)
            return 0;
        mantissa >>= -power2 + 1;
        mantissa += mantissa & 1;
        return mantissa >> 1; /* carries into the exponent by itself */
    }
    if (lower <= 1 && q >= b->even_min && q <= b->even_max && (mantissa & 3) == 1 &&
        mantissa << shift == upper)
        mantissa &= ~(uint64_t)1;
    mantissa += mantissa & 1;
    mantissa >>= 1;
    if (mantissa >= (uint64_t)2 << b->mantissa_bits) {
        mantissa = (uint64_t)1 << b->mantissa_bits;
        power2++;
    }
    if (power2 >= b->inf_exp)
        return inf;
    return (mantissa & ~((uint64_t)1 << b->mantissa_bits)) | (uint64_t)power2
                                                                 << b->mantissa_bits;
}

/* ---- the exact decision ---- */

typedef struct big {
    uint32_t limb[LIMBS];
    size_t n;
} big;

static void big_mul_add(big *x, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < x->n; i++) {
        carry += (uint64_t)x->limb[i] * factor;
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && x->n < LIMBS)
        x->limb[x->n++] = (uint32_t)carry;
}

static void big_pow5(big *x, int64_t power)
{
    for (; power >= 13; power -= 13)
        big_mul_add(x, 1220703125u, 0);
    for (; power > 0; power--)
        big_mul_add(x, 5, 0);
}

static void big_shift(big *x, int64_t bits)
{
    for (; bits >= 31; bits -= 31)
        big_mul_add(x, 1u << 31, 0);
    big_mul_add(x, 1u << bits, 0);
}

static int big_cmp(const big *a, const big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void big_digits(big *x, const decimal *d, int64_t *exp10)
{
    size_t taken = 0;
    x->n = 0;
    for (const char *p = d->first; p < d->end && taken < DIGITS_KEPT; p++) {
        if (*p == '.')
            continue;
        big_mul_add(x, 10, (uint32_t)(*p - '0'));
        taken++;
    }
    *exp10 = d->exp_last + (int64_t)(d->digits - taken);
    if (d->digits > taken) { /* stands for any digits that follow */
        big_mul_add(x, 10, 1);
        *exp10 -= 1;
    }
}

/* Is the number above (1), at (0) or below (-1) the midpoint of bits and bits + 1? */
static int cmp_midpoint(const decimal *d, uint64_t bits, const binary *b)
{
    big x, mid = {.n = 0};
    int64_t exp10, exp2 = (int64_t)(bits >> b->mantissa_bits);
    uint64_t m = bits & (((uint64_t)1 << b->mantissa_bits) - 1);
    big_digits(&x, d, &exp10);
    if (exp2)
        m |= (uint64_t)1 << b->mantissa_bits;
    else
        exp2 = 1;
    exp2 += b->min_exp - b->mantissa_bits - 1; /* of 2m + 1 */
    m = 2 * m + 1;
    big_mul_add(&mid, 1, (uint32_t)(m >> 32));
    big_shift(&mid, 16);
    big_shift(&mid, 16);
    big_mul_add(&mid, 1, (uint32_t)m);
    if (exp10 >= 0)
        big_pow5(&x, exp10);
    else
        big_pow5(&mid, -exp10);
    if (exp10 > exp2)
        big_shift(&x, exp10 - exp2);
    else
        big_shift(&mid, exp2 - exp10);
    return big_cmp(&x, &mid);
}

static uint64_t decimal_bits(const decimal *d, const binary *b)
{
    uint64_t low = product_bits(d->w, d->exp10, b);
    if (!d->more)
        return low;
    uint64_t high = product_bits(d->w + 1, d->exp10, b);
    if (high == low)
        return low;
    int side = cmp_midpoint(d, low, b);
    return side > 0 || (side == 0 && (low & 1)) ? low + 1 : low;
}

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

double pst_number_double(uint64_t w, int64_t exp10, bool negative)
{
    double value;
    if (w <= (uint64_t)1 << 53 && exp10 >= -22 && exp10 <= 22) {
        value = (double)w;
        value = exp10 < 0 ? value / POWERS[-exp10] : value * POWERS[exp10];
    } else {
        uint64_t bits = product_bits(w, exp10, &DOUBLE);
        memcpy(&value, &bits, sizeof value);
    }
    return negative ? -value : value;
}

static float float_of_bits(uint64_t wide, bool negative)
{
    uint32_t bits = (uint32_t)wide;
    float value;
    memcpy(&value, &bits, sizeof value);
    return negative ? -value : value;
}

float pst_number_float(uint64_t w, int64_t exp10, bool negative)
{
    return float_of_bits(product_bits(w, exp10, &FLOAT), negative);
}

double pst_number_to_double(pst_sv text)
{
    decimal d = read_decimal(text);
    if (!d.more)
        return pst_number_double(d.w, d.exp10, d.negative);
    double value;
    uint64_t bits = decimal_bits(&d, &DOUBLE);
    memcpy(&value, &bits, sizeof value);
    return d.negative ? -value : value;
}

float pst_number_to_float(pst_sv text)
{
    decimal d = read_decimal(text);
    return float_of_bits(decimal_bits(&d, &FLOAT), d.negative);
}
