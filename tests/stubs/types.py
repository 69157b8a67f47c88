"""What a signature alone does not say: the types of arguments by their names, and what operations return that do not return a tensor.

`OVERLOADS` holds signatures as they are to be written, of operations whose result depends on the arguments, or which take what comes in several forms;
the first argument is called as the function has it, and `self` in a method.
"""

from __future__ import annotations

INDICES = "Indices"  # one whole number, or several
NUMBER = "Number"
OPERAND = "Operand"  # a tensor, an array or a number

ARGUMENTS: dict[str, str] = {}
for types, names in (
    (
        "Tensor",
        "input self other tensor tensor1 tensor2 batch1 batch2 mat mat1 mat2 vec vec1 vec2 A B b x1 x2 x y mask index source src condition values count "
        "prob elements test_elements boundaries sorted_sequence sorter weights fweights aweights prepend append the_template indices",
    ),
    ("Sequence[Tensor]", "tensors"),
    (OPERAND, "min max weight exponent"),
    (NUMBER, "alpha beta value fill_value lambd negative_slope threshold low high dx base start end step eps s"),
    ("float", "rtol atol rcond nan posinf neginf maxnorm p"),
    ("Index", "dim dim0 dim1 dim2 axis0 axis1 start_dim end_dim dimension n m k r row col num_samples chunks length offset diagonal steps bins minlength"),
    ("Index", "decimals correction storage_offset output_size split_size seed"),
    (INDICES, "dims size shape stride"),
    ("Sequence[Index]", "sizes split_sizes"),
    ("bool", "keepdim unbiased descending stable largest sorted accumulate equal_nan some upper left unitriangular hermitian right out_int32 assume_unique"),
    ("bool", "invert include_self sparse_grad with_replacement replacement return_inverse return_counts requires_grad copy non_blocking wrap"),
    ("str", "memory_format layout interpolation reduce rounding_mode side indexing compute_mode driver UPLO"),
    ("DType", "dtype"),
    ("Place", "device"),
    ("Generator", "generator"),
    ("Array", "ndarray"),
    ("Any", "data obj buffer"),
):
    ARGUMENTS.update(dict.fromkeys(names.split(), types))

# Where a name means something else.
ARGUMENTS_OF: dict[str, dict[str, str]] = {}
for names, arguments in (
    ("sum mean prod all any amax amin nansum nanmean logsumexp std var std_mean var_mean norm count_nonzero squeeze", {"dim": INDICES}),
    ("linalg.norm linalg.vector_norm linalg.matrix_norm", {"dim": INDICES}),
    ("roll", {"shifts": INDICES}),
    ("rot90", {"dims": "Sequence[Index]"}),
    ("moveaxis movedim", {"source": INDICES, "destination": INDICES}),
    ("select select_scatter", {"index": "Index"}),
    ("narrow", {"start": "Index | Tensor"}),
    ("slice_scatter", {"start": "Index", "end": "Index", "step": "Index"}),
    ("unfold", {"size": "Index", "step": "Index"}),
    ("lerp", {"end": "Tensor"}),
    ("linspace logspace", {"start": OPERAND, "end": OPERAND, "base": "float"}),
    ("bernoulli", {"p": "float"}),
    ("norm", {"p": "float | str"}),
    ("linalg.norm linalg.matrix_norm", {"ord": "float | str"}),
    ("linalg.vector_norm", {"ord": "float"}),
    ("linalg.pinv", {"rtol": "Tensor | float", "atol": "Tensor | float"}),
    ("linalg.qr", {"mode": "str"}),
    ("quantile nanquantile", {"q": "Tensor | float"}),
    ("tensordot", {"a": "Tensor", "b": "Tensor", "dims": "Index | Sequence[Sequence[Index]] | Tensor"}),
    ("split", {"split_size_or_sections": INDICES}),
    ("tensor_split hsplit vsplit dsplit", {"indices_or_sections": f"{INDICES} | Tensor"}),
    ("index_put", {"indices": "Sequence[Tensor | None]", "values": "Tensor"}),
    ("index_fill masked_fill fill", {"value": "Tensor | Number"}),
    ("full full_like new_full", {"fill_value": "Tensor | Number"}),
    ("setitem", {"value": "Any", "key": "Any"}),
    ("rsub __lshift__ __rshift__ __rdiv__ ldexp where", {"input": OPERAND, "other": OPERAND}),
    ("float_power", {"input": OPERAND, "exponent": OPERAND}),
    ("clamp_between", {"min": OPERAND, "max": OPERAND}),
    ("repeat_interleave", {"repeats": "Index | Tensor"}),
    ("isin", {"elements": "Tensor | Number", "test_elements": "Tensor | Number"}),
    ("bucketize searchsorted", {"input": "Tensor | Number"}),
    ("histc", {"min": NUMBER, "max": NUMBER}),
    ("renorm dist cdist pdist", {"p": "float"}),
    ("randint_like", {"low": "Index", "high": "Index"}),
    ("frombuffer", {"count": "Index"}),
    ("chain_matmul", {"matrices": "Tensor | Sequence[Tensor]"}),
    ("block_diag cartesian_prod broadcast_tensors meshgrid", {"tensors": "Tensor | Sequence[Tensor]"}),
    ("broadcast_shapes", {"shapes": INDICES}),
    ("unravel_index", {"shape": INDICES}),
    ("is_tensor", {"obj": "object"}),
    ("new", {"data": "Any"}),
    ("apply_", {"callable": "Callable[[Any], Any]"}),
    ("map_", {"callable": "Callable[[Any, Any], Any]"}),
    ("softplus", {"beta": "float", "threshold": "float"}),
    ("threshold", {"bound": "float", "value": "float"}),
    ("std var std_mean var_mean cov", {"correction": "float"}),
):
    for operation in names.split():
        ARGUMENTS_OF.setdefault(operation, {}).update(arguments)

