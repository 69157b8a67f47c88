"""Mixed precision: inside `autocast` products of matrices and convolutions compute in float16, what needs the range in float32.

Which operation does what is data, the lists below; they are torch's. A call of an operation that is in one has its inputs cast on the way in
(Micikevicius et al., "Mixed precision training", 2018); `Primitive.call` and `of_tensors` ask for it. NumPy has no bfloat16, so autocast to it is
emulated: operations of the first list round their inputs and results to bfloat16, which stay float32 tensors.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any

from ..kernels import driver
from .dtypes import bfloat16, float16, float32, float64
from .modes import casters, inside, recording, set_casting
from .primitive import find
from .tensor import Tensor

if TYPE_CHECKING:
    from .primitive import Primitive

LOWER, FULL, WIDEST, REFUSED = "lower precision", "float32", "the widest dtype of the inputs", "refused"

# The operations by what they compute in, by the names of composites and of the primitives that these consist of.
LISTS: dict[str, dict[str, str]] = {
    "cpu": {
        LOWER: """
            conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv conv_input conv_weight linear matmul mm bmm addmm addbmm baddbmm einsum prelu rnn lstm gru
            scaled_dot_product_attention vecdot""",
        FULL: """
            avg_pool3d binary_cross_entropy binary_cross_entropy_with_logits cdist cholesky cosine_embedding_loss cross_entropy ctc_loss det grid_sample
            hinge_embedding_loss huber_loss inv kl_div l1_loss lower_cholesky margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss
            multilabel_soft_margin_loss nanquantile nll_loss orthogonal_triangular poisson_nll_loss prod product pseudo_inverse quantile smooth_l1_loss
            soft_margin_loss solve_matrices symmetric_eigen thin_svd trace triplet_margin_loss""",
        WIDEST: """
            cat stack join index_copy
            addmv addr bilinear cov corrcoef dot interpolate mv upsample upsample_bilinear upsample_nearest vdot""",
        REFUSED: "",
    },
    "cuda": {
        LOWER: """
            conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv conv_input conv_weight linear matmul mm mv bmm addmm addmv addr addbmm baddbmm einsum prelu rnn lstm gru
            scaled_dot_product_attention vecdot""",
        FULL: """
            acos asin cosh erfinv exp expm1 log log10 log1p log2 pow reciprocal rsqrt sinh softplus tan
            cumprod cumsum logsumexp norm prod product renorm sum
            log_softmax softmax softmin group_norm layer_norm rms_norm row_norm normalize
            binary_cross_entropy_with_logits cdist cosine_embedding_loss cosine_similarity cross_entropy dist hinge_embedding_loss kl_div l1_loss
            margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss nll_loss pdist poisson_nll_loss smooth_l1_loss soft_margin_loss
            triplet_margin_loss""",
        WIDEST: """
            addcdiv addcmul atan2 bilinear cat cross dot grid_sample index_copy index_put join scatter_add stack tensordot vdot
            cov corrcoef interpolate upsample upsample_bilinear upsample_nearest""",
        REFUSED: "binary_cross_entropy",
    },
}  # fmt: skip
POLICIES = {
    device: {name: policy for policy, names in lists.items() for name in names.split()}
    for device, lists in LISTS.items()
}


class State(local):
    """What this thread has set, for each type of device."""

    def __init__(self) -> None:
        self.enabled = {"cpu": False, "cuda": False}
        self.dtype: dict[str, Any] = {"cpu": bfloat16, "cuda": float16}
        self.caching = True
        self.nesting = 0
        self.cache: dict[int, tuple[Tensor, int, Any, Tensor]] = {}


state = State()


# --- casting ----------------------------------------------------------------------------------------------------------


def lowered(x: Tensor, dtype: Any) -> Tensor:
    """The tensor in the lower precision; the parameters of a model are cast once in a block."""
    if dtype is bfloat16:
        return find("rounded_to_bfloat16")(find("cast")(x, float32) if x.dtype is not float32 else x)  # type: ignore[no-any-return]
    return x if x.dtype == dtype else find("cast")(x, dtype)  # type: ignore[no-any-return]


def lowered_once(x: Tensor, dtype: Any) -> Tensor:
    """The same, kept for the next call where x is a parameter."""
    if not (state.caching and state.nesting and x.requires_grad and x.is_leaf and x.dtype == float32 and recording()):
        return lowered(x, dtype)
    found = state.cache.get(id(x))
    if found is None or found[1] != x._version or found[2] is not dtype:
        found = state.cache[id(x)] = (x, x._version, dtype, lowered(x, dtype))
    return found[3]


def is_eligible(x: Any, device: str) -> bool:
    """May this be cast: is it a tensor of this type of device, of float16 or float32?"""
    return isinstance(x, Tensor) and x.dtype.kind == "f" and x.dtype != float64 and x.device.type == device


def tensors_in(x: Any) -> list[Tensor]:
    """The tensors among arguments, also those in lists."""
    if isinstance(x, Tensor):
        return [x]
    if isinstance(x, (list, tuple)):
        return [t for part in x for t in tensors_in(part)]
    return [t for part in x.values() for t in tensors_in(part)] if isinstance(x, dict) else []


def mapped(f: Callable[[Tensor], Tensor], x: Any) -> Any:
    """Arguments or results with the function done to the tensors among them."""
    if isinstance(x, Tensor):
        return f(x)
    if type(x) in (list, tuple):
        return type(x)([mapped(f, part) for part in x])
    return {name: mapped(f, part) for name, part in x.items()} if type(x) is dict else x


def computed(name: str, policy: str, device: str, run: Callable[[Any], Any], args: Any) -> Any:
    """Runs an operation on arguments cast as its policy wants it."""
    dtype = state.dtype[device]
    if policy == REFUSED:
        raise RuntimeError(
            f"{name}: unsafe under autocast, since float16 has no numbers close to 1 for its logarithm; use binary_cross_entropy_with_logits or "
            "BCEWithLogitsLoss, which take what comes before the sigmoid"
        )
    if policy == WIDEST:
        kinds = {x.dtype for x in tensors_in(args) if is_eligible(x, device)}
        if len(kinds) < 2:
            return run(args)
    if policy == LOWER:
        cast = lowered_once
    else:
        cast, dtype = lowered, float32
    result = run(mapped(lambda x: cast(x, dtype) if is_eligible(x, device) else x, args))
    return mapped(lambda x: lowered(x, dtype) if is_eligible(x, device) else x, result) if dtype is bfloat16 else result


def policy_of(name: str, args: Any) -> tuple[str | None, str]:
    """What an operation computes in on the device of its tensors; None if it takes them as they are."""
    tensors = tensors_in(args)
    device = "cuda" if any([x.device.type == "cuda" for x in tensors]) else "cpu"
    return (POLICIES[device].get(name) if state.enabled[device] else None), device


class Caster:
    """What operations ask while `casting()` is true. Inside an operation that is in a list nothing more is cast."""

    @staticmethod
    def of_primitive(op: Primitive, args: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """A call of a primitive."""
        try:
            set_casting(False)
            policy, device = policy_of(op.name, args)
            return (
                op.call(args, static)
                if policy is None
                else computed(op.name, policy, device, lambda cast: op.call(cast, static), args)
            )
        finally:
            set_casting(True)

    @staticmethod
    def of_composite(f: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A call of a composite; what one consists of that is in no list is looked up in turn."""
        policy, device = policy_of(f.__name__, (args, named))
        if policy is None:
            return f(*args, **named)
        try:
            set_casting(False)
            return computed(f.__name__, policy, device, lambda cast: f(*cast[0], **cast[1]), (args, named))
        finally:
            set_casting(True)


