"""Linear algebra: products of vectors and matrices."""

from __future__ import annotations

import math

from ..core.dtypes import check_kind, check_one_dtype
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import Tensor
from ..kernels import of
from .reduce import sum
from .shape import check_dims, permute, transpose

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "dot", "einsum", "inner", "matmul", "mm", "mv", "outer", "tensordot", "trace", "vdot",
]  # fmt: skip


@primitive(laws="bilinear", accepts="fiu", numbers=())
def matmul(input, other, /):
    """The matrix product over the last two axes, the axes before them being broadcast; vectors count as a row or a column.

    >>> import minigrad
    >>> (minigrad.ones(2, 3) @ minigrad.ones(3, 4)).shape
    (2, 4)
    """
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError(f"matmul: both operands need at least 1 dimension, got shapes {input.shape} and {other.shape}")
    check_one_dtype("matmul", input, other)
    n, m = input.shape[-1], other.shape[-2 if other.ndim > 1 else 0]
    if n != m:
        raise RuntimeError(f"matmul: the inner lengths differ: {n} in shape {input.shape}, {m} in shape {other.shape}")
    return of(input).matmul(input, other)


@matmul.vjp("input")
def _(g, other, input_shape):
    if len(input_shape) == 1 and other.ndim == 1:
        return g * other
    if other.ndim == 1:
        return g.unsqueeze(-1) * other
    if len(input_shape) == 1:
        product = matmul(other, g.unsqueeze(-1)).squeeze(-1)
        return product.sum(tuple(range(product.ndim - 1))) if product.ndim > 1 else product
    return matmul(g, transpose(other, -2, -1))


@matmul.vjp("other")
def _(g, input, other_shape):
    if len(other_shape) == 1 and input.ndim == 1:
        return g * input
    if input.ndim == 1:
        return input.unsqueeze(-1) * g.unsqueeze(-2)
    if len(other_shape) == 1:
        product = matmul(transpose(input, -2, -1), g.unsqueeze(-1)).squeeze(-1)
        return product.sum(tuple(range(product.ndim - 1))) if product.ndim > 1 else product
    return matmul(transpose(input, -2, -1), g)


@matmul.cases
def _(draw):
    n, k, m = draw.size(), draw.size(), draw.size()
    a, b = draw.choice(
        ((n, k), (k, m)), ((k,), (k, m)), ((n, k), (k,)), ((k,), (k,)), ((2, 1, n, k), (3, k, m)), ((2, n, k), (k,)), ((k,), (2, k, m))
    )
    return (draw.array(a), draw.array(b)), {}


@primitive(method=False, laws="bilinear", numbers=())
def linear(input, weight, bias, /):
    """(*, in_features) with weight (out_features, in_features) and bias (out_features) or None to (*, out_features)."""
    check_one_dtype("linear", input, weight, bias)
    return of(input).matmul(input, weight.T, bias)


@linear.vjp("input")
def _(g, weight):
    return matmul(g, weight)


@linear.vjp("weight")
def _(g, input):
    if g.ndim != 2:
        rows = math.prod(g.shape[:-1])
        g, input = g.reshape(rows, g.shape[-1]), input.reshape(rows, input.shape[-1])
    return matmul(transpose(g, 0, 1), input)


@linear.vjp("bias")
def _(g):
    return sum(g, tuple(range(g.ndim - 1))) if g.ndim > 1 else g


@linear.cases
def _(draw):
    features_in, features_out = draw.size(), draw.size()
    shape = draw.choice((3, features_in), (features_in,), (2, 1, features_in))
    bias = draw.choice(None, draw.array((features_out,)))
    return (draw.array(shape), draw.array((features_out, features_in)), bias), {}


def of_rank(op, *wanted):
    """Refuses operands of other ranks than torch takes here."""
    for name, x, rank in wanted:
        if x.ndim != rank:
            raise RuntimeError(f"{op}: expected {name} with {rank} dimensions, got shape {x.shape}; matmul broadcasts")


@function
def mm(input, mat2):
    """The product of two matrices."""
    of_rank("mm", ("input", input, 2), ("mat2", mat2, 2))
    return matmul(input, mat2)


@function
def bmm(input, mat2):
    """The products of a batch of pairs of matrices."""
    of_rank("bmm", ("input", input, 3), ("mat2", mat2, 3))
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(f"bmm: the batches differ: shapes {input.shape} and {mat2.shape}")
    return matmul(input, mat2)


@function
def mv(input, vec):
    """The product of a matrix and a vector."""
    of_rank("mv", ("input", input, 2), ("vec", vec, 1))
    return matmul(input, vec)


