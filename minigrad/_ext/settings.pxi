# What the kernels run on: the instruction set, the number of threads and the algorithm of convolutions.

cdef const instruction_set *chosen = NULL
cdef conv_algorithm algorithm = AUTOMATIC
cdef dict ALGORITHMS = {"auto": AUTOMATIC, "direct": DIRECT, "winograd2": WINOGRAD_2, "winograd4": WINOGRAD_4}


def isa():
    """The name of the instruction set in use."""
    return chosen.name.decode()


def available_isas():
    """The names of the instruction sets that this build has and this processor supports, the best one last."""
    cdef int i
    return [instruction_sets[i].name.decode() for i in range(instruction_set_count) if instruction_sets[i].supported()]


def set_isa(name):
    """Chooses the instruction set by its name; raises ValueError if it is not available."""
    global chosen
    cdef int i
    for i in range(instruction_set_count):
        if instruction_sets[i].name.decode() == name and instruction_sets[i].supported():
            chosen = &instruction_sets[i]
            return
    raise ValueError(
        f"the instruction set {name!r} (from MINIGRAD_ISA or set_isa) is not available: this build has for this "
        f"processor {', '.join(available_isas())}"
    )


def set_num_threads(threads):
    """Sets how many threads a kernel may use, the calling one included; raises ValueError unless it is 1 to 4096."""
    if not 1 <= threads <= 4096:
        raise ValueError(f"set_num_threads: expected a number from 1 to 4096, but got {threads}")
    c_set_num_threads(threads)


def get_num_threads():
    """How many threads a kernel may use, the calling one included."""
    return c_get_num_threads()


def set_conv_precision(precision):
    """Sets how convolutions of float32 may round.

    "highest": every sum of products is computed directly. "high": 3x3 convolutions, and 4x4 ones at stride 2, may use
    Winograd's algorithm where that is faster, with a relative error (2-norm, random data of up to 512 channels) below
    1e-5. Raises ValueError for any other word.
    """
    global algorithm
    if precision not in ("highest", "high"):
        raise ValueError(f"set_conv_precision: expected 'highest' or 'high', but got {precision!r}")
    algorithm = DIRECT if precision == "highest" else AUTOMATIC


def get_conv_precision():
    """How convolutions of float32 may round: "highest" or "high"."""
    return "highest" if algorithm == DIRECT else "high"


def set_conv_algorithm(name):
    """Makes convolutions use one algorithm wherever it applies, for tests and measurements: "direct", "winograd2" or
    "winograd4"; "auto" lets each shape have the fastest. Raises ValueError for any other word.
    """
    global algorithm
    if name not in ALGORITHMS:
        raise ValueError(f"set_conv_algorithm: expected one of {', '.join(ALGORITHMS)}, but got {name!r}")
    algorithm = ALGORITHMS[name]


def set_flush_denormal(on):
    """Makes the calling thread, and those that help it, take denormal numbers for 0; returns whether the processor can.
    """
    set_float_modes(float_modes() | FLUSH_DENORMALS if on else float_modes() & ~<unsigned long long> FLUSH_DENORMALS)
    return FLUSH_DENORMALS != 0