casters.current = Caster


# --- what users set ---------------------------------------------------------------------------------------------------


def known(op: str, device_type: Any) -> str:
    """The type of device, checked."""
    if not isinstance(device_type, str):
        raise ValueError(
            f"{op}: expected device_type to be a str such as 'cuda' or 'cpu', got {type(device_type).__name__}"
        )
    if device_type not in state.enabled:
        raise RuntimeError(f"{op}: unsupported device_type {device_type!r}; expected 'cuda' or 'cpu'")
    return device_type


def is_autocast_available(device_type: str) -> bool:
    """Whether there is an autocast for this type of device: "cpu" or "cuda".

    >>> import minigrad
    >>> minigrad.amp.is_autocast_available("cpu")
    True
    """
    if not isinstance(device_type, str):
        raise TypeError(f"is_autocast_available: expected device_type to be a str, got {type(device_type).__name__}")
    return device_type in state.enabled


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on in this thread for this type of device.

    >>> import minigrad
    >>> with minigrad.autocast("cpu"):
    ...     minigrad.is_autocast_enabled("cpu"), minigrad.is_autocast_enabled("cuda")
    (True, False)
    """
    return state.enabled[known("is_autocast_enabled", device_type)]


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Turns autocast on or off in this thread for this type of device; `autocast` does so for a block."""
    state.enabled[known("set_autocast_enabled", device_type)] = bool(enabled)
    set_casting(any(list(state.enabled.values())))


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype of the lower precision on this type of device: at first bfloat16 on the CPU and float16 on a GPU, as in torch.

    >>> import minigrad
    >>> minigrad.get_autocast_dtype("cpu"), minigrad.get_autocast_dtype("cuda")
    (minigrad.bfloat16, dtype('float16'))
    """
    return state.dtype[known("get_autocast_dtype", device_type)]


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Sets the dtype of the lower precision on this type of device."""
    state.dtype[known("set_autocast_dtype", device_type)] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether a parameter is cast once in a block rather than at each use."""
    return state.caching


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Sets whether a parameter is cast once in a block rather than at each use."""
    state.caching = bool(enabled)


