"""Recurrent networks, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.nn import functional as F
from minigrad.onnx.loading.table import Run, reads, refuse

Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {
    "Sigmoid": lambda x, a, b: x.sigmoid(),
    "Tanh": lambda x, a, b: x.tanh(),
    "Relu": lambda x, a, b: x.relu(),
    "Affine": lambda x, a, b: x * a + b,
    "LeakyRelu": lambda x, a, b: F.leaky_relu(x, a),
    "ThresholdedRelu": lambda x, a, b: F.threshold(x, a, 0.0),
    "ScaledTanh": lambda x, a, b: (x * b).tanh() * a,
    "HardSigmoid": lambda x, a, b: (x * a + b).clamp(0, 1),
    "Elu": lambda x, a, b: F.elu(x, a),
    "Softsign": lambda x, a, b: F.softsign(x),
    "Softplus": lambda x, a, b: F.softplus(x),
}
# alpha and beta where the file gives none.
DEFAULTS = {
    "LeakyRelu": (0.01, 0.0),
    "ThresholdedRelu": (1.0, 0.0),
    "ScaledTanh": (1.0, 1.0),
    "HardSigmoid": (0.2, 0.5),
    "Elu": (1.0, 0.0),
    "Affine": (1.0, 0.0),
}
BY_NAME = {name.lower(): name for name in FUNCTIONS}


def functions_of(run: Run, names: Any, alphas: Any, betas: Any, count: int, usual: list[str]) -> list[list[Function]]:
    """The activations of each direction."""
    names = usual * count if names is None else names
    alphas, betas = list(alphas or []), list(betas or [])
    found: list[Function] = []
    for given in names:
        name = BY_NAME.get(given.lower())
        if name is None:
            return refuse(run, f"the activation {given!r} is not known")  # type: ignore[no-any-return]
        a, b = DEFAULTS.get(name, (0.0, 0.0))
        if name in DEFAULTS:
            a = alphas.pop(0) if alphas else a
            b = betas.pop(0) if betas and name in ("Affine", "ScaledTanh", "HardSigmoid") else b
        found.append(lambda x, f=FUNCTIONS[name], a=a, b=b: f(x, a, b))
    each = len(usual)
    return [found[i * each : (i + 1) * each] for i in range(count)]


def rnn_step(
    x: Any, state: Any, w: Any, r: Any, wb: Any, rb: Any, peep: Any, f: Any, clipped: Any, options: Any
) -> Any:
    (h,) = state
    return (f[0](clipped(x @ w.t() + h @ r.t() + wb + rb)),)


def gru_step(
    x: Any, state: Any, w: Any, r: Any, wb: Any, rb: Any, peep: Any, f: Any, clipped: Any, options: Any
) -> Any:
    (h,) = state
    n = h.shape[-1]
    from_input, from_state = x @ w.t() + wb, h @ r[: 2 * n].t() + rb[: 2 * n]
    update = f[0](clipped(from_input[:, :n] + from_state[:, :n]))
    reset = f[0](clipped(from_input[:, n : 2 * n] + from_state[:, n:]))
    if options["linear_before_reset"]:
        candidate = from_input[:, 2 * n :] + reset * (h @ r[2 * n :].t() + rb[2 * n :])
    else:
        candidate = from_input[:, 2 * n :] + (reset * h) @ r[2 * n :].t() + rb[2 * n :]
    return ((1 - update) * f[1](clipped(candidate)) + update * h,)


def lstm_step(
    x: Any, state: Any, w: Any, r: Any, wb: Any, rb: Any, peep: Any, f: Any, clipped: Any, options: Any
) -> Any:
    h, c = state
    n = h.shape[-1]
    gates = x @ w.t() + h @ r.t() + wb + rb
    i, o, forget, new = [gates[:, k * n : (k + 1) * n] for k in range(4)]
    if peep is not None:
        i, forget = i + peep[:n] * c, forget + peep[2 * n :] * c
    i = f[0](clipped(i))
    forget = 1 - i if options["input_forget"] else f[0](clipped(forget))
    c = forget * c + i * f[1](clipped(new))
    o = o if peep is None else o + peep[n : 2 * n] * c
    return f[0](clipped(o)) * f[2](c), c


def layer(
    run: Run, step: Any, gates: int, usual: list[str], x: Any, w: Any, r: Any, b: Any, lengths: Any, starts: list[Any], peep: Any, *, options: Any = None,
    activation_alpha: Any = None, activation_beta: Any = None, activations: Any = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, layout: int = 0,
) -> Any:  # fmt: skip
    """Each direction by itself: steps (T, N, features) to all states (T, directions, N, H), and the last ones (directions, N, H)."""
    count = 2 if direction == "bidirectional" else 1
    if w.shape[0] != count:
        raise ValueError(f"onnx.load: {run.kind}: weights for {w.shape[0]} directions, but direction={direction!r}")
    functions = functions_of(run, activations, activation_alpha, activation_beta, count, usual)
    x = x.transpose(0, 1) if layout else x
    steps, batch, width = x.shape[0], x.shape[1], r.shape[-1]
    starts = [None if s is None else s.transpose(0, 1) if layout else s for s in starts]
    bias = ops.zeros(count, 2 * gates * width, dtype=x.dtype) if b is None else b
    valid = None if lengths is None or bool((lengths == steps).all()) else lengths.numpy()
    all_states, last = [], []
    for k in range(count):
        state = tuple([ops.zeros(batch, width, dtype=x.dtype) if s is None else s[k] for s in starts])
        half = bias.shape[1] // 2
        backwards = direction == "reverse" or k == 1
        seen: list[Any] = [None] * steps
        for t in reversed(range(steps)) if backwards else range(steps):
            new = step(
                x[t], state, w[k], r[k], bias[k, :half], bias[k, half:], None if peep is None else peep[k], functions[k],
                (lambda v: v) if clip is None else (lambda v: ops.clamp(v, -clip, clip)), options,
            )  # fmt: skip
            if valid is None:
                state, seen[t] = new, new[0]
                continue
            alive = make_tensor((t < valid).reshape(-1, 1))
            state = tuple([ops.where(alive, now, old) for now, old in zip(new, state, strict=True)])
            seen[t] = ops.where(alive, new[0], ops.zeros_like(new[0]))
        all_states.append(ops.stack(seen) if steps else ops.zeros(0, batch, width, dtype=x.dtype))
        last.append(state)
    y = ops.stack(all_states, 1)
    ends = [ops.stack([state[i] for state in last]) for i in range(len(starts))]
    if layout:
        y, ends = y.permute(2, 0, 1, 3), [e.transpose(0, 1) for e in ends]
    return (y, *ends)[: run.outputs] if run.outputs > 1 else y


@reads("RNN", since=7)
def _(
    x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, start: Any = None, *, run: Run, **attributes: Any
) -> Any:
    return layer(run, rnn_step, 1, ["Tanh"], x, w, r, b, lengths, [start], None, **attributes)


@reads("GRU", since=7)
def _(
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    start: Any = None,
    *,
    linear_before_reset: int = 0,
    run: Run,
    **attributes: Any,
) -> Any:
    options = {"linear_before_reset": linear_before_reset}
    return layer(
        run, gru_step, 3, ["Sigmoid", "Tanh"], x, w, r, b, lengths, [start], None, options=options, **attributes
    )


@reads("LSTM", since=7)
def _(
    x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, start: Any = None, cell: Any = None, peep: Any = None, *, input_forget: int = 0, run: Run,
    **attributes: Any,
) -> Any:  # fmt: skip
    options = {"input_forget": input_forget}
    return layer(
        run,
        lstm_step,
        4,
        ["Sigmoid", "Tanh", "Tanh"],
        x,
        w,
        r,
        b,
        lengths,
        [start, cell],
        peep,
        options=options,
        **attributes,
    )
