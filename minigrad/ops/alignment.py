"""The alignments of a sequence of labels with a longer sequence of steps: how probable all of them are together (Graves et al., 2006).

A sample's state s says that s labels and blanks in turn, a blank first, have been begun. Two cells stand before the states: state 0 is reached
from the second of them, the start, and the windows of three cells that end at each state are where it can be reached from, by leaving out a
blank between two labels, by going on, or by staying.
"""

from __future__ import annotations

import numpy as np

from ..core.primitive import primitive
from ..core.tensor import make_tensor
from ..kernels import xp
from .elementwise import where
from .joining import stack
from .pad import constant_pad_nd

__all__: list[str] = []  # nn.functional.ctc_loss is made of it

# The logarithm of zero, finite so that the difference of two such is a number.
LOG_ZERO = -1e30


def states_and_jumps(labels, blank):
    """The class that each state emits (N, 2 S + 1), and the logarithm of whether it may be reached past a blank: 0 or LOG_ZERO."""
    samples, width = labels.shape
    states = np.full((samples, 2 * width + 1), blank)
    states[:, 1::2] = np.where(labels < 0, blank, labels)
    jumps = np.full(states.shape, LOG_ZERO)
    jumps[:, 1:2] = 0.0
    jumps[:, 3::2] = np.where(states[:, 3::2] == states[:, 1:-2:2], LOG_ZERO, 0.0)
    return states, jumps


def start_of(samples, width):
    """The cells before the first step."""
    start = np.full((samples, 2 * width + 3), LOG_ZERO)
    start[:, 1] = 0
    return start


def ends_of(of_target):
    """The two cells in which a sample may end: its last label, or the blank after it."""
    return np.stack([2 * of_target + 1, 2 * of_target + 2], 1)


def alignments_of_operations(log_probs, labels, of_input, of_target, blank):
    samples, width = labels.shape
    states, jumps = states_and_jumps(labels, blank)
    penalties = np.zeros((*states.shape, 3))
    penalties[:, :, 0] = jumps
    emitted = log_probs.gather(2, make_tensor(np.broadcast_to(states, (len(log_probs), *states.shape))))
    emitted = where(emitted > LOG_ZERO, emitted, LOG_ZERO)
    cells = [make_tensor(start_of(samples, width))]
    for now in emitted.unbind(0):
        reached = (cells[-1].unfold(1, 3, 1) + make_tensor(penalties)).logsumexp(-1) + now
        cells.append(constant_pad_nd(reached, (2, 0), LOG_ZERO))
    last = stack(cells)[make_tensor(of_input), make_tensor(np.arange(samples))]
    return last.gather(1, make_tensor(ends_of(of_target))).logsumexp(1)


@primitive(method=False, host_only=True, aux=2, equals=alignments_of_operations)
def alignments(log_probs, /, labels, of_input, of_target, blank):
    """The logarithm (N) of the probability that the steps (T, N, C) spell the labels (N, S), of which those behind a sample's end are -1.

    of_input and of_target (N) are the lengths of the samples. Computed in float64. With it come the shares of the three cells in each state's
    probability at each step (T, 3, N, 2 S + 1), and those of both ends (N, 2), which carry no gradient.
    """
    m = xp(log_probs)
    steps, (samples, width) = log_probs.shape[0], labels.shape
    states, jumps = [m.asarray(a) for a in states_and_jumps(labels, blank)]
    emitted = m.maximum(log_probs[:, m.arange(samples)[:, None], states], LOG_ZERO)
    cells = m.full((steps + 1, samples, 2 * width + 3), LOG_ZERO)
    cells[0] = m.asarray(start_of(samples, width))
    shares = m.empty((steps, 3, samples, 2 * width + 1))
    for before, after, window, now in zip(cells[:-1], cells[1:], shares, emitted, strict=True):
        jump, advance, stay = window
        m.add(before[:, :-2], jumps, out=jump)
        advance[...], stay[...] = before[:, 1:-1], before[:, 2:]
        largest = m.maximum(m.maximum(jump, advance), stay)
        window -= largest
        m.exp(window, out=window)
        total = jump + advance
        total += stay
        window /= total
        largest += m.log(total)
        m.add(largest, now, out=after[:, 2:])
    rows = m.arange(samples)
    ends = cells[m.asarray(of_input)[:, None], rows[:, None], m.asarray(ends_of(of_target))]
    found = m.logaddexp(ends[:, 0], ends[:, 1])
    of_ends = m.exp(ends - found[:, None])
    return tuple([a.astype(log_probs.dtype, copy=False) for a in (found, shares, of_ends)])


@alignments.vjp("log_probs")
def _(g, log_probs, aux, labels, of_input, of_target, blank):
    g, log_probs, (shares, of_ends) = g.array, log_probs.array, [a.array for a in aux]
    m = xp(g)
    samples, width = labels.shape
    rows = m.arange(samples)
    arriving = m.zeros((len(log_probs) + 1, samples, 2 * width + 3))  # at the cells, from the steps after them
    arriving[m.asarray(of_input)[:, None], rows[:, None], m.asarray(ends_of(of_target))] = g[:, None] * of_ends
    for before, after, (jump, advance, stay) in zip(arriving[-2::-1], arriving[:0:-1], shares[::-1], strict=True):
        states = after[:, 2:]
        before[:, 2:] += states * stay
        before[:, 1:-1] += states * advance
        before[:, :-2] += states * jump
    of_states = arriving[1:, :, 2:]
    found = m.zeros_like(log_probs, order="C")
    found[:, :, blank] = of_states[:, :, 0::2].sum(-1)
    for place in range(width):
        here = rows[labels[:, place] >= 0]
        found[:, here, labels[here, place]] += of_states[:, here, 2 * place + 1]
    return make_tensor(m.where(log_probs > LOG_ZERO, found, found.dtype.type(0)))


@alignments.cases
def _(draw):
    # Steps enough for two equal labels with a blank between: what no alignment spells has the probability zero and no slope.
    steps, width, samples = draw.choice(4, 5), draw.choice(1, 0, 2), draw.choice(1, 2)
    of_input = np.array([draw.choice(steps, steps - 1) for _ in range(samples)])
    of_target = np.array([draw.choice(width, 0) for _ in range(samples)])
    drawn = np.array([[draw.choice(1, 2) for _ in range(width)] for _ in range(samples)], np.int64).reshape(
        samples, width
    )
    labels = np.where(np.arange(width) < of_target[:, None], drawn, -1)
    return (draw.array((steps, samples, 3), -4.0, 0.0),), {
        "labels": labels,
        "of_input": of_input,
        "of_target": of_target,
        "blank": 0,
    }
