"""Print the coefficients of `skpool/kernels/elementary.pxd`. Needs mpmath; takes a few seconds.

Each polynomial is the minimax one (Remez's exchange) for the relative error of the function that it serves.
"""

from itertools import groupby

from mpmath import (
    cos,
    exp,
    factorial,
    floor,
    frexp,
    ldexp,
    log,
    lu_solve,
    matrix,
    mp,
    mpf,
    nstr,
    pi,
    polyval,
    sqrt,
)

mp.prec = 200  # bits: powers of numbers in a small interval are nearly dependent
SERIES = range(60)  # terms that leave less than 2**-200 on the intervals below
LN2 = log(2)
SLOPE = 2 / LN2  # of log2((1 + s)/(1 - s)) at s = 0
HALF_STEP = LN2 / 2 * (1 + mpf(2) ** -10)  # rounding may carry an argument a little past the end of its interval
SQUARE = (3 - 2 * sqrt(2)) ** 2 * (1 + mpf(2) ** -10)  # of s at sqrt(2)
TINY = mpf(2) ** -40  # keeps a weight above 0 where an error is multiplied away


def minimax(series, weight, low, high, terms):
    """Return coefficients, lowest power first, nearest to `series` under `weight`, and the error."""

    def chebyshev(count):
        return [low + (high - low) * (1 - cos(pi * i / count)) / 2 for i in range(count + 1)]

    def target(x):
        return polyval(series[::-1], x)

    def error(x):
        return (polyval(coefficients[::-1], x) - target(x)) * weight(x)

    grid, points, worst, level = chebyshev(40 * terms), chebyshev(terms), 2, 1
    while worst > 1.0001 * level:
        # At the points the error has one size and alternating signs: linear in coefficients and size.
        rows = [[x**power for power in range(terms)] + [(-1) ** i / weight(x)] for i, x in enumerate(points)]
        *coefficients, level = lu_solve(matrix(rows), matrix([target(x) for x in points]))
        level = abs(level)
        lobes = groupby(grid, key=lambda x: error(x) > 0)
        points = [max(lobe, key=lambda x: abs(error(x))) for _, lobe in lobes]
        worst = max(abs(error(x)) for x in points)
    return coefficients, worst


def leading(value, bits):
    """Return `value` rounded to `bits` bits, and the rest."""
    mantissa, exponent = frexp(value)
    high = ldexp(floor(ldexp(mantissa, bits) + mpf(1) / 2), exponent - bits)
    return high, value - high


def exp_tail(terms):
    """(exp(r) - 1 - r)/r**2."""
    series = [1 / factorial(i + 2) for i in SERIES]
    return minimax(series, lambda r: (r * r + TINY) / exp(r), -HALF_STEP, HALF_STEP, terms)


def log_tail(terms):
    """(log((1 + s)/(1 - s))/s - 2)/z with z = s*s."""
    return minimax([mpf(2) / (2 * i + 3) for i in SERIES], lambda z: (z + TINY) / 2, mpf(0), SQUARE, terms)


def log2_tail(terms):
    """(log2((1 + s)/(1 - s))/s - SLOPE - SLOPE/3*z)/z**2."""
    return minimax([SLOPE / (2 * i + 5) for i in SERIES], lambda z: (z * z + TINY) / SLOPE, mpf(0), SQUARE, terms)


def main():
    """Print a line for every polynomial and every constant in two parts."""
    polynomials = {
        "exp_tail": exp_tail(10),
        "exp_reduced32 (round to float32)": exp_tail(5),
        "log64": log_tail(7),
        "pow64": log2_tail(7),
    }
    for name, (coefficients, error) in polynomials.items():
        print(f"{name}, error 2**{nstr(log(error, 2), 4)}:", *(float(c) for c in coefficients))
    constants = {
        "ln2, 41 bits": leading(LN2, 41),
        "ln2, 26 bits": leading(LN2, 26),
        "ln2, 15 bits": leading(LN2, 15),
        "2/ln2, 26 bits": leading(SLOPE, 26),
        "2/(3 ln2), 26 bits": leading(SLOPE / 3, 26),
    }
    for name, parts in constants.items():
        print(f"{name}:", *(float(part) for part in parts), "together", float(sum(parts)))


if __name__ == "__main__":
    main()
