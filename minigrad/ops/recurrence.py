"""Recurrent layers along whole sequences: what depends on the state from step to step, as one fused operation a kind of cell.

Of a batch of sequences, sorted by length, the steps stand one after the other: `input` (total, gates * H) holds what comes from the inputs, and
`sizes` says how many sequences have a first, a second, a third step. The state is kept in rows that none leaves: a sequence that has ended
keeps its last state there, and one that, read from the end, has not begun its first. Each operation names the composite that it equals, which
runs where its derivative is to be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..core.primitive import primitive
from ..kernels import of, xp
from .joining import cat, stack
from .linalg import matmul
from .normalization import tensors

__all__: list[str] = []  # nn has the public names


# --- one step ---------------------------------------------------------------------------------------------------------


def from_state(hidden, weight, bias):
    """The share of the state in the gates."""
    product = matmul(hidden, weight.t())
    return product if bias is None else product + bias


def rnn_step(from_input, state, weight, bias, activation):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it (Elman, 1990)."""
    total = from_input + from_state(state[0], weight, bias)
    return (total.tanh() if activation == "tanh" else total.relu(),)


def lstm_step(from_input: Any, state: Any, weight: Any, bias: Any, projection: Any = None) -> Any:
    """Gates decide what the cell forgets, takes in and shows (Hochreiter and Schmidhuber, 1997; projection: Sak et al., 2014)."""
    hidden, cell = state
    taken, kept, candidate, shown = (from_input + from_state(hidden, weight, bias)).chunk(4, 1)
    cell = kept.sigmoid() * cell + taken.sigmoid() * candidate.tanh()
    hidden = shown.sigmoid() * cell.tanh()
    return hidden if projection is None else matmul(hidden, projection.t()), cell


def gru_step(from_input, state, weight, bias):
    """Gates decide how much of the state counts for the candidate, and how much of it stays (Cho et al., 2014)."""
    (hidden,) = state
    reset_x, update_x, candidate_x = from_input.chunk(3, 1)
    reset_h, update_h, candidate_h = from_state(hidden, weight, bias).chunk(3, 1)
    candidate = (candidate_x + (reset_x + reset_h).sigmoid() * candidate_h).tanh()
    return (candidate + (update_x + update_h).sigmoid() * (hidden - candidate),)


# --- along sequences --------------------------------------------------------------------------------------------------


def places(sizes: tuple[int, ...], reverse: bool) -> Iterator[tuple[int, slice]]:
    """For each step, in the order in which they are taken, how many sequences have it, and where it stands among all."""
    end = sum(sizes) if reverse else 0
    for rows in reversed(sizes) if reverse else sizes:
        if reverse:
            end -= rows
            yield rows, slice(end, end + rows)
        else:
            yield rows, slice(end, end + rows)
            end += rows


def scan(step: Callable[..., Any], input: Any, start: Any, sizes: tuple[int, ...], reverse: bool) -> Any:
    """Takes a step after the other: for each tensor of the state its values at all steps, in the order of the input."""
    state, outputs = start, []
    for rows, here in places(sizes, reverse):
        now = step(input[here], tuple([one[:rows] for one in state]))
        state = (
            now
            if rows == len(state[0])
            else tuple([cat([new, old[rows:]]) for new, old in zip(now, state, strict=True)])
        )
        outputs.append(now)
    if reverse:
        outputs.reverse()
    return [cat(list(values)) for values in zip(*outputs, strict=True)]


def states_before(out, start, sizes, reverse):
    """The state that each step began with, from those that the steps ended with."""
    before, state = xp(out).empty_like(out), start.copy()
    for rows, here in places(sizes, reverse):
        before[here] = state[:rows]
        state[:rows] = out[here]
    return before


def gradients(slopes, before, weight, bias):
    """The gradients of the weight and the bias, from those of what they gave at all steps."""
    matmul_of = of(slopes).matmul
    return matmul_of(slopes.T, before), None if bias is None else slopes.sum(0)


def steps_back(sizes, reverse):
    """The steps from the last taken to the first."""
    return places(sizes, not reverse)


# --- Elman ------------------------------------------------------------------------------------------------------------


def rnn_of_operations(input, hidden, weight, bias, sizes, reverse, activation):
    return scan(lambda x, state: rnn_step(x, state, weight, bias, activation), input, (hidden,), sizes, reverse)[0]


