"""Random numbers: generators, tensors of random numbers, and filling in place."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.device import CPU, check_device
from ..core.dtypes import chosen_dtype, get_default_dtype, int64, result_type, uint8
from ..core.inplace import check_writable, finish
from ..core.modes import recording
from ..core.primitive import function
from ..core.tensor import Tensor, make_tensor, register
from ..kernels import driver, xp
from .creation import around, as_shape, finished
from .families import of_host
from .layout import strided
from .shape import as_int

__all__ = [
    "Generator", "bernoulli", "binomial", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "multinomial", "normal", "poisson",
    "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "seed", "set_rng_state",
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

    def __init__(self, device: Any = "cpu"):
        self._device = check_device("Generator", device)
        self.manual_seed(0x5EED)

    @property
    def device(self):
        """Where it draws."""
        return self._device

    def manual_seed(self, seed):
        """Starts again from a seed, an integer from -2**63 to 2**64 - 1, and returns the generator."""
        if isinstance(seed, Tensor) or not hasattr(seed, "__index__"):
            raise TypeError(f"manual_seed: expected an integer, got {type(seed).__name__}")
        seed = seed.__index__()
        if not -(2**63) <= seed < 2**64:
            raise RuntimeError(f"manual_seed: expected a seed from -2**63 to 2**64 - 1, got {seed}")
        self._seed = seed % 2**64
        self._numbers = None
        return self

    def key(self):
        """A key for a counter-based generator, drawn from this one: the host draws it, whatever device then computes with it."""
        return int(self.numbers.integers(2**64, dtype=np.uint64))

    @property
    def numbers(self):
        """NumPy's generator, made at the first draw: importing numpy.random takes longer than importing this package."""
        if self._numbers is None:
            self._numbers = np.random.Generator(np.random.Philox(self._seed))
        return self._numbers

    def initial_seed(self):
        """The seed it started from."""
        return self._seed

    def seed(self):
        """Starts from a seed that is different every time, and returns that."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1)
        return self._seed

    def get_state(self):
        """The state as a tensor of bytes, for set_state.

        >>> import minigrad
        >>> g = minigrad.Generator()
        >>> before = g.get_state()
        >>> a = minigrad.rand(2, generator=g)
        >>> g.set_state(before).initial_seed() == g.initial_seed(), minigrad.equal(a, minigrad.rand(2, generator=g))
        (True, True)
        """
        state = self.numbers.bit_generator.state
        words = [self._seed, *state["state"]["counter"], *state["state"]["key"], *state["buffer"]]
        words += [state["buffer_pos"], state["has_uint32"], state["uinteger"]]
        return make_tensor(np.array(words, np.uint64).view(np.uint8))

    def set_state(self, new_state):
        """Goes back to a state from get_state, and returns the generator."""
        if not isinstance(new_state, Tensor) or new_state.dtype != uint8:
            raise TypeError(f"set_state: expected a tensor of uint8 from get_state, got {getattr(new_state, 'dtype', type(new_state).__name__)}")
        if new_state.array.shape != (STATE_WORDS * 8,):
            raise RuntimeError(f"set_state: expected a state of {STATE_WORDS * 8} bytes from get_state, got shape {new_state.shape}")
        words = np.ascontiguousarray(new_state.array).view(np.uint64)
        self._seed = int(words[0])
        self._numbers = None
        self.numbers.bit_generator.state = {
            "bit_generator": "Philox", "state": {"counter": words[1:5], "key": words[5:7]}, "buffer": words[7:11],
            "buffer_pos": int(words[11]), "has_uint32": int(words[12]), "uinteger": int(words[13]),
        }  # fmt: skip
        return self

    def clone_state(self):
        """Another generator in the same state."""
        return Generator(self._device).set_state(self.get_state())


STATE_WORDS = 14
default_generator = Generator()


OF_GPUS: dict[Any, Any] = {}


def generator_of(device: Any) -> Any:
    """The default generator of a device."""
    if device.type == "cpu":
        return default_generator
    if device not in OF_GPUS:
        OF_GPUS[device] = Generator(device).manual_seed(default_generator.initial_seed())
    return OF_GPUS[device]


def manual_seed(seed):
    """Seeds the default generators of all devices, from which everything random here is drawn, and returns the CPU's."""
    default_generator.manual_seed(seed)
    for generator in OF_GPUS.values():
        generator.manual_seed(seed)
    return default_generator


