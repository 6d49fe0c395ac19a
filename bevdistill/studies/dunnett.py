"""Simultaneous comparison of many means with one: Dunnett's distribution, and Holm's steps over families of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import chi2, t

NODES = 64
"""Nodes of each of the two quadratures; with more, probabilities change by less than 1e-6."""


def largest_below(limit: float, shares: Sequence[float], df: float) -> float:
    """Return the probability that no ``|T_i|`` exceeds a limit, for Dunnett's t variables of one base.

    ``T_i = (sqrt(1 - s_i) Z_i + sqrt(s_i) Z_0) / S`` with independent normal Z and ``S^2 ~ chi^2(df) / df``: the base's
    mean Z_0 and the pooled deviation S are in all of them. Given both, the T_i are independent, so that

        P = E_S E_Z0 prod_i [Phi(u_i) - Phi(l_i)],  u_i, l_i = (+-limit S - sqrt(s_i) Z_0) / sqrt(1 - s_i)

    by Gauss-Hermite and Gauss-Legendre quadrature (C. W. Dunnett, A multiple comparison procedure for comparing several
    treatments with a control, JASA 50, 1955).

    Args:
        limit: Bound of ``|T|``, not negative.
        shares: Of the variance of each difference, the part that is the base's; below 1.
        df: Degrees of freedom of the pooled variance.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    quantiles, masses = np.polynomial.legendre.leggauss(NODES)
    scale_S = np.sqrt(chi2.ppf((quantiles + 1) / 2, df) / df)
    share_R = np.asarray(shares, dtype=float)
    bound_S11 = (limit * scale_S)[:, None, None]
    centre_1ZR = (np.sqrt(share_R) * nodes[:, None])[None]
    own_R = np.sqrt(1 - share_R)
    inside_SZR = ndtr((bound_S11 - centre_1ZR) / own_R) - ndtr((-bound_S11 - centre_1ZR) / own_R)
    return float(masses / 2 @ inside_SZR.prod(axis=2) @ weights / weights.sum())


def adjusted(statistic: float, shares: Sequence[float], df: float) -> float:
    """Return the two-sided p value of one ``|T|`` among all comparisons with the base."""
    return max(0.0, 1 - largest_below(abs(statistic), shares, df))


def critical(confidence: float, shares: Sequence[float], df: float) -> float:
    """Return the factor on the standard error that makes the intervals of all differences hold together."""
    single = float(t.ppf((1 + confidence) / 2, df))
    if len(shares) == 1:
        return single
    bonferroni = float(t.ppf(1 - (1 - confidence) / (2 * len(shares)), df))
    # A little to each side: the ends are exact for one comparison and for independent ones, up to the quadrature.
    ends = (0.999 * single, 1.001 * bonferroni)
    return float(brentq(lambda limit: largest_below(limit, shares, df) - confidence, *ends))


def over_families(families: Sequence[Sequence[float]]) -> list[list[float]]:
    """Adjust the p values of families, each adjusted within itself, for there being several, by Holm's steps.

    Families are taken by their largest p; those of the k-th of K are multiplied by K - k + 1, and none is less than
    what came before. A family is passed only if all of it is rejected, which keeps the chance of any false finding at
    the level; with one comparison per family it is Holm's procedure (S. Holm, A simple sequentially rejective multiple
    test procedure, Scand. J. Statist. 6, 1979).
    """
    found: dict[int, list[float]] = {}
    least = 0.0
    for step, place in enumerate(sorted(range(len(families)), key=lambda place: max(families[place]))):
        values = [min(1.0, max(least, (len(families) - step) * value)) for value in families[place]]
        found[place], least = values, max(values)
    return [found[place] for place in range(len(families))]
