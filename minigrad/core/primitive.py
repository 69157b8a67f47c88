"""One place per operation: @primitive makes a function on arrays differentiable, .vjp says how.

    @primitive
    def exp(input, /):
        return xp(input).exp(input)

    @exp.vjp("input")
    def _(g, out):
        return g * out

The function takes and returns arrays. Its arguments before `/` may be tensors; those after it are static. A vjp takes and returns
tensors, so it can be differentiated in turn. Its parameter names say what a call has to keep for it:

    g               the gradient of the output
    out             the output (aux: the outputs that carry no gradient)
    <input>         that input
    <input>_shape   only its shape
    <static>        that static argument
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import TYPE_CHECKING, Any

from numpy import generic, may_share_memory, ndarray

from ..kernels.driver import is_host
from .device import check_current, on_host, together
from .dtypes import check_kind, float32, float64, promote
from .graph import PART, Node, Saved, Version, start
from .modes import casters, casting, packing, recording, tracers, tracing
from .saving import Packed, pack_values, unpacked
from .silence import restore, silence
from .source import here
from .tensor import Operation, Tensor, edge_of, make_tensor, needs_grad, register, save, tensor, version_of

if TYPE_CHECKING:
    from . import uncompiled as cython  # Cython's own stubs would make what it decorates untyped
else:
    try:
        import cython
    except ImportError:
        from . import uncompiled as cython

REGISTRY: dict[str, Primitive] = {}
COMPOSITES: dict[str, Callable[..., Any]] = {}
INPUT, OUTPUT, AUX, STATIC, SHAPE = 0, 1, 2, 3, 4
NO_PROMOTION, PROMOTE, PROMOTE_TO_FLOAT = 0, 1, 2


class Pick:
    """Where a rule's argument comes from: the i-th input, the output, the i-th static argument or the i-th input's shape."""

    __slots__ = ("kind", "index")

    def __init__(self, kind: int, index: int) -> None:
        self.kind = kind
        self.index = index

    def is_kept_tensor(self) -> bool:
        """Is it the value of an input or of the output?"""
        return self.kind == INPUT or self.kind == OUTPUT


class Rule:
    """One vjp: which inputs it serves, and where its arguments come from."""

    __slots__ = ("function", "inputs", "first", "joint", "variadic", "picks")
    if TYPE_CHECKING:
        function: Any
        inputs: Any
        first: int
        joint: bool
        variadic: bool
        picks: Any


@cython.binding(False)
@cython.embedsignature(True)
@cython.embedsignature.format("clinic")
@cython.cclass
class Primitive(Operation):
    """A function on arrays which, called with tensors, also records itself."""

    __slots__ = (
        "name", "forward", "tensors", "n_tensors", "required", "n_unbound", "variadic", "static_names", "n_positional", "defaults", "spread",
        "rules", "keeps", "keeps_output", "keeps_aux", "aux", "parts", "view", "equals", "tied", "accepts", "promotion", "numbers", "in_place", "facts",
        "__dict__",
    )  # fmt: skip
    if TYPE_CHECKING:
        name: str
        forward: Any
        tensors: Any
        n_tensors: int
        required: int
        n_unbound: int
        variadic: bool
        static_names: Any
        n_positional: int
        defaults: Any
        spread: bool
        rules: Any
        keeps: Any
        keeps_output: bool
        keeps_aux: bool
        aux: int
        parts: bool
        view: bool
        equals: Any
        tied: bool
        accepts: str
        promotion: int
        numbers: Any
        in_place: Any
        facts: dict[str, Any]

    def __init__(self, function: Callable[..., Any], facts: dict[str, Any]) -> None:
        code = function.__code__
        n_only = code.co_posonlyargcount
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.variadic = bool(code.co_flags & 4)  # def cat(*tensors, dim): every positional argument is a tensor
        self.name = function.__name__
        self.forward = function
        self.tensors = (code.co_varnames[len(arguments)],) if self.variadic else arguments[:n_only]
        n_only = 0 if self.variadic else n_only
        self.n_tensors = len(self.tensors)
        self.static_names = arguments[n_only:]
        self.n_positional = 0 if self.variadic else code.co_argcount - n_only
        defaults = function.__defaults__ or ()
        named = function.__kwdefaults__ or {}
        all_defaults = (MISSING,) * (code.co_argcount - len(defaults)) + defaults
        self.required = len([d for d in all_defaults[:n_only] if d is MISSING])
        self.defaults = all_defaults[n_only:] + tuple([named.get(n, MISSING) for n in arguments[code.co_argcount :]])
        # How many arguments make a call with nothing to sort: the tensors, if all else has a default.
        self.n_unbound = -1 if self.variadic or MISSING in self.defaults else self.n_tensors
        self.rules = ()
        self.keeps = ()
        self.keeps_output = False
        self.keeps_aux = False
        self.spread = facts.pop("spread", False)
        self.aux = facts.pop("aux", 0)
        self.parts = facts.pop("parts", False)
        self.view = facts.pop("view", False)
        self.equals = facts.pop("equals", None)
        self.tied = facts.pop("tied", False)
        self.accepts = facts.pop("accepts", "")
        self.promotion = facts.pop("promotion", NO_PROMOTION)
        self.numbers = facts.pop("numbers", self.tensors)
        self.in_place = None
        self.facts = facts  # what tests and documentation read, and no call does
        self.__doc__ = function.__doc__
        self.__name__ = self.__qualname__ = self.name
        self.__module__ = function.__module__
        self.__wrapped__ = function

    # --- definition -----------------------------------------------------------------------------------------------

    def vjp(self, *inputs: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Registers the rule for these inputs; a rule for several returns a tuple."""

        def add_rule(function: Callable[..., Any]) -> Callable[..., Any]:
            rule: Rule = Rule()
            rule.function = function
            for name in inputs:
                if name not in self.tensors:
                    raise TypeError(f"{self.name}.vjp: no input is called {name!r}; the inputs are {self.tensors}")
            rule.inputs = tuple([self.tensors.index(name) for name in inputs])
            rule.first = rule.inputs[0]
            rule.joint = len(inputs) > 1
            rule.variadic = self.variadic
            code = function.__code__
            rule.picks = tuple([self.where(name) for name in code.co_varnames[1 : code.co_argcount]])
            for where in rule.picks:
                self.keeps_output |= where.kind == OUTPUT
                self.keeps_aux |= where.kind == AUX
            self.rules += (rule,)
            self.keeps = keep_table(self)
            return function

        return add_rule

    def where(self, name: str) -> Pick:
        """Where the rule's parameter of this name comes from."""
        if name in self.tensors:
            return Pick(INPUT, self.tensors.index(name))
        if name in self.static_names:
            return Pick(STATIC, self.static_names.index(name))
        if name == "out":
            return Pick(OUTPUT, 0)
        if name == "aux" and self.aux:
            return Pick(AUX, 0)
        if name.endswith("_shape") and name.removesuffix("_shape") in self.tensors:
            return Pick(SHAPE, self.tensors.index(name.removesuffix("_shape")))
        raise TypeError(
            f"{self.name}.vjp: no value is called {name!r}; expected out, aux, one of {(*self.tensors, *self.static_names)} "
            "or an input's name with _shape"
        )

    def writes(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Registers how to compute this operation into the array of its first input (the in-place form)."""
        self.in_place = function
        return function

    def cases(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Registers how tests draw arguments for this operation: `function(draw)` gives positional arguments and a dict."""
        self.facts["cases"] = function
        return function

    # --- calls ----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **named: Any) -> Any:
        if not named and len(args) == self.n_unbound:
            return self.call(args, self.defaults)
        return self.call(*self.bind(args, named))

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    @property
    def __signature__(self) -> Any:
        """How it may be called, for `inspect.signature` and `help`: here tensor arguments have names too."""
        from inspect import Parameter, Signature

        if self.variadic:
            parameters = [Parameter(self.tensors[0], Parameter.VAR_POSITIONAL)]
        else:
            parameters = [
                Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=Parameter.empty if i < self.required else None)
                for i, name in enumerate(self.tensors)
            ]
        for i, (name, default) in enumerate(zip(self.static_names, self.defaults, strict=True)):
            kind = Parameter.POSITIONAL_OR_KEYWORD if i < self.n_positional else Parameter.KEYWORD_ONLY
            parameters.append(Parameter(name, kind, default=Parameter.empty if default is MISSING else default))
        return Signature(parameters)

    def __reduce__(self) -> Any:
        return find, (self.name,)

    def bind(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Sorts the arguments of a call into tensors and static ones."""
        positional: tuple[Any, ...] = ()
        if self.variadic:
            tensors = args
        else:
            tensors, positional = args[: self.n_tensors], args[self.n_tensors :]
            if len(tensors) < self.n_tensors:
                tensors = self.bind_tensors(tensors, named)
            if self.spread and positional and not (len(positional) == 1 and isinstance(positional[0], (tuple, list))):
                positional = (positional,)  # x.reshape(2, 3) for x.reshape((2, 3))
        if not positional and not named:
            static = self.defaults
        elif not named and len(positional) <= self.n_positional:
            static = positional + self.defaults[len(positional) :]
        else:
            if len(positional) > self.n_positional:
                raise TypeError(
                    f"{self.name}: expected at most {self.n_tensors + self.n_positional} positional arguments "
                    f"{(*self.tensors, *self.static_names[: self.n_positional])}, got {len(args)}"
                )
            for name in self.static_names[: len(positional)]:
                if name in named:
                    raise TypeError(f"{self.name}: argument {name!r} is given twice")
            n = len(positional)
            values = list(positional)
            values += [named.pop(name, default) for name, default in zip(self.static_names[n:], self.defaults[n:], strict=True)]
            if named:
                raise TypeError(
                    f"{self.name}: unknown argument {next(iter(named))!r}; it takes {(*self.tensors, *self.static_names)}"
                )
            static = tuple(values)
        for i in range(len(static)):
            if static[i] is MISSING:
                raise TypeError(f"{self.name}: argument {self.static_names[i]!r} is missing")
        return tensors, static

    def bind_tensors(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Completes the tensor arguments from the named ones; those with a default may be left out."""
        tensors = list(given)
        for i in range(len(given), self.n_tensors):
            if self.tensors[i] in named:
                tensors.append(named.pop(self.tensors[i]))
            elif i < self.required:
                raise TypeError(f"{self.name}: argument {self.tensors[i]!r} is missing")
            else:
                tensors.append(None)
        return tuple(tensors)

    def operate(self, x: Any, y: Any) -> Any:
        """What Python's binary operators call; NotImplemented for operands that are neither tensors nor numbers."""
        if type(x) is not Tensor and not is_operand(x) or type(y) is not Tensor and not is_operand(y):
            return NotImplemented
        return self.call((x, y), self.defaults)

    def call(self, args: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Computes, and records the call if a gradient will be needed."""
        if casting():
            return casters.current.of_primitive(self, args, static)
        x: Tensor
        out: Tensor
        needed = False
        found = False
        foreign = False
        arrays = []
        for a in args:
            if isinstance(a, Tensor):
                x = a
                needed |= needs_grad(x)
                found = True
                if type(x.array) is not ndarray:
                    foreign = True
                arrays.append(x.array)
            else:
                if a is not None and not is_operand(a):
                    raise TypeError(f"{self.name}: expected tensors, got {type(a).__name__}; minigrad.tensor(...) makes one")
                if a is not None and len(self.numbers) < self.n_tensors:
                    self.refuse_number(len(arrays), a)
                arrays.append(a)
        if not found:
            if self.facts.get("of_numbers") and is_operand(args[0]):
                return self.call((tensor(args[0]), *args[1:]), static)
            raise TypeError(f"{self.name}: expected a tensor, got {', '.join([type(a).__name__ for a in args])}")
        warnings = None if self.view else silence()  # a view computes nothing
        try:
            result = self.compute_elsewhere(arrays, static) if foreign else self.compute(arrays, static)
        except Exception as error:
            raise explained(self, error, arrays) from error
        finally:
            restore(warnings)
        if self.parts:
            return self.call_parts(args, static, result, needed)
        aux = None
        if self.aux:
            aux = [make_tensor(a) for a in result[1:]]
            result = result[0]
        out = wrap(result)
        if self.view:
            share(out, args[0], (self, static, 0))
        if needed and self.rules and recording():
            out.node = self.record(args, static, out, aux)
            out.tracked = True
        if tracing():
            tracers.current.note(self, args, static, (out,) if aux is None else (out, *aux))
        return out if aux is None else (out, *aux)

    def refuse_number(self, place: int, got: Any) -> None:
        """Refuses a number where torch wants a tensor."""
        if not self.variadic and self.tensors[place] not in self.numbers:
            raise TypeError(
                f"{self.name}: argument {self.tensors[place]!r} must be a tensor, got {type(got).__name__}; minigrad.tensor(...) makes one"
            )

    def call_parts(self, args: tuple[Any, ...], static: tuple[Any, ...], results: Any, needed: bool) -> Any:
        """The end of a call with several outputs that all carry gradients: each gets a node that hands its part on."""
        out: Tensor
        part: Node
        outs = []
        node = None
        if needed and recording():
            node = self.record(args, static, None, None)
            node.shape = tuple([(a.shape, a.dtype) for a in results])
        for i, array in enumerate(results):
            out = wrap(array)
            if self.view:
                share(out, args[0], (self, static, i))
            if node is not None:
                part = Node.__new__(Node)
                start(part, out.array.shape, out.array.dtype)
                part.primitive = PART
                part.edges = (node,)
                part.index = i
                out.node = part
                out.tracked = True
            outs.append(out)
        if tracing():
            tracers.current.note(self, args, static, tuple(outs))
        return tuple(outs)

    def compute(self, arrays: list[Any], static: tuple[Any, ...]) -> Any:
        """Calls the function on arrays, after bringing them to a common dtype where the operation wants that."""
        if (self.promotion or self.accepts) and not uniform(arrays):
            if self.accepts:
                check_kind(self.name, self.accepts, *arrays)
            if self.promotion:
                arrays = promote(arrays, self.promotion == PROMOTE_TO_FLOAT)
        if static is self.defaults:
            return self.forward(*arrays)
        if len(static) == self.n_positional:
            return self.forward(*arrays, *static)
        n = self.n_positional
        named = {}
        for i in range(n, len(static)):
            if static[i] is not self.defaults[i]:
                named[self.static_names[i]] = static[i]
        return self.forward(*arrays, *static[:n], **named)

    def compute_elsewhere(self, arrays: list[Any], static: tuple[Any, ...]) -> Any:
        """As compute, where not all arrays are NumPy's: brings them to one device, or to the host for what no device computes."""
        if all([a is None or not hasattr(a, "dtype") or is_host(a) for a in arrays]):
            return self.compute(arrays, static)
        if not self.facts.get("any_gpu"):
            check_current(self.name, arrays)
        arrays = together(self.name, arrays, self.facts.get("moves", False))
        if self.facts.get("on_host"):
            return on_host(self.compute, arrays, static)
        return self.compute(arrays, static)

    def record(self, args: tuple[Any, ...], static: tuple[Any, ...], out: Any, aux: Any) -> Node:
        """Makes the node of a call: edges to who made the inputs, and what the vjps will ask for."""
        x: Tensor
        edges = tuple([edge_of(a) for a in args])  # first: leaves made here must have lower numbers than the node
        node: Node = Node.__new__(Node)
        start(node, None if out is None else out.array.shape, None if out is None else out.array.dtype)
        node.primitive = self
        node.static = static
        node.place = here()
        node.edges = edges
        if self.keeps:
            needed = 0
            if not self.variadic:
                for edge in node.edges:
                    needed = 2 * needed + (edge is not None)
            arrays_of, shapes_of = self.keeps[needed]
            if self.variadic:
                arrays_of, shapes_of = arrays_of and range(len(args)), shapes_of and range(len(args))
            if arrays_of or shapes_of:
                saved: list[Any] = [None] * len(args)
                for i in shapes_of:
                    saved[i] = args[i].shape if hasattr(args[i], "shape") else ()
                for i in arrays_of:
                    if isinstance(args[i], Tensor):
                        x = args[i]
                        saved[i] = save(x.array, node.edges[i], version_of(x))
                    else:
                        saved[i] = args[i]
                node.saved = saved
        if self.keeps_output and out is not None:
            x = out
            node.output = save(x.array, None, version_of(x))
        if self.keeps_aux:
            node.aux = [save(a.array, None, version_of(a)) for a in aux]
        if packing():
            pack_values(node)
        return node


class Missing:
    """The default of an argument that has none."""


MISSING = Missing()


def keep_table(op: Primitive) -> tuple[Any, ...]:
    """For each set of inputs that need a gradient (a binary number, first input highest): which inputs, and of which the shapes, to keep."""
    table = []
    for needed in range(1 << op.n_tensors):
        wants = [needed >> (op.n_tensors - 1 - i) & 1 for i in range(op.n_tensors)]
        arrays, shapes = set(), set()
        for rule in op.rules:
            if op.variadic or any([wants[i] for i in rule.inputs]):
                arrays |= {where.index for where in rule.picks if where.kind == INPUT}
                arrays |= set(range(op.n_tensors)) if op.equals else set()  # for the composite
                shapes |= {where.index for where in rule.picks if where.kind == SHAPE}
        table.append((tuple(sorted(arrays)), tuple(sorted(shapes - arrays))))
    return tuple(table) if any([arrays or shapes for arrays, shapes in table]) else ()


def pick(where: Pick, node: Node) -> Any:
    """One argument of a rule, out of what the node has kept."""
    if where.kind == STATIC:
        return node.static[where.index]
    if node.released:
        raise RuntimeError(
            f"backward: the values saved by {node.primitive.name} ({node.place}) were freed by an earlier backward; "
            "pass retain_graph=True to the first one, or compute the result again"
        )
    if where.kind == OUTPUT:
        return unpack(node.output, node, node, "its output")
    if where.kind == AUX:
        aux = tuple([unpack(s, None, node, "its output") for s in node.aux])
        return aux[0] if len(aux) == 1 else aux
    if node.primitive.variadic:
        if where.kind == SHAPE:
            return tuple([shape_of(s) for s in node.saved])
        return tuple([unpack(s, None, node, f"input {i}") for i, s in enumerate(node.saved)])
    if where.kind == SHAPE:
        return shape_of(node.saved[where.index])
    return unpack(node.saved[where.index], None, node, f"its input {node.primitive.tensors[where.index]!r}")


def inputs_of(node: Any) -> list[Any]:
    """All inputs of a call that kept them."""
    return [pick(Pick(INPUT, i), node) for i in range(len(node.edges))]


def shape_of(saved: Any) -> Any:
    return saved.array.shape if isinstance(saved, Saved) else saved if isinstance(saved, tuple) else ()


def unpack(value: Any, source: Any, node: Node, what: str) -> Any:
    """The tensor behind a saved array; refuses one that was overwritten since."""
    if not isinstance(value, Saved):
        return value
    saved: Saved = value
    array = saved.array
    version: Version = saved.version
    if type(array) is Packed:
        array, version = unpacked(array)
    if version is saved.version and version.writes != saved.writes:
        writer = version.writer
        raise RuntimeError(
            f"backward: {node.primitive.name} ({node.place}) saved {what}, a tensor of shape {saved.array.shape}, which "
            f"{'was' if writer is None else f'{writer[0]} ({writer[1]}) has'} overwritten "
            "since; write y = x + 1 instead of x += 1, or overwrite a copy (x.clone())"
        )
    out: Tensor = make_tensor(array)
    out.version = version
    out.node = saved.node if source is None else source
    out.tracked = out.node is not None
    return out


def wrap(result: Any) -> Tensor:
    """A tensor around what a function on arrays returned; NumPy's functions give scalars for 0-d arrays."""
    return make_tensor(result if isinstance(result, ndarray) or not isinstance(result, generic) else result.__array__())


def share(out: Tensor, x: Any, step: tuple[Any, ...]) -> None:
    """Makes `out` a view of `x` if it shares its memory (reshape sometimes has to copy)."""
    if not isinstance(x, Tensor):
        return
    source: Tensor = x
    owner = out.array.base
    shared = out.array is source.array or owner is not None and (owner is source.array or owner is source.array.base)
    if shared or owner is not None and not isinstance(owner, ndarray) and may_share_memory(out.array, source.array):  # given strides of its own
        out.version = version_of(source)
        out.base = source if source.base is None else source.base
        out.path = (source.path, step)
        out.seen = out.version.rebased


def uniform(arrays: list[Any]) -> bool:
    """Are these float arrays of one dtype, with Python numbers at most? (NumPy then does what torch does.)"""
    common = None
    for a in arrays:
        if isinstance(a, ndarray):
            if a.dtype is not float32 and a.dtype is not float64 or common is not None and a.dtype is not common:
                return False
            common = a.dtype
        elif type(a) is not float and type(a) is not int:
            return False
    return common is not None


def is_operand(x: Any) -> bool:
    return isinstance(x, (Tensor, int, float, complex, generic, ndarray))


def explained(op: Primitive, error: Exception, arrays: list[Any]) -> Exception:
    """The same error, naming the operation and its operands' shapes and dtypes."""
    text = str(error)
    said = text.partition(":")[0].replace(".", "").isidentifier()  # it names the operation that the user called already
    of_a_signal = isinstance(error, OSError) or type(error).__module__.partition(".")[0] not in ("builtins", "numpy", "cupy", "cupy_backends")
    if said or of_a_signal or isinstance(error, (MemoryError, RecursionError)):  # a handler of the user's may raise in the middle of a kernel
        return error
    operands = ", ".join(
        [f"{n} {a.dtype}{list(a.shape)}" if hasattr(a, "dtype") else f"{n} {a!r:.80}" for n, a in zip(op.tensors, arrays, strict=False)]
    )
    if "could not be broadcast" in text:
        return RuntimeError(f"{op.name}: the shapes cannot be broadcast together (axes must agree, or be 1): {operands}")
    kind = type(error) if type(error) in (ValueError, TypeError, IndexError, RuntimeError) else RuntimeError
    return kind(f"{op.name}: {text} ({operands})")


def find(name: str) -> Any:
    """The primitive of this name: how pickle finds it."""
    return REGISTRY[name]


def primitive(function: Any = None, **facts: Any) -> Any:
    """Makes a function on arrays a differentiable operation: see the top of this file.

    Args:
        function: the function; arguments before `/` are tensors, those after it static.
        promotion: PROMOTE or PROMOTE_TO_FLOAT, for operands that are brought to a common dtype first.
        spread: the first static argument may be spread over the call, as in x.reshape(2, 3).
        aux: how many of the outputs, at the end, carry no gradient.
        parts: the outputs are a tuple, all of which carry gradients; the vjp's `g` is a tuple.
        view: the output shares memory with the first input.
        numbers: the names of the tensor arguments that may be Python numbers; by default all.
        of_numbers: all of them may be numbers at once.
        equals: the composite, a function of tensors with the same arguments, that a fused operation has the value and the derivatives of.
            The rules need not be differentiable then: they run where no graph is created, and the composite's where one is.
        accepts: "f" for an operation on floating-point numbers, "fiu" for one on numbers but not on truth values; by default on all.
        tied: under create_graph the gradients depend on the inputs whether they change with them or not, as torch has it for some operations
            that are piecewise linear: a second derivative exists then, and is 0.
        on_host: no device computes it: arrays of a GPU are brought to the host, and the results back.
        any_gpu: the GPU that arrays are on need not be the current one.
        host_only: the same, but whoever calls it brings them there and back.
        moves: the other tensors are brought to the device of the first.
        method: False for operations that are no method of Tensor.
        facts: what tests and documentation read, such as domain and laws.

    >>> import minigrad
    >>> from minigrad.core.primitive import primitive
    >>> @primitive(method=False)
    ... def cube(input, /):
    ...     return input**3
    >>> @cube.vjp("input")
    ... def _(g, input):
    ...     return 3 * input * input * g
    >>> x = minigrad.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    if function is None:
        return lambda f: primitive(f, **facts)
    method = facts.pop("method", True)
    op = Primitive(function, facts)
    REGISTRY[op.name] = op
    register(op.name, op, method)
    return op


def function(f: Any = None, *, method: bool = True, alias: tuple[str, ...] = ()) -> Any:
    """Gives a composite, a plain function of tensors, its place as a public operation and method of Tensor."""
    if f is None:
        return lambda g: function(g, method=method, alias=alias)
    call = of_tensors(f)
    for name in (f.__name__, *alias):
        COMPOSITES[name] = call
        register(name, call, method)
    return call


def of_tensors(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which says by a TypeError that something else was given where it needs a tensor."""

    @wraps(f)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return casters.current.of_composite(f, args, named) if casting() else f(*args, **named)
        except AttributeError as error:
            got = culprit(error, args, named)
            if got is None:
                raise
            raise TypeError(f"{f.__name__}: expected a tensor, got {got}; minigrad.tensor(...) makes one") from error

    return call


def culprit(error: AttributeError, args: tuple[Any, ...], named: dict[str, Any]) -> str | None:
    """The type of the argument that had no such attribute because it is no tensor, or of a number or text in the first place."""
    for x in (*args, *named.values()):
        for given in (x, *x) if isinstance(x, (list, tuple)) else (x,):
            if error.name is not None and given is error.obj and not isinstance(given, Tensor):
                return type(given).__name__
    return type(args[0]).__name__ if args and isinstance(args[0], (int, float, complex, str)) else None
