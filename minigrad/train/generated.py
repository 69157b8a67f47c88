"""How good generated samples are: near the real ones, and as varied as they are.

All but modes_covered look at features, the answers of some layer of a network for each sample. The published figures use one certain
network (Inception v3 trained on ImageNet): figures over the features of another network can be compared among themselves only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.ops import cdist

Array = np.ndarray[Any, Any]


def frechet_distance(generated: Tensor, real: Tensor) -> float:
    """The Frechet distance of two normal distributions fitted to features; 0 for equal ones. Over Inception's features: the FID.

    |m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2)) with means m and covariances S. It depends on the network whose features these are, so
    that figures over a network of one's own compare with nothing published, and on the number of samples, with fewer of which it is larger:
    compare figures of one network and of equal numbers only.

    generated, real: (N, D) and (M, D), with N and M at least 2. Raises ValueError for other shapes. Source: Dowson and Landau, "The
    Frechet distance between multivariate normal distributions" (1982); Heusel et al., "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium" (2017).

    >>> import minigrad
    >>> real = minigrad.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    >>> round(frechet_distance(real + minigrad.tensor([3.0, 4.0]), real), 6)
    25.0
    """
    a, b = _features("frechet_distance", generated, real, at_least=2)
    covariance_a, covariance_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    # (S1 S2)^(1/2) has the trace of (R S2 R)^(1/2) with R = S1^(1/2), which is symmetric, so its eigenvalues are real and not negative.
    root = _square_root(covariance_a)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance_b @ root), 0)).sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return max(0.0, float(distance))


def _square_root(symmetric: Array) -> Array:
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # type: ignore[no-any-return]


def precision_recall(generated: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """The shares of generated samples that lie among the real ones (precision) and of real ones among the generated (recall).

    A sample lies among others if it is no farther from one of them than the k-th nearest neighbour of that one is.

    generated, real: features (N, D) and (M, D), with N and M above k. Raises ValueError for other shapes. Source: Kynkaanniemi et al.,
    "Improved precision and recall metric for assessing generative models" (2019).

    >>> import minigrad
    >>> real = minigrad.arange(8.0).reshape(8, 1)
    >>> precision_recall(real[:4] + 0.1, real, k=1)
    (1.0, 0.625)
    """
    a, b = _features("precision_recall", generated, real, at_least=k + 1)
    if k < 1:
        raise ValueError(f"precision_recall: k should be at least 1, but is {k}")

    def share_among(some: Array, others: Array) -> float:
        one, other = Tensor(others), Tensor(some)
        reach = cdist(one, one).sort(1).values[:, k]  # the nearest is the sample itself
        return float((cdist(other, one) <= reach).any(1).double().mean())

    return share_among(a, b), share_among(b, a)


def modes_covered(samples: Tensor, modes: Tensor, radius: float, at_least: int = 1) -> tuple[int, float]:
    """How many of the modes of a known distribution have samples nearby, and the share of samples that are near a mode.

    samples: (N, D); modes: (K, D), their centres; radius: how near is near, in the units of the samples; at_least: so many samples
    cover a mode. Raises ValueError for other shapes. Source: Metz et al., "Unrolled generative adversarial networks" (2017), who take
    three standard deviations of a mode.

    >>> import minigrad
    >>> modes_covered(minigrad.tensor([[0.1], [0.2], [5.0]]), minigrad.tensor([[0.0], [1.0]]), radius=0.5)
    (1, 0.6666666666666666)
    """
    a, b = _features("modes_covered", samples, modes, at_least=1)
    if not radius > 0 or at_least < 1:
        raise ValueError(
            f"modes_covered: radius should be positive and at_least 1 or more, but they are {radius} and {at_least}"
        )
    distances = cdist(Tensor(a), Tensor(b)).array
    near = distances.min(1) <= radius
    counts = np.bincount(distances.argmin(1)[near], minlength=len(b))
    return int((counts >= at_least).sum()), float(near.mean())


def _features(name: str, generated: Tensor, real: Tensor, at_least: int) -> tuple[Array, Array]:
    shapes = tuple(generated.shape), tuple(real.shape)
    if (
        len(shapes[0]) != 2
        or len(shapes[1]) != 2
        or shapes[0][1] != shapes[1][1]
        or min(shapes[0][0], shapes[1][0]) < at_least
    ):
        raise ValueError(
            f"{name}: expected (N, D) and (M, D) with N and M at least {at_least}, but got {shapes[0]} and {shapes[1]}"
        )
    return generated.detach().double().numpy(), real.detach().double().numpy()