def seed():
    """Seeds the default generator differently every time; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Takes the default generator back to a state from get_rng_state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices=None, enabled=True):
    """A block after which the default generator goes on as if nothing had been drawn in it.

    >>> import minigrad
    >>> _ = minigrad.manual_seed(0)
    >>> with minigrad.random.fork_rng():
    ...     a = minigrad.rand(2)
    >>> minigrad.equal(a, minigrad.rand(2))
    True
    """
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)


def numbers(generator):
    return default_generator.numbers if generator is None else checked(generator).numbers


def checked(generator):
    if not isinstance(generator, Generator):
        raise TypeError(f"generator: expected a minigrad.Generator, got {type(generator).__name__}")
    return generator


def draw_float(op, draw, shape, dtype):
    """Random floats straight in float32 or float64, which NumPy draws in; float16 through float32."""
    dtype = chosen_dtype(op, dtype, get_default_dtype())
    if dtype.kind != "f":
        raise RuntimeError(f"{op}: expected a floating-point dtype, got {dtype}")
    return draw(shape, dtype) if dtype.itemsize > 2 else draw(shape, np.float32).astype(dtype)


def uniform(generator):
    """How to draw numbers in [0, 1) of a shape and dtype."""

    def draw(shape, dtype):
        n = numbers(generator)
        return n.random(shape, dtype) if np.dtype(dtype).itemsize > 2 else np.floor(n.random(shape, np.float32) * 2048) / 2048

    return draw


def like(input, dtype):
    """The shape and dtype of a tensor of random numbers like the input."""
    if not isinstance(input, Tensor):
        raise TypeError(f"expected a tensor to be like, got {type(input).__name__}")
    return input.shape, input.dtype if dtype is None else dtype


@function(method=False)
def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers uniform in [0, 1)."""
    dtype = chosen_dtype("rand", dtype, get_default_dtype())
    if dtype.kind != "f":
        raise RuntimeError(f"rand: expected a floating-point dtype, got {dtype}")
    where = check_device("rand", device)
    if where is not CPU:
        return around(drawn_there("uniform", generator, where, as_shape("rand", size), dtype), requires_grad)
    return around(uniform(generator)(as_shape("rand", size), dtype).astype(dtype, copy=False), requires_grad)


def drawn_there(kernel, generator, where, shape, dtype):
    """Random numbers that a GPU draws, its kernel being called "uniform" or "normal"; the key comes from a generator."""
    from ..kernels import cuda

    generator = generator_of(where) if generator is None else checked(generator)
    with driver.on(where.index):
        return getattr(cuda, kernel)(shape, np.dtype(dtype), generator.key())


@function(method=False)
def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers from the normal distribution of mean 0 and variance 1."""
    where = check_device("randn", device)
    if where is not CPU:
        array = draw_float("randn", lambda shape, kind: drawn_there("normal", generator, where, shape, kind), as_shape("randn", size), dtype)
    else:
        array = draw_float("randn", numbers(generator).standard_normal, as_shape("randn", size), dtype)
    return around(array, requires_grad)


@function(method=False)
def rand_like(input, *, dtype=None, device=None, requires_grad=False, generator=None, memory_format=None):
    """Numbers uniform in [0, 1), of the input's shape and dtype."""
    shape, dtype = like(input, dtype)
    return rand(shape, dtype=dtype, device=input.device if device is None else device, requires_grad=requires_grad, generator=generator)