@function
def dot(input, tensor):
    """The sum of the products of two vectors' elements."""
    of_rank("dot", ("input", input, 1), ("tensor", tensor, 1))
    same_length("dot", input, tensor)
    return matmul(input, tensor)


def same_length(op, x, y):
    if x.shape != y.shape or x.dtype != y.dtype:
        raise RuntimeError(f"{op}: expected vectors of one length and dtype, got {x.dtype} of shape {x.shape} and {y.dtype} of shape {y.shape}")


@function
def outer(input, vec2):
    """The matrix of all products of two vectors' elements."""
    of_rank("outer", ("input", input, 1), ("vec2", vec2, 1))
    return input.unsqueeze(1) * vec2


@function
def inner(input, other):
    """The sums of products over the last axes."""
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@function
def vdot(input, other):
    """The sum of the products of two vectors' elements."""
    of_rank("vdot", ("input", input, 1), ("other", other, 1))
    same_length("vdot", input, other)
    return matmul(input, other)


def added(op, input, product, beta, alpha):
    """beta * input + alpha * product; with beta 0 the input does not count, even where it is NaN."""
    if op != "addr":  # which promotes, as outer does
        check_one_dtype(op, input, product)
    if product.dtype.kind in "iub":  # torch brings the numbers to the dtype
        number = bool if product.dtype.kind == "b" else int
        beta, alpha = number(beta), number(alpha)
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    if any([n not in (1, m) for n, m in zip(reversed(input.shape), reversed(product.shape), strict=False)]) or input.ndim > product.ndim:
        raise RuntimeError(f"{op}: the input of shape {input.shape} cannot be expanded to the product's shape {product.shape}")
    return (input if beta == 1 else input * beta) + product


@function
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * (mat1 @ mat2)."""
    return added("addmm", input, mm(mat1, mat2), beta, alpha)


@function
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * (mat @ vec)."""
    return added("addmv", input, mv(mat, vec), beta, alpha)


@function
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * outer(vec1, vec2)."""
    return added("addr", input, outer(vec1, vec2), beta, alpha)


@function
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * (batch1 @ batch2), for each pair of matrices of a batch."""
    return added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


@function
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * the sum of (batch1 @ batch2) over the batch."""
    return added("addbmm", input, sum(bmm(batch1, batch2), 0, dtype=batch1.dtype), beta, alpha)


for op in (addmm, addmv, addr, baddbmm, addbmm):
    in_place(op)


@function(method=False)
def tensordot(a, b, dims=2):
    """The sum of products over several axes at once: the last `dims` of a with the first of b, or two lists of axes."""
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot: {dims} dimensions to sum over, for tensors of shapes {a.shape} and {b.shape}")
        dims = (list(range(a.ndim - dims, a.ndim)), list(range(dims)))
    left, right = check_dims("tensordot", tuple(dims[0]), a.ndim), check_dims("tensordot", tuple(dims[1]), b.ndim)
    if len(left) != len(right):
        raise RuntimeError(f"tensordot: {len(left)} dimensions of a for {len(right)} of b: {dims}")
    for d, e in zip(left, right, strict=True):  # a length of 1 is stretched, as by broadcasting
        if a.shape[d] == 1 != b.shape[e]:
            b = sum(b, e, True, dtype=b.dtype)
        elif b.shape[e] == 1 != a.shape[d]:
            a = sum(a, d, True, dtype=a.dtype)
    if [a.shape[d] for d in left] != [b.shape[d] for d in right]:
        raise RuntimeError(f"tensordot: the lengths of dimensions {left} of shape {a.shape} and {right} of shape {b.shape} differ")
    keep_a = [d for d in range(a.ndim) if d not in left]
    keep_b = [d for d in range(b.ndim) if d not in right]
    shape_a, shape_b = tuple([a.shape[d] for d in keep_a]), tuple([b.shape[d] for d in keep_b])
    n = 1
    for d in left:
        n *= a.shape[d]
    rows = permute(a, (*keep_a, *left)).reshape(-1 if a.array.size else 0, n) if keep_a else permute(a, tuple(left)).reshape(1, n)
    columns = permute(b, (*right, *keep_b)).reshape(n, -1 if b.array.size else 0) if keep_b else permute(b, tuple(right)).reshape(n, 1)
    return matmul(rows, columns).reshape(shape_a + shape_b)


@function
def trace(input):
    """The sum of a matrix's diagonal."""
    of_rank("trace", ("input", input, 2))
    check_kind("trace", "fiu", input)
    return sum(input.diagonal())