RETURNS: dict[str, str] = {}
for types, names in (
    ("tuple[Tensor, ...]", "split split_with_sizes chunk tensor_split hsplit vsplit dsplit unsafe_split unsafe_split_with_sizes unsafe_chunk unbind"),
    ("tuple[Tensor, ...]", "broadcast_tensors meshgrid unravel_index"),
    ("tuple[Tensor, Tensor]", "std_mean var_mean"),
    ("ValuesAndIndices", "kthvalue mode sort topk cummax cummin"),
    ("MinAndMax", "aminmax"),
    ("SlogDet", "slogdet linalg.slogdet"),
    ("QR", "qr linalg.qr"),
    ("Eigh", "linalg.eigh"),
    ("LeastSquares", "linalg.lstsq"),
    ("bool", "allclose equal is_complex is_conj is_contiguous is_floating_point is_neg is_nonzero is_pinned is_same_size is_shared is_signed is_tensor"),
    ("int", "data_ptr dim element_size get_device initial_seed ndimension nelement numel seed storage_offset"),
    ("Generator", "manual_seed"),
    ("Size", "broadcast_shapes"),
    ("Any", "tolist"),
):
    RETURNS.update(dict.fromkeys(names.split(), types))

# What fills a tensor with random numbers: `from` is a word of Python, so that the bounds can be given in their places only.
FILLERS = {
    "uniform_": "from_: float = 0.0, to: float = 1.0, /",
    "normal_": "mean: float = 0.0, std: float = 1.0",
    "log_normal_": "mean: float = 1.0, std: float = 2.0",
    "cauchy_": "median: float = 0.0, sigma: float = 1.0",
    "exponential_": "lambd: float = 1.0",
    "geometric_": "p: float",
    "bernoulli_": "p: Tensor | float = 0.5",
}
MADE = "dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False"