@primitive(method=False, equals=rnn_of_operations)
def rnn(input, hidden, weight, bias=None, /, sizes=(), reverse=False, activation="tanh"):
    """The states (total, H) of an Elman network: input (total, H), hidden (N, H), weight (H, H), bias (H)."""
    m, matmul_of = xp(input), of(input).matmul
    out, onward = m.empty_like(input, order="C"), weight.T.copy()
    state = hidden.copy()
    for rows, here in places(sizes, reverse):
        total = matmul_of(state[:rows], onward, bias)
        total += input[here]
        state[:rows] = m.tanh(total) if activation == "tanh" else m.maximum(total, 0)
        out[here] = state[:rows]
    return out


@rnn.vjp("input", "hidden", "weight", "bias")
def _(g, out, hidden, weight, bias, sizes, reverse, activation):
    g, out, hidden, weight = g.array, out.array, hidden.array, weight.array
    m, matmul_of = xp(g), of(g).matmul
    slopes = 1 - out * out if activation == "tanh" else (out > 0).astype(out.dtype)
    back = m.zeros_like(hidden, order="C")
    for rows, here in steps_back(sizes, reverse):
        slopes[here] *= back[:rows] + g[here]
        back[:rows] = matmul_of(slopes[here], weight)
    of_weight, of_bias = gradients(slopes, states_before(out, hidden, sizes, reverse), weight, bias)
    return tensors(slopes, back, of_weight, of_bias)


# --- long short-term memory -------------------------------------------------------------------------------------------


def lstm_of_operations(input, hidden, cell, weight, bias, sizes, reverse):
    return stack(scan(lambda x, state: lstm_step(x, state, weight, bias), input, (hidden, cell), sizes, reverse))


@primitive(method=False, aux=1, equals=lstm_of_operations)
def lstm(input, hidden, cell, weight, bias=None, /, sizes=(), reverse=False):
    """The hidden states and those of the cells (2, total, H): input (total, 4 H), hidden and cell (N, H), weight (4 H, H), bias (4 H).

    With them come the gates (total, 4 H), which carry no gradient.
    """
    m, kernels = xp(input), of(input)
    width = hidden.shape[1]
    taken, kept, candidate, shown = [slice(i * width, (i + 1) * width) for i in range(4)]
    out = m.empty((2, input.shape[0], width), input.dtype)
    gates, onward = m.empty_like(input, order="C"), weight.T.copy()
    state, memory = hidden.copy(), cell.copy()
    for rows, here in places(sizes, reverse):
        total = kernels.matmul(state[:rows], onward, bias)
        total += input[here]
        now = gates[here]
        now[...] = kernels.unary("sigmoid", total)
        m.tanh(total[:, candidate], out=now[:, candidate])
        memory[:rows] *= now[:, kept]
        memory[:rows] += now[:, taken] * now[:, candidate]
        m.multiply(now[:, shown], m.tanh(memory[:rows]), out=state[:rows])
        out[0, here], out[1, here] = state[:rows], memory[:rows]
    return out, gates


@lstm.vjp("input", "hidden", "cell", "weight", "bias")
def _(g, out, aux, hidden, cell, weight, bias, sizes, reverse):
    g, out, gates = g.array, out.array, aux.array
    hidden, cell, weight = hidden.array, cell.array, weight.array
    m, matmul_of = xp(g), of(g).matmul
    total, width = out.shape[1:]
    taken, kept, candidate, shown = gates.reshape(total, 4, width).swapaxes(0, 1)
    seen = m.tanh(out[1])
    # What a change of each gate's sum does to the cell's state, for the last gate to the hidden state.
    slopes = m.empty((total, 4, width), out.dtype)
    m.multiply(gates, 1 - gates, out=slopes.reshape(total, 4 * width))
    slopes[:, 0] *= candidate
    slopes[:, 1] *= states_before(out[1], cell, sizes, reverse)
    m.multiply(taken, 1 - candidate * candidate, out=slopes[:, 2])
    slopes[:, 3] *= seen
    through = shown * (1 - seen * seen)
    back, memory = m.zeros_like(hidden, order="C"), m.zeros_like(cell, order="C")
    for rows, here in steps_back(sizes, reverse):
        change = back[:rows] + g[0, here]
        stored = memory[:rows]
        stored += change * through[here]
        stored += g[1, here]
        now = slopes[here]
        now[:, :3] *= stored[:, None]
        now[:, 3] *= change
        stored *= kept[here]
        back[:rows] = matmul_of(now.reshape(rows, 4 * width), weight)
    slopes = slopes.reshape(total, 4 * width)
    return tensors(
        slopes, back, memory, *gradients(slopes, states_before(out[0], hidden, sizes, reverse), weight, bias)
    )


