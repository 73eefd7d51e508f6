"""Singular values of a product of 400 matrices of 20 x 20, by arbitrary precision: prints product.json. Needs mpmath."""

import json

from mpmath import mp, mpf

mp.dps = 1000
DIM, STEPS, LAGS = 20, 400, [1, 2, 5, 20, 100, 400]


def numbers():
    """Exact in double precision: the upper 32 bits of a linear congruential generator (Knuth, MMIX), as signed fractions."""
    state = 7
    while True:
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        upper = state >> 32
        yield mpf(upper - 2**32 if upper >= 2**31 else upper) / 2**31 * mpf(25) / 64


source = numbers()
factors = [mp.matrix(DIM, DIM) for _ in range(STEPS)]
for factor in factors:
    for j in range(DIM):
        for i in range(DIM):
            factor[i, j] = next(source)
product, found = mp.eye(DIM), []
for lag in range(1, STEPS + 1):
    product = product * factors[STEPS - lag]
    if lag in LAGS:
        values = sorted(mp.svd_r(product, compute_uv=False), reverse=True)
        found.append([float(mp.log10(value)) for value in values])
print(json.dumps({"dim": DIM, "steps": STEPS, "lags": LAGS, "log10_singular_values": found}, indent=1))
