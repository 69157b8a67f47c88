"""Random numbers: generators, tensors of random numbers, and filling in place."""

from __future__ import annotations

import numpy as np

from ..core.dtypes import get_default_dtype, int64
from ..core.primitive import function
from ..core.tensor import make_tensor, register
from .creation import as_shape, finished

__all__ = [
    "Generator", "bernoulli", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "multinomial", "normal", "rand", "rand_like",
    "randint", "randn", "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip


class Generator:
    """A source of random numbers with a seed: Philox, a counter-based generator (Salmon et al., 2011).

    >>> import minigrad
    >>> g = minigrad.Generator().manual_seed(1)
    >>> a = minigrad.rand(2, generator=g)
    >>> b = minigrad.rand(2, generator=g.manual_seed(1))
    >>> minigrad.equal(a, b)
    True
    """

    def __init__(self, device="cpu"):
        self.manual_seed(0x5EED)

    def manual_seed(self, seed):
        """Starts again from a seed, and returns the generator."""
        if not isinstance(seed, (int, np.integer)):
            raise TypeError(f"manual_seed: expected an integer, got {type(seed).__name__}")
        self._seed = int(seed)
        self._numbers = None
        return self

    @property
    def numbers(self):
        """NumPy's generator, made at the first draw: importing numpy.random takes longer than importing this package."""
        if self._numbers is None:
            self._numbers = np.random.Generator(np.random.Philox(self._seed % 2**64))
        return self._numbers

    def initial_seed(self):
        """The seed it started from."""
        return self._seed

    def seed(self):
        """Starts from a seed that is different every time, and returns that."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1)
        return self._seed

    def get_state(self):
        """The state, for set_state."""
        return {"seed": self._seed, "bits": self.numbers.bit_generator.state}

    def set_state(self, state):
        """Goes back to a state from get_state."""
        self._seed = state["seed"]
        self.numbers.bit_generator.state = state["bits"]


default_generator = Generator()


def manual_seed(seed):
    """Seeds the default generator, from which everything random here is drawn, and returns it."""
    return default_generator.manual_seed(seed)


def seed():
    """Seeds the default generator differently every time; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state():
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Takes the default generator back to a state from get_rng_state."""
    default_generator.set_state(new_state)


def numbers(generator):
    return (default_generator if generator is None else generator).numbers


def draw_float(draw, shape, dtype):
    """Random floats straight in float32 or float64, which NumPy draws in; others through float32."""
    dtype = np.dtype(dtype or get_default_dtype())
    if dtype.kind != "f":
        raise RuntimeError(f"expected a floating-point dtype, got {dtype}")
    return draw(shape, dtype) if dtype.itemsize in (4, 8) else draw(shape, np.float32).astype(dtype)


@function(method=False)
def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers uniform in [0, 1)."""
    return finished("rand", draw_float(numbers(generator).random, as_shape("rand", size), dtype), device, requires_grad)


@function(method=False)
def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers from the normal distribution of mean 0 and variance 1."""
    return finished("randn", draw_float(numbers(generator).standard_normal, as_shape("randn", size), dtype), device, requires_grad)


@function(method=False)
def rand_like(input, *, dtype=None, device=None, requires_grad=False, generator=None):
    """Numbers uniform in [0, 1), of the input's shape and dtype."""
    return rand(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad, generator=generator)


@function(method=False)
def randn_like(input, *, dtype=None, device=None, requires_grad=False, generator=None):
    """Normal numbers of the input's shape and dtype."""
    return randn(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad, generator=generator)


@function(method=False)
def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Integers from `low` (0 if left out) up to but without `high`."""
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise RuntimeError(f"randint: low must be below high, got {low} and {high}")
    array = numbers(generator).integers(low, high, as_shape("randint", (size,))).astype(dtype or int64)
    return finished("randint", array, device, requires_grad)


@function(method=False)
def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """The integers from 0 to n - 1 in random order."""
    return finished("randperm", numbers(generator).permutation(n).astype(dtype or int64), device, requires_grad)


@function
def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that each element says (or with probability p everywhere), else 0."""
    chance = input.array if p is None else p
    if not np.all((np.asarray(chance) >= 0) & (np.asarray(chance) <= 1)):
        raise RuntimeError("bernoulli: probabilities must lie between 0 and 1")
    return make_tensor((numbers(generator).random(input.shape) < chance).astype(input.dtype))


@function(method=False)
def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal numbers of this mean and standard deviation, numbers or tensors."""
    shape = np.broadcast_shapes(getattr(mean, "shape", ()), getattr(std, "shape", ())) if size is None else as_shape("normal", (size,))
    out = randn(shape, generator=generator, dtype=dtype, device=device) * std + mean
    return out.requires_grad_(requires_grad) if requires_grad else out


@function
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Indices drawn with probabilities proportional to the input, a vector or the rows of a matrix."""
    rows = np.atleast_2d(input.array.astype(np.float64))
    if rows.min(initial=0) < 0 or not np.isfinite(rows).all() or (rows.sum(1) <= 0).any():
        raise RuntimeError("multinomial: the weights must be finite, not negative, and not all zero")
    if not replacement and (np.count_nonzero(rows, axis=1) < num_samples).any():
        raise RuntimeError(f"multinomial: cannot draw {num_samples} different indices: too few weights are above zero")
    draws = [numbers(generator).choice(rows.shape[1], num_samples, replacement, row / row.sum()) for row in rows]
    return make_tensor(np.array(draws, int64).reshape((*input.shape[:-1], num_samples)))


# --- filling in place -------------------------------------------------------------------------------------------------


def filler(name, sample, doc):
    """Registers a Tensor method that overwrites the tensor with random numbers."""

    def fill(self, *args, generator=None, **named):
        values = sample(numbers(generator), self.shape, *args, **named)
        return self.copy_(make_tensor(np.asarray(values).astype(self.dtype)))

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = doc
    register(name, fill)


def sample_uniform(n, shape, low=0.0, high=1.0, **bounds):
    """torch names the lower bound `from`, which Python allows only in a dictionary."""
    low, high = bounds.pop("from", low), bounds.pop("to", high)
    if bounds or low > high:
        raise RuntimeError(f"uniform_: expected from <= to, got {low} and {high}" if not bounds else f"uniform_: unknown {bounds}")
    return n.random(shape, np.float64) * (high - low) + low


def sample_normal(n, shape, mean=0.0, std=1.0):
    if std < 0:
        raise RuntimeError(f"normal_: the standard deviation cannot be negative, got {std}")
    return n.standard_normal(shape) * std + mean


def sample_bernoulli(n, shape, p=0.5):
    return n.random(shape) < getattr(p, "array", p)


def sample_exponential(n, shape, lambd=1.0):
    return n.standard_exponential(shape) / lambd


def sample_random(n, shape, low=0, high=None):
    low, high = (0, low) if high is None and low else (low, high)
    return n.integers(low, 2**24 if high is None else high, shape)


filler("uniform_", sample_uniform, "Fills this tensor with numbers uniform in [from, to).")
filler("normal_", sample_normal, "Fills this tensor with normal numbers of this mean and standard deviation.")
filler("bernoulli_", sample_bernoulli, "Fills this tensor with 1 with probability p, else 0.")
filler("exponential_", sample_exponential, "Fills this tensor with exponentially distributed numbers of this rate.")
filler("random_", sample_random, "Fills this tensor with integers from `low` up to but without `high`.")