OVERLOADS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("max", "min"),
        (
            "(input: Tensor) -> Tensor",
            "(input: Tensor, other: Tensor) -> Tensor",
            "(input: Tensor, dim: Index, keepdim: bool = False) -> ValuesAndIndices",
        ),
    ),
    **dict.fromkeys(
        ("median", "nanmedian"),
        ("(input: Tensor) -> Tensor", "(input: Tensor, dim: Index, keepdim: bool = False) -> ValuesAndIndices"),
    ),
    "scatter": (
        "(input: Tensor, dim: Index, index: Tensor, src: Tensor | Number, *, reduce: str | None = None) -> Tensor",
        "(input: Tensor, dim: Index, index: Tensor, *, value: Number, reduce: str | None = None) -> Tensor",
    ),
    "einsum": (
        "(equation: str, *operands: Tensor | Sequence[Tensor]) -> Tensor",
        "(operand: Tensor, axes: Sequence[Index], /, *more: Tensor | Sequence[Index]) -> Tensor",
    ),
    "where": ("(condition: Tensor) -> tuple[Tensor, ...]", "(condition: Tensor, input: Operand, other: Operand) -> Tensor"),
    "nonzero": (
        "(input: Tensor, *, as_tuple: Literal[False] = False) -> Tensor",
        "(input: Tensor, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]",
    ),
    "unique": (
        "(input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False, return_counts: Literal[False] = False, "
        "dim: Index | None = None) -> Tensor",
        "(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Index | None = None) -> Any",
    ),
    "unique_consecutive": (
        "(input: Tensor, return_inverse: Literal[False] = False, return_counts: Literal[False] = False, dim: Index | None = None) -> Tensor",
        "(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Index | None = None) -> Any",
    ),
    "size": ("(self, dim: None = None) -> Size", "(self, dim: Index) -> int"),
    "stride": ("(self, dim: None = None) -> tuple[int, ...]", "(self, dim: Index) -> int"),
    "type": ("(self, dtype: None = None, non_blocking: bool = False) -> str", "(self, dtype: DType, non_blocking: bool = False) -> Tensor"),
    "to": (
        "(self, other: Tensor, non_blocking: bool = False, copy: bool = False, *, memory_format: str | None = None) -> Tensor",
        "(self, device: Place | None, dtype: DType | None = None, non_blocking: bool = False, copy: bool = False, *, "
        "memory_format: str | None = None) -> Tensor",
        "(self, dtype: DType, non_blocking: bool = False, copy: bool = False, *, memory_format: str | None = None) -> Tensor",
        "(self, *, dtype: DType | None = None, device: Place | None = None, non_blocking: bool = False, copy: bool = False, "
        "memory_format: str | None = None) -> Tensor",
    ),
    **dict.fromkeys(
        ("atleast_1d", "atleast_2d", "atleast_3d"),
        (
            "(tensor: Tensor, /) -> Tensor",
            "(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]",
            "(first: Tensor, second: Tensor, /, *more: Tensor) -> tuple[Tensor, ...]",
        ),
    ),
    "arange": (f"(end: Number, *, {MADE}) -> Tensor", f"(start: Number, end: Number, step: Number = 1, *, {MADE}) -> Tensor"),
    "randint": (
        f"(high: Index, size: Indices, *, generator: Generator | None = None, {MADE}) -> Tensor",
        "(low: Index, high: Index, size: Indices, *, generator: Generator | None = None, "
        f"{MADE}) -> Tensor",
    ),
    "normal": (
        f"(mean: Tensor, std: Tensor | float = 1.0, *, generator: Generator | None = None, {MADE}) -> Tensor",
        f"(mean: float, std: Tensor, *, generator: Generator | None = None, {MADE}) -> Tensor",
        "(mean: float = 0.0, std: float = 1.0, *, size: Indices, generator: Generator | None = None, "
        f"layout: str | None = None, {MADE}) -> Tensor",
        "(mean: float, std: float, size: Indices, *, generator: Generator | None = None, "
        f"layout: str | None = None, {MADE}) -> Tensor",
    ),
    "random_": (
        "(self, to: Index | Tensor | None = None, /, *, generator: Generator | None = None) -> Self",
        "(self, from_: Index | Tensor, to: Index | Tensor | None, /, *, generator: Generator | None = None) -> Self",
    ),
    **{name: (f"(self, {arguments}, *, generator: Generator | None = None) -> Self",) for name, arguments in FILLERS.items()},
    "backward": (
        "(self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False, "
        "inputs: Tensor | Sequence[Tensor] | None = None) -> None",
    ),
}

PROPERTIES = {"T": "Tensor", "H": "Tensor", "mT": "Tensor", "mH": "Tensor", "device": "Device", "layout": "str", "names": "tuple[None, ...]"}
