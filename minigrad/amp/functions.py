"""Functions of one's own under autocast: `autograd.Function` calls its forward and backward itself, and these say in what precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from minigrad.core.autocast import autocast, get_autocast_dtype, is_autocast_enabled, is_eligible, mapped


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorates the forward of an `autograd.Function`: with cast_inputs, it runs on inputs of that dtype and without autocast where that is on.

    Args:
        fwd: the static method; its first argument is the context.
        device_type: "cuda" or "cpu".
        cast_inputs: the dtype for its floating-point tensors (but float64 ones); None leaves autocast on inside.

    Raises:
        ValueError: device_type is no str.

    >>> import minigrad
    >>> from minigrad.amp import custom_bwd, custom_fwd
    >>> class Double(minigrad.autograd.Function):
    ...     @staticmethod
    ...     @custom_fwd(device_type="cpu", cast_inputs=minigrad.float32)
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> with minigrad.autocast("cpu", dtype=minigrad.float16):
    ...     Double.apply(minigrad.ones(1).half()).dtype
    dtype('float32')
    """
    check("custom_fwd", device_type)
    if fwd is None:
        return partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @wraps(fwd)
    def decorated(ctx: Any, *args: Any, **named: Any) -> Any:
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = cast_inputs is None and is_autocast_enabled(device_type)
        if cast_inputs is None or not is_autocast_enabled(device_type):
            return fwd(ctx, *args, **named)
        with autocast(device_type, enabled=False):
            args, named = mapped(lambda x: x.to(cast_inputs) if is_eligible(x, device_type) else x, (args, named))
            return fwd(ctx, *args, **named)

    return decorated


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Decorates the backward of an `autograd.Function`: it runs with autocast on or off as in a forward that `custom_fwd` decorates.

    Raises:
        ValueError: device_type is no str.
    """
    check("custom_bwd", device_type)
    if bwd is None:
        return partial(custom_bwd, device_type=device_type)

    @wraps(bwd)
    def decorated(ctx: Any, *args: Any, **named: Any) -> Any:
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **named)

    return decorated


def check(op: str, device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(
            f"{op}: expected device_type to be a str such as 'cuda' or 'cpu', got {type(device_type).__name__}"
        )