@function(method=False)
def randn_like(input, *, dtype=None, device=None, requires_grad=False, generator=None, memory_format=None):
    """Normal numbers of the input's shape and dtype."""
    shape, dtype = like(input, dtype)
    return randn(shape, dtype=dtype, device=input.device if device is None else device, requires_grad=requires_grad, generator=generator)


@function(method=False)
def randint(low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Integers from `low` (0 if left out) up to but without `high`."""
    if size is None:
        low, high, size = 0, low, high
    if size is None:
        raise TypeError("randint: argument 'size' is missing")
    dtype = chosen_dtype("randint", dtype, int64)
    array = draw_integers("randint", numbers(generator), as_shape("randint", (size,)), low, high, dtype)
    return finished("randint", array, device, requires_grad)


@function(method=False)
def randint_like(input, low, high=None, *, dtype=None, device=None, requires_grad=False, generator=None, memory_format=None):
    """Integers from `low` (0 if left out) up to but without `high`, of the input's shape and dtype."""
    shape, dtype = like(input, dtype)
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, shape, dtype=dtype, device=input.device if device is None else device, requires_grad=requires_grad, generator=generator)


def draw_integers(op, n, shape, low, high, dtype):
    """Integers from `low` up to but without `high`, which the dtype must be able to hold."""
    low, high = as_int(op, "the lower end", low), as_int(op, "the upper end", high)
    if low >= high:
        raise RuntimeError(f"{op}: low must be below high, got {low} and {high}")
    least, most = bounds(dtype)
    if low < least or high - 1 > most:
        raise RuntimeError(f"{op}: {low} to {high - 1} are no numbers that {dtype} can hold: {least} to {most}")
    return n.integers(low, high, shape, np.uint64 if high - 1 >= 2**63 else np.int64).astype(dtype)


def bounds(dtype):
    """The smallest and the largest integer of a dtype."""
    if dtype.kind == "b":
        return 0, 1
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return int(info.min), int(info.max)


@function(method=False)
def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """The integers from 0 to n - 1 in random order."""
    dtype = chosen_dtype("randperm", dtype, int64)
    if n < 0 or n - 1 > bounds(dtype)[1]:
        raise RuntimeError(f"randperm: expected a length that is not negative and fits into {dtype}, got {n}")
    return finished("randperm", numbers(generator).permutation(n).astype(dtype), device, requires_grad)


def check_chances(op, chances):
    if driver.is_host(chances) or isinstance(chances, (int, float)):
        fit = bool(np.all((np.asarray(chances) >= 0) & (np.asarray(chances) <= 1)))
    else:
        fit = bool(((chances >= 0) & (chances <= 1)).all())
    if not fit:
        raise RuntimeError(f"{op}: probabilities must lie between 0 and 1")