# --- einsum: diagonals, sums, then one batched matrix product for each pair -------------------------------------------


def simplify(x, term, needed):
    """Takes the diagonal of letters that repeat in one term, and sums over those that nothing else needs."""
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            first = term.index(c)
            second = term.index(c, first + 1)
            x = x.diagonal(0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + c
    alone = tuple([i for i, c in enumerate(term) if c not in needed])
    return (sum(x, alone) if alone else x), "".join([c for c in term if c in needed])


def contract(x, a, y, b, needed):
    """The product of two terms, summed over the letters that only they have."""
    if x.dtype != y.dtype and not (x.is_floating_point() or y.is_floating_point()):
        x, y = x.long(), y.long()  # one of them is a sum already, which integers have in int64
    batch = [c for c in a if c in b and c in needed]
    summed = [c for c in a if c in b and c not in needed]
    only_a, only_b = [c for c in a if c not in b], [c for c in b if c not in a]
    length = {**dict(zip(a, x.shape, strict=True)), **{c: n for c, n in zip(b, y.shape, strict=True) if n != 1 or c not in a}}

    def grouped(z, term, *groups):
        full = z.expand(tuple([length[c] for c in term]))
        moved = permute(full, tuple([term.index(c) for group in groups for c in group])) if term else full
        return moved.reshape([length[c] for c in batch] + [math.prod([length[c] for c in group]) for group in groups[1:]])

    product = matmul(grouped(x, a, batch, only_a, summed), grouped(y, b, batch, summed, only_b))
    term = batch + only_a + only_b
    return product.reshape([length[c] for c in term]), "".join(term)


def in_letters(*given):
    """The equation and the operands of einsum(a, [0, 1], b, [1, 2], [0, 2]), whose axes have numbers, from 0 to 51, or are `...`."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    def term(axes):
        if not isinstance(axes, (list, tuple)):
            raise TypeError(f"einsum: expected the axes of an operand as a list of numbers, got {type(axes).__name__}")
        for axis in axes:
            if axis is not ... and not (isinstance(axis, int) and 0 <= axis < 52):
                raise ValueError(f"einsum: expected numbers of axes from 0 to 51 or ..., got {axis!r}")
        return "".join(["..." if axis is ... else letters[axis] for axis in axes])

    terms = [term(axes) for axes in given[1::2]]
    output = f"->{term(given[-1])}" if len(given) % 2 else ""
    return ",".join(terms) + output, given[0 : len(given) - len(given) % 2 : 2]


@function(method=False)
def einsum(equation, *operands):
    """Sums of products, in Einstein's notation: "ij,jk->ik" is the matrix product. `...` stands for further, broadcast axes.

    >>> import minigrad
    >>> minigrad.einsum("ij,jk->ik", minigrad.ones(2, 3), minigrad.ones(3, 4)).shape
    (2, 4)
    """
    if isinstance(equation, Tensor):  # torch's other form: an operand, the numbers of its axes, the next operand, ...
        equation, operands = in_letters(equation, *operands)
    elif len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise TypeError(f"einsum: expected the equation as a str, got {type(equation).__name__}")
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise RuntimeError(f"einsum: {equation!r} has {len(terms)} terms but there are {len(operands)} operands")
    spare = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in inputs]
    dots = [x.ndim - len(t.replace("...", "")) if "..." in t else 0 for x, t in zip(operands, terms, strict=True)]
    terms = [t.replace("...", "".join(reversed(spare[:n]))) for t, n in zip(terms, dots, strict=True)]
    dotted = "".join(reversed(spare[: max(dots)]))
    if not arrow:
        letters = "".join(terms)
        output = dotted + "".join(sorted([c for c in set(letters) if letters.count(c) == 1 and c not in dotted]))
    output = output.replace("...", dotted)
    for x, t in zip(operands, terms, strict=True):
        if len(t) != x.ndim:
            raise RuntimeError(f"einsum: {equation!r}: term {t!r} names {len(t)} dimensions, the operand has shape {x.shape}")
    if not set(output) <= set("".join(terms)) or len(set(output)) < len(output):
        raise RuntimeError(f"einsum: {equation!r}: each letter of the output must appear in an input, and only once in the output")
    result, term = simplify(operands[0], terms[0], output + "".join(terms[1:]))
    for i in range(1, len(terms)):
        later = output + "".join(terms[i + 1 :])
        other, other_term = simplify(operands[i], terms[i], later + term)
        result, term = contract(result, term, other, other_term, later)
    result, term = simplify(result, term, output)
    return permute(result, tuple([term.index(c) for c in output])) if output else result
