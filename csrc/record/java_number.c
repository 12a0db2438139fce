/*
 * java_number.c - numbers to Java's text, see number.h.
 *
 * JDK 17's Double.toString develops decimal digits from exact integers until the
 * remainder is within half a unit of the last place, with three peculiarities that show:
 * values with few bits print as plain integers, the exponent form always develops two
 * digits, and the interval's ends count differently in 64-bit and in big arithmetic. We
 * do the same arithmetic in 64 bits and, beyond, in small big integers. In front of it
 * stands a short cut for what data is made of (at most 15 digits, 1e-3 <= |x| < 1e7),
 * where all agree.
 */
#include "record/number.h"

#include <math.h>
#include <stdio.h>

enum { LIMBS = 40, MAX_DIGITS = 24, MANTISSA = 52 };

typedef struct digits {
    char at[MAX_DIGITS];
    size_t n;
    int exp; /* the point stands before digit `exp` */
} digits;

static const uint64_t POW10[] = {1u,
                                 10u,
                                 100u,
                                 1000u,
                                 10000u,
                                 100000u,
                                 1000000u,
                                 10000000u,
                                 100000000u,
                                 1000000000u,
                                 10000000000u,
                                 100000000000u,
                                 1000000000000u,
                                 10000000000000u,
                                 100000000000000u,
                                 1000000000000000u,
                                 10000000000000000u,
                                 100000000000000000u,
                                 1000000000000000000u};

static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

void pst_number_padded(char *out, uint64_t value, size_t width)
{
    while (width >= 2) {
        width -= 2;
        memcpy(out + width, PAIRS + 2 * (value % 100), 2);
        value /= 100;
    }
    if (width)
        out[0] = (char)('0' + value % 10);
}

static size_t count_digits(uint64_t value)
{
    size_t n = 1;
    while (n < 19 && value >= POW10[n])
        n++;
    return n + (n == 19 && value >= 10000000000000000000u);
}

size_t pst_number_of_long(char *out, int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t sign = value < 0, n = count_digits(magnitude);
    out[0] = '-';
    pst_number_padded(out + sign, magnitude, n);
    return n + sign;
}

/* ---- big integers ---- */

typedef struct big {
    uint32_t limb[LIMBS];
    int n;
} big;

static void big_set(big *x, uint64_t value)
{
    x->limb[0] = (uint32_t)value;
    x->limb[1] = (uint32_t)(value >> 32);
    x->n = x->limb[1] ? 2 : x->limb[0] ? 1 : 0;
}

static void big_mul(big *x, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < x->n; i++) {
        carry += (uint64_t)x->limb[i] * factor;
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        x->limb[x->n++] = (uint32_t)carry;
}

/* value * 5^p5 * 2^p2; everything a double needs stays below 40 limbs. */
static void big_make(big *x, uint64_t value, int p5, int p2)
{
    big_set(x, value);
    for (; p5 >= 13; p5 -= 13)
        big_mul(x, 1220703125u);
    for (; p5 > 0; p5--)
        big_mul(x, 5);
    int words = p2 / 32;
    big_mul(x, 1u << (p2 % 32));
    memmove(x->limb + words, x->limb, (size_t)x->n * sizeof *x->limb);
    memset(x->limb, 0, (size_t)words * sizeof *x->limb);
    x->n += x->n ? words : 0;
}