@function
def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that each element says (or with probability p everywhere), else 0."""
    if p is None and input.dtype.kind != "f":
        raise RuntimeError(f"bernoulli: expected probabilities as floating-point numbers, got {input.dtype}")
    chances = input.array if p is None else getattr(p, "array", p)
    check_chances("bernoulli", chances)
    place = input.device
    source = numbers(generator) if place is CPU else DeviceNumbers(generator, place)
    drawn = source.random(input.shape) < chances
    return make_tensor((np.asarray(drawn) if driver.is_host(drawn) else drawn).astype(input.dtype))


@function(method=False)
def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False):
    """Normal numbers of this mean and standard deviation, numbers or tensors; no gradient flows to these."""
    if layout not in (None, strided):
        raise RuntimeError(f"normal: layout must be minigrad.strided, the only one there is; got {layout!r}")
    given = [x.array for x in (mean, std) if isinstance(x, Tensor)]
    if given and size is not None:
        raise TypeError("normal: size= goes with numbers; tensors have their own shape")
    if not given and size is None:
        raise TypeError("normal: argument 'size' is missing")
    mean, std = (x.array if isinstance(x, Tensor) else x for x in (mean, std))
    if np.any(np.asarray(std) < 0):
        raise RuntimeError(f"normal: the standard deviation cannot be negative, got {np.min(std)}")
    shape = np.broadcast_shapes(*[x.shape for x in given]) if given else as_shape("normal", (size,))
    dtype = chosen_dtype("normal", dtype, result_type(*given) if given else get_default_dtype())
    array = draw_float("normal", numbers(generator).standard_normal, shape, dtype) * std + mean
    return finished("normal", np.asarray(array).astype(dtype), device, requires_grad)


@function(method=False)
@of_host
def poisson(input, generator=None):
    """Numbers of events that happen at these rates on average.

    >>> import minigrad
    >>> minigrad.poisson(minigrad.zeros(2))
    tensor([0., 0.])
    """
    if input.dtype.kind != "f" or not np.all(input.array >= 0):
        raise RuntimeError(f"poisson: expected rates that are floating-point numbers and not negative, got {input.dtype}")
    return make_tensor(np.asarray(numbers(generator).poisson(input.array)).astype(input.dtype))


@function(method=False)
@of_host
def binomial(count, prob, generator=None):
    """How many of so many trials succeed, each with this probability."""
    check_chances("binomial", prob.array)
    if count.dtype.kind != "f" or prob.dtype != count.dtype or not np.all(count.array >= 0):
        raise RuntimeError(f"binomial: expected counts, not negative, and probabilities of one floating-point dtype, got {count.dtype} and {prob.dtype}")
    return make_tensor(np.asarray(numbers(generator).binomial(count.array.astype(np.int64), prob.array)).astype(count.dtype))


@function
@of_host
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Indices drawn with probabilities proportional to the input, a vector or the rows of a matrix."""
    if input.ndim not in (1, 2) or input.dtype.kind != "f":
        raise RuntimeError(f"multinomial: expected a vector or a matrix of floating-point weights, got {input.dtype} of shape {input.shape}")
    if num_samples <= 0:
        raise RuntimeError(f"multinomial: expected a positive number of samples, got {num_samples}")
    rows = np.atleast_2d(input.array.astype(np.float64))
    if rows.min(initial=0) < 0 or not np.isfinite(rows).all() or (rows.sum(1) <= 0).any():
        raise RuntimeError("multinomial: the weights must be finite, not negative, and not all zero")
    if not replacement and (np.count_nonzero(rows, axis=1) < num_samples).any():
        raise RuntimeError(f"multinomial: cannot draw {num_samples} different indices: too few weights are above zero")
    draws = [numbers(generator).choice(rows.shape[1], num_samples, replacement, row / row.sum()) for row in rows]
    return make_tensor(np.array(draws, int64).reshape((*input.shape[:-1], num_samples)))


# --- filling in place -------------------------------------------------------------------------------------------------


PIECE = 1 << 20  # elements, which are drawn at once where a whole large tensor's numbers would need several times its memory


class DeviceNumbers:
    """NumPy's generator for a tensor of a GPU: what most fillers ask for is drawn there, the rest on the host."""

    def __init__(self, generator, where):
        self.generator, self.where = generator, where

    def random(self, shape):
        return drawn_there("uniform", self.generator, self.where, shape, np.float64)

    def standard_normal(self, shape):
        return drawn_there("normal", self.generator, self.where, shape, np.float64)

    def __getattr__(self, name):
        return getattr((generator_of(self.where) if self.generator is None else checked(self.generator)).numbers, name)


def filler(sample, floats):
    """Registers a Tensor method that overwrites the tensor with random numbers; its name and words are those of the function that draws them."""
    name = sample.__name__

    def fill(self, *args, generator=None, **named):
        if not isinstance(self, Tensor):
            raise TypeError(f"{name}: expected a tensor, got {type(self).__name__}")
        if floats and self.dtype.kind != "f":
            raise RuntimeError(f"{name}: expected a floating-point tensor, got {self.dtype}")
        place = self.device
        n = numbers(generator) if place is CPU else DeviceNumbers(generator, place)
        if place is CPU and floats and self.array.size > PIECE and self.array.flags.c_contiguous and not recording():
            check_writable(name, self)
            flat = self.array.reshape(-1)
            for start in range(0, flat.size, PIECE):
                piece = flat[start : start + PIECE]
                piece[...] = sample(n, piece, *args, **named)
            finish(name, self, make_tensor(self.array))
            return self
        values = sample(n, self, *args, **named)
        return self.copy_(make_tensor((np.asarray(values) if driver.is_host(values) else values).astype(self.dtype, copy=False)))

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = sample.__doc__
    register(name, fill)