# --- gated recurrent units --------------------------------------------------------------------------------------------


def gru_of_operations(input, hidden, weight, bias, sizes, reverse):
    return scan(lambda x, state: gru_step(x, state, weight, bias), input, (hidden,), sizes, reverse)[0]


@primitive(method=False, aux=1, equals=gru_of_operations)
def gru(input, hidden, weight, bias=None, /, sizes=(), reverse=False):
    """The states (total, H): input (total, 3 H), hidden (N, H), weight (3 H, H), bias (3 H).

    With them come both gates, the candidate and the state's share in it (total, 4 H), which carry no gradient.
    """
    m, kernels = xp(input), of(input)
    width = hidden.shape[1]
    out = m.empty((input.shape[0], width), input.dtype)
    gates, onward = m.empty((input.shape[0], 4 * width), input.dtype), weight.T.copy()
    state = hidden.copy()
    for rows, here in places(sizes, reverse):
        total = kernels.matmul(state[:rows], onward, bias)
        now, from_input = gates[here], input[here]
        now[:, : 2 * width] = kernels.unary("sigmoid", total[:, : 2 * width] + from_input[:, : 2 * width])
        now[:, 3 * width :] = total[:, 2 * width :]
        candidate = now[:, :width] * total[:, 2 * width :]
        candidate += from_input[:, 2 * width :]
        m.tanh(candidate, out=candidate)
        now[:, 2 * width : 3 * width] = candidate
        state[:rows] -= candidate
        state[:rows] *= now[:, width : 2 * width]
        state[:rows] += candidate
        out[here] = state[:rows]
    return out, gates


@gru.vjp("input", "hidden", "weight", "bias")
def _(g, out, aux, hidden, weight, bias, sizes, reverse):
    g, out, gates, hidden, weight = g.array, out.array, aux.array, hidden.array, weight.array
    m, matmul_of = xp(g), of(g).matmul
    total, width = out.shape
    reset, update, candidate, share = gates.reshape(total, 4, width).swapaxes(0, 1)
    before = states_before(out, hidden, sizes, reverse)
    # What a change of each gate's sum, and of the state's share in the candidate, does to the next state.
    slopes = m.empty((total, 3, width), out.dtype)
    of_candidate = (1 - update) * (1 - candidate * candidate)
    m.multiply(of_candidate * share, reset * (1 - reset), out=slopes[:, 0])
    m.multiply(before - candidate, update * (1 - update), out=slopes[:, 1])
    m.multiply(of_candidate, reset, out=slopes[:, 2])
    back = m.zeros_like(hidden, order="C")
    for rows, here in steps_back(sizes, reverse):
        change = back[:rows] + g[here]
        slopes[here] *= change[:, None]
        of_candidate[here] *= change
        m.multiply(change, update[here], out=back[:rows])
        back[:rows] += matmul_of(slopes[here].reshape(rows, 3 * width), weight)
    of_input = slopes.copy()
    of_input[:, 2] = of_candidate
    slopes = slopes.reshape(total, 3 * width)
    return tensors(of_input.reshape(total, 3 * width), back, *gradients(slopes, before, weight, bias))


# --- how the laws call them -------------------------------------------------------------------------------------------


def sequences(draw, gates, states=1, **others):
    """Arguments for a kind of cell: sequences of some lengths, read from either end."""
    width = draw.size(1)
    lengths = sorted([draw.choice(1, 2, 3) for _ in range(draw.choice(1, 2, 3))], reverse=True)
    sizes = tuple([sum([1 for length in lengths if length > step]) for step in range(lengths[0])])
    input = draw.array((sum(sizes), gates * width))
    start = [draw.array((len(lengths), width)) for _ in range(states)]
    weight = draw.array((gates * width, width), -1.0, 1.0)
    bias = draw.array((gates * width,)) if draw.choice(True, False) else None
    return (input, *start, weight, bias), {"sizes": sizes, "reverse": draw.choice(False, True), **others}


@rnn.cases
def _(draw):
    return sequences(draw, 1, activation=draw.choice("tanh", "relu"))


@lstm.cases
def _(draw):
    return sequences(draw, 4, 2)


@gru.cases
def _(draw):
    return sequences(draw, 3)