def clear_autocast_cache() -> None:
    """Forgets the casts of parameters. Leaving the outermost block does so."""
    state.cache.clear()


def captured() -> tuple[dict[str, bool], dict[str, Any], bool]:
    """What is set in this thread, for `restored`."""
    return dict(state.enabled), dict(state.dtype), state.caching


@contextmanager
def restored(settings: tuple[dict[str, bool], dict[str, Any], bool]) -> Iterator[None]:
    """A block in which what was captured is set again; parameters are cast for it alone."""
    before = captured(), state.cache, state.nesting
    (state.enabled, state.dtype, state.caching), state.cache, state.nesting = settings, {}, 1
    set_casting(any(list(state.enabled.values())))
    try:
        yield
    finally:
        (state.enabled, state.dtype, state.caching), state.cache, state.nesting = before
        set_casting(any(list(state.enabled.values())))


class autocast:
    """A block, or around each call of a decorated function, in which operations compute in the precision that suits them.

    Convolutions and products of matrices run in `dtype`; operations whose results need range or exactness, such as losses, in float32; those of
    several tensors, such as `cat`, in the widest dtype of theirs; all others in the dtype of their inputs. float64 is never cast. The lists are
    torch's, which differ between devices. Backward runs in the dtypes of forward and belongs outside the block; use `amp.GradScaler` with float16.

    NumPy has no bfloat16: to emulate it, operations of the first kind round what they take and give to bfloat16 and stay in float32.

    Args:
        device_type: "cuda" or "cpu"; operations on tensors of the other are left alone.
        dtype: minigrad.float16 or minigrad.bfloat16; by default what get_autocast_dtype says, bfloat16 for the CPU and float16 for a GPU.
        enabled: False makes it a block in which nothing is cast, for parts that need float32.
        cache_enabled: whether a parameter is cast once in the block rather than at each use; by default yes.

    Raises:
        ValueError: device_type is no str.
        RuntimeError: there is no such type of device.

    >>> import minigrad
    >>> x, w = minigrad.ones(2, 3), minigrad.ones(3, 2)
    >>> with minigrad.autocast("cpu", dtype=minigrad.float16):
    ...     y = x @ w
    ...     loss = minigrad.nn.functional.mse_loss(y, minigrad.zeros(2, 2))
    >>> y.dtype, loss.dtype
    (dtype('float16'), dtype('float32'))
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device = known("autocast", device_type)
        self.fast_dtype = state.dtype[device_type] if dtype is None else dtype
        self._cache_enabled = state.caching if cache_enabled is None else cache_enabled
        if enabled and device_type == "cuda" and not driver.status()[0]:
            warnings.warn(
                f"autocast: no GPU is available, so autocast for 'cuda' does nothing: {driver.status()[1]}",
                stacklevel=2,
            )
            enabled = False
        elif enabled and self.fast_dtype is not bfloat16 and self.fast_dtype != float16:
            warnings.warn(
                f"autocast: expected dtype to be float16 or bfloat16, got {self.fast_dtype!r}; autocast does nothing",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self.before: list[tuple[bool, Any, bool]] = []  # a stack: one object may be entered again inside itself

    def __enter__(self) -> autocast:
        self.before.append((state.enabled[self.device], state.dtype[self.device], state.caching))
        state.nesting += 1
        state.dtype[self.device], state.caching = self.fast_dtype, self._cache_enabled
        set_autocast_enabled(self.device, self._enabled)
        return self

    def __exit__(self, *exc: object) -> None:
        enabled, state.dtype[self.device], state.caching = self.before.pop()
        set_autocast_enabled(self.device, enabled)
        state.nesting -= 1
        if state.nesting == 0:
            clear_autocast_cache()

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(func):
            raise TypeError(
                f"autocast: expected a function to decorate, got {type(func).__name__}; a block is `with autocast(device_type):`"
            )
        return inside(lambda: self, func)