static int big_cmp(const big *a, const big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void big_add(big *sum, const big *a, const big *b)
{
    uint64_t carry = 0;
    int n = a->n > b->n ? a->n : b->n;
    for (int i = 0; i < n; i++) {
        carry += (uint64_t)(i < a->n ? a->limb[i] : 0) + (i < b->n ? b->limb[i] : 0);
        sum->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    sum->n = n;
    if (carry)
        sum->limb[sum->n++] = (uint32_t)carry;
}

/* x -= y * factor, which must not go below zero. */
static void big_sub_mul(big *x, const big *y, uint32_t factor)
{
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (int i = 0; i < x->n; i++) {
        carry += i < y->n ? (uint64_t)y->limb[i] * factor : 0;
        borrow += (int64_t)x->limb[i] - (int64_t)(uint32_t)carry;
        x->limb[i] = (uint32_t)borrow;
        borrow >>= 32;
        carry >>= 32;
    }
    while (x->n && x->limb[x->n - 1] == 0)
        x->n--;
}

/* Answers b / s (0…9) and leaves 10 * (b % s) in b. The quotient is estimated from the
   top limbs, low by at most two, and corrected by comparing. */
static unsigned big_digit(big *b, const big *s)
{
    unsigned q = 0;
    if (b->n >= s->n) {
        int top = s->n - 1;
        uint64_t num = b->n > s->n ? (uint64_t)b->limb[top + 1] << 32 : 0;
        num |= b->limb[top];
        q = (unsigned)(num / ((uint64_t)s->limb[top] + 1));
        if (q)
            big_sub_mul(b, s, q);
        while (big_cmp(b, s) >= 0) {
            big_sub_mul(b, s, 1);
            q++;
        }
    }
    big_mul(b, 10);
    return q;
}

/* ---- JDK 17's digits ---- */

typedef struct state {
    int decExp;
    bool low, high;
    int tie; /* sign of 2b - tens */
} state;

static void round_up(digits *d)
{
    size_t i = d->n - 1;
    while (d->at[i] == '9' && i > 0)
        d->at[i--] = '0';
    if (d->at[i] == '9') { /* all nines */
        d->at[0] = '1';
        d->exp++;
        return;
    }
    d->at[i]++;
}

static void finish(digits *d, const state *st)
{
    d->exp = st->decExp + 1;
    if (!st->high)
        return;
    if (!st->low || st->tie > 0 || (st->tie == 0 && (d->at[d->n - 1] & 1)))
        round_up(d);
}

static const int8_t BITS_OF_5[] = {0,  3,  5,  7,  10, 12, 14, 17, 19, 21, 24, 26, 28, 31,
                                   33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56, 59, 61};
enum { N_BITS_OF_5 = sizeof BITS_OF_5 };

static int bits_of_5(int power)
{
    return power < N_BITS_OF_5 ? BITS_OF_5[power] : power * 3;
}

static uint64_t pow5(int power)
{
    uint64_t value = 1;
    while (power-- > 0)
        value *= 5;
    return value;
}

/* 64-bit arithmetic that wraps where Java's does. */
static void develop_long(digits *d, state *st, uint64_t fract, int B5, int B2, int S5,
                         int S2, int M5, int M2)
{
    int64_t b = (int64_t)((fract * pow5(B5)) << B2);
    int64_t s = (int64_t)(pow5(S5) << S2);
    int64_t m = (int64_t)((pow5(M5) << M2) * 10);
    int64_t tens = (int64_t)((uint64_t)s * 10);
    int64_t q = b / s;
    b = 10 * (b % s);
    st->low = b < m;
    st->high = (int64_t)((uint64_t)b + (uint64_t)m) > tens;
    if (q == 0 && !st->high)
        st->decExp--;
    else
        d->at[d->n++] = (char)('0' + q);
    if (st->decExp < -3 || st->decExp >= 8)
        st->low = st->high = false;
    while (!st->low && !st->high && d->n < MAX_DIGITS - 1) {
        q = b / s;
        b = 10 * (b % s);
        m = (int64_t)((uint64_t)m * 10);
        st->low = m > 0 ? b < m : true;
        st->high = m > 0 ? (int64_t)((uint64_t)b + (uint64_t)m) > tens : true;
        d->at[d->n++] = (char)('0' + q);
    }
    int64_t diff = (int64_t)(((uint64_t)b << 1) - (uint64_t)tens);
    st->tie = diff < 0 ? -1 : diff > 0;
}

static void develop_big(digits *d, state *st, uint64_t fract, int B5, int B2, int S5,
                        int S2, int M5, int M2)
{
    big b, s, m, tens, sum;
    big_make(&s, 1, S5, S2);
    int bias = __builtin_clz(s.limb[s.n - 1]);
    bias = bias > 4 ? bias - 4 : bias + 28; /* as much room as digit estimates like */
    big_make(&s, 1, S5, S2 + bias);
    big_make(&b, fract, B5, B2 + bias);
    big_make(&m, 1, M5 + 1, M2 + bias + 1);
    big_make(&tens, 1, S5 + 1, S2 + bias + 1);
    unsigned q = big_digit(&b, &s);
    big_add(&sum, &b, &m);
    st->low = big_cmp(&b, &m) < 0;
    st->high = big_cmp(&tens, &sum) <= 0;
    if (q == 0 && !st->high)
        st->decExp--;
    else
        d->at[d->n++] = (char)('0' + q);
    if (st->decExp < -3 || st->decExp >= 8)
        st->low = st->high = false;
    while (!st->low && !st->high && d->n < MAX_DIGITS - 1) {
        q = big_digit(&b, &s);
        big_mul(&m, 10);
        big_add(&sum, &b, &m);
        st->low = big_cmp(&b, &m) < 0;
        st->high = big_cmp(&tens, &sum) <= 0;
        d->at[d->n++] = (char)('0' + q);
    }
    big_mul(&b, 2);
    st->tie = st->low && st->high ? big_cmp(&b, &tens) : 0;
}

/* A value whose bits end before the point, as an integer; digits below the precision of
   the type are rounded away. */
static void integer_digits(digits *d, uint64_t value, int insignificant)
{
    int exp = insignificant;
    if (insignificant) {
        uint64_t unit = POW10[insignificant], rest = value % unit;
        value = value / unit + (rest >= unit >> 1);
    }
    while (value % 10 == 0) {
        value /= 10;
        exp++;
    }
    d->n = count_digits(value);
    pst_number_padded(d->at, value, d->n);
    d->exp = exp + (int)d->n;
}

static int estimate_exp(uint64_t fract, int bin_exp)
{
    uint64_t bits =
        (uint64_t)1023 << MANTISSA | (fract & (((uint64_t)1 << MANTISSA) - 1));
    double d2;
    memcpy(&d2, &bits, sizeof d2);
    return (int)floor((d2 - 1.5) * 0.289529654 + 0.176091259 +
                      (double)bin_exp * 0.301029995663981);
}

/* fract has its top bit at MANTISSA; significant counts the type's bits. */
static void jdk17_digits(digits *d, uint64_t fract, int bin_exp, int significant)
{
    int tail = __builtin_ctzll(fract), bits = MANTISSA + 1 - tail;
    int tiny = bits - bin_exp - 1 > 0 ? bits - bin_exp - 1 : 0;
    d->n = 0;
    if (bin_exp <= 62 && bin_exp >= -21 && tiny == 0) {
        int insignificant = bin_exp > significant ? bin_exp - significant - 1 : 0;
        insignificant = insignificant > 1 ? insignificant * 30103 / 100000 : 0;
        uint64_t value = bin_exp >= MANTISSA ? fract << (bin_exp - MANTISSA)
                                             : fract >> (MANTISSA - bin_exp);
        integer_digits(d, value, insignificant);
        return;
    }
    state st = {.decExp = estimate_exp(fract, bin_exp)};
    int B5 = st.decExp < 0 ? -st.decExp : 0, B2 = B5 + tiny + bin_exp;
    int S5 = st.decExp > 0 ? st.decExp : 0, S2 = S5 + tiny;
    int M5 = B5, M2 = B2 - significant;
    fract >>= tail;
    B2 -= bits - 1;
    int common = B2 < S2 ? B2 : S2;
    B2 -= common;
    S2 -= common;
    M2 -= common;
    if (bits == 1)
        M2 -= 1;
    if (M2 < 0) {
        B2 -= M2;
        S2 -= M2;
        M2 = 0;
    }
    int b_bits = bits + B2 + bits_of_5(B5);
    int tens_bits = S2 + 1 + bits_of_5(S5 + 1);
    if (b_bits < 64 && tens_bits < 64)
        develop_long(d, &st, fract, B5, B2, S5, S2, M5, M2);
    else
        develop_big(d, &st, fract, B5, B2, S5, S2, M5, M2);
    finish(d, &st);
}

/* ---- layout ---- */

static size_t lay_out(char *out, const digits *d, bool negative)
{
    char *p = out;
    size_t whole = d->exp > 0 ? (size_t)d->exp : 0;
    if (negative)
        *p++ = '-';
    if (d->exp > 0 && d->exp < 8) {
        size_t n = d->n < whole ? d->n : whole;
        memcpy(p, d->at, n);
        memset(p + n, '0', whole - n);
        p += whole;
        *p++ = '.';
        if (d->n > n)
            memcpy(p, d->at + n, d->n - n);
        p += d->n - n;
        if (d->n <= whole)
            *p++ = '0';
    } else if (d->exp <= 0 && d->exp > -3) {
        memcpy(p, "0.000", 5);
        p += 2 - d->exp;
        memcpy(p, d->at, d->n);
        p += d->n;
    } else {
        *p++ = d->at[0];
        *p++ = '.';
        if (d->n > 1)
            memcpy(p, d->at + 1, d->n - 1);
        else
            *p = '0';
        p += d->n > 1 ? d->n - 1 : 1;
        *p++ = 'E';
        p += pst_number_of_long(p, d->exp - 1);
    }
    return (size_t)(p - out);
}

static size_t special(char *out, double value)
{
    const char *text = isnan(value) ? "NaN"
                       : value > 0  ? "Infinity"
                       : value < 0  ? "-Infinity"
                                    : "";
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

static size_t zero(char *out, bool negative)
{
    memcpy(out, negative ? "-0.0" : "0.0", negative ? 4 : 3);
    return negative ? 4 : 3;
}

/* At most 15 digits: one multiplication and one division decide. */
static bool short_digits(digits *d, double x)
{
    static const double scale[] = {1e15, 1e14, 1e13, 1e12, 1e11, 1e10, 1e9, 1e8};
    size_t whole = x < 1 ? 0 : x < 10 ? 1 : count_digits((uint64_t)x);
    double scaled = x * scale[whole];
    uint64_t n = (uint64_t)(scaled + 0.5);
    if (n >= POW10[15] || (double)n / scale[whole] != x)
        return false;
    size_t len = 15;
    while (n % 10000 == 0 && len > 4) {
        n /= 10000;
        len -= 4;
    }
    while (n % 10 == 0) {
        n /= 10;
        len--;
    }
    d->n = count_digits(n);
    pst_number_padded(d->at, n, d->n);
    d->exp = (int)whole - (int)(len - d->n);
    return true;
}

/* The next number of as many digits: d.ddd becomes one unit more in its last place. */
static bool next_digits(char *text, int n)
{
    for (int i = n; i >= 0; i--) {
        if (text[i] == '.')
            continue;
        if (text[i] != '9') {
            text[i]++;
            return true;
        }
        text[i] = '0';
    }
    return false;
}

/* The fewest digits that read back as the same value, two at least, as Java shows them;
   of those the closest. What is above a power of two may be farther off and still be it,
   when what is below is not. */
static void shortest_digits(digits *d, double x, bool is_float)
{
    char text[40];
    for (int n = 2; n <= 17; n++) {
        int wrote = snprintf(text, sizeof text, "%.*e", n - 1, x);
        char *e = wrote > 0 ? memchr(text, 'e', (size_t)wrote) : NULL;
        if (!e)
            return;
        text[1] = '.'; /* whatever the locale made of the point */
        pst_sv sv = {text, (size_t)wrote};
        bool same = false;
        for (int step = 0; step < 2 && !same; step++)
            same = (step == 0 || next_digits(text, n)) &&
                   (is_float ? pst_number_to_float(sv) == (float)x
                             : pst_number_to_double(sv) == x);
        if (same) {
            int64_t exp = 0;
            (void)pst_sv_to_i64((pst_sv){e + 2, (size_t)(text + wrote - e - 2)}, &exp);
            d->exp = (int)(e[1] == '-' ? -exp : exp) + 1;
            d->at[0] = text[0];
            d->n = (size_t)n;
            memcpy(d->at + 1, text + 2, (size_t)n - 1);
            break;
        }
    }
    while (d->n > 1 && d->at[d->n - 1] == '0')
        d->n--;
}

size_t pst_number_of_double(char *out, double value, enum pst_number_format format)
{
    bool negative = signbit(value);
    if (!isfinite(value))
        return special(out, value);
    if (value == 0)
        return zero(out, negative);
    digits d = {.n = 0};
    double x = negative ? -value : value;
    if (x >= 1e-3 && x < 1e7 && short_digits(&d, x))
        return lay_out(out, &d, negative);
    if (format == PST_NUMBER_SHORTEST) {
        shortest_digits(&d, x, false);
        return lay_out(out, &d, negative);
    }
    uint64_t raw;
    memcpy(&raw, &x, sizeof raw);
    uint64_t fract = raw & (((uint64_t)1 << MANTISSA) - 1);
    int exp = (int)(raw >> MANTISSA), significant = MANTISSA + 1;
    if (exp == 0) {
        int shift = __builtin_clzll(fract) - (63 - MANTISSA);
        significant = 64 - __builtin_clzll(fract);
        fract <<= shift;
        exp = 1 - shift;
    } else {
        fract |= (uint64_t)1 << MANTISSA;
    }
    jdk17_digits(&d, fract, exp - 1023, significant);
    return lay_out(out, &d, negative);
}

size_t pst_number_of_float(char *out, float value, enum pst_number_format format)
{
    bool negative = signbit(value);
    if (!isfinite(value))
        return special(out, (double)value);
    if (value == 0)
        return zero(out, negative);
    digits d = {.n = 0};
    if (format == PST_NUMBER_SHORTEST) {
        shortest_digits(&d, (double)(negative ? -value : value), true);
        return lay_out(out, &d, negative);
    }
    uint32_t raw;
    memcpy(&raw, &value, sizeof raw);
    uint32_t fract = raw & 0x7FFFFF;
    int exp = (int)(raw >> 23 & 0xFF), significant = 24;
    if (exp == 0) {
        int shift = __builtin_clz(fract) - 8;
        significant = 32 - __builtin_clz(fract);
        fract <<= shift;
        exp = 1 - shift;
    } else {
        fract |= 1u << 23;
    }
    jdk17_digits(&d, (uint64_t)fract << (MANTISSA - 23), exp - 127, significant);
    return lay_out(out, &d, negative);
}