def check_scale(op, what, value, positive):
    if not (value > 0 if positive else value >= 0):
        raise RuntimeError(f"{op}: expected {what} that is {'positive' if positive else 'not negative'}, got {value}")


def ends(op, args, named, low, high):
    """The bounds `from` and `to`, of which the first is a word of Python and can be named in a dictionary only."""
    given = dict(zip(("from", "to"), args, strict=False)) | named
    if len(args) > 2 or set(given) - {"from", "to"}:
        raise TypeError(f"{op}: expected the bounds from and to, got {args} and {named}")
    bounds = given.get("from", low), given.get("to", high)
    return tuple([bound.item() if isinstance(bound, Tensor) else bound for bound in bounds])


def uniform_(n, x, *args, **named):
    """Fills this tensor with numbers uniform in [from, to), by default [0, 1)."""
    low, high = ends("uniform_", args, named, 0.0, 1.0)
    if not low <= high:
        raise RuntimeError(f"uniform_: expected from <= to, got {low} and {high}")
    values = (n.random(x.shape) * (high - low) + low).astype(x.dtype)
    last = np.nextafter(x.dtype.type(high), x.dtype.type(low))  # rounding must not reach the end, which is out
    return xp(values).minimum(values, last) if low < high else values


def normal_(n, x, mean=0.0, std=1.0):
    """Fills this tensor with normal numbers of this mean and standard deviation."""
    check_scale("normal_", "a standard deviation", std, False)
    return n.standard_normal(x.shape) * std + mean


def log_normal_(n, x, mean=1.0, std=2.0):
    """Fills this tensor with numbers whose logarithms are normal, of this mean and standard deviation."""
    check_scale("log_normal_", "a standard deviation", std, True)
    values = n.standard_normal(x.shape) * std + mean
    return xp(values).exp(values)


def cauchy_(n, x, median=0.0, sigma=1.0):
    """Fills this tensor with numbers of the Cauchy distribution of this median and half width."""
    check_scale("cauchy_", "a sigma", sigma, True)
    return n.standard_cauchy(x.shape) * sigma + median


def exponential_(n, x, lambd=1.0):
    """Fills this tensor with exponentially distributed numbers of this rate."""
    check_scale("exponential_", "a rate", lambd, True)
    return n.standard_exponential(x.shape) / lambd


def geometric_(n, x, p):
    """Fills this tensor with the numbers of trials up to the first success, which has probability p each time."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_: expected a probability between 0 and 1, got {p}")
    return n.geometric(p, x.shape)


def bernoulli_(n, x, p=0.5):
    """Fills this tensor with 1 with probability p, a number or a tensor, else 0."""
    chances = getattr(p, "array", p)
    check_chances("bernoulli_", chances)
    return n.random(x.shape) < chances


def random_(n, x, *args, **named):
    """Fills this tensor with integers from `from` up to but without `to`; by default from 0 to all that the dtype can hold exactly."""
    if len(args) == 1 and not named:
        args = (0, *args)
    most = 2 ** (np.finfo(x.dtype).nmant + 1) if x.dtype.kind == "f" else bounds(x.dtype)[1]
    low, high = ends("random_", args, named, 0, None)
    return draw_integers("random_", n, x.shape, low, most + 1 if high is None else high, x.dtype)


for sample, floats in (
    (uniform_, True), (normal_, True), (log_normal_, True), (cauchy_, True), (exponential_, True), (geometric_, False), (bernoulli_, False),
    (random_, False),
):  # fmt: skip
    filler(sample, floats)
