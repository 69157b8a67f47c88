"""minigrad: automatic differentiation one can read, with torch's names.

>>> import minigrad
>>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from __future__ import annotations

import math as _math
import os as _os
from typing import TYPE_CHECKING

from numpy import dtype as _dtype

if _os.environ.get("MINIGRAD_PURE", "0") not in ("", "0"):
    from ._pure import prefer_sources as _prefer_sources

    _prefer_sources()

if TYPE_CHECKING:
    from ._names import *  # as names that others may use: what follows, and what __getattr__ finds
else:
    from .core.device import device, get_default_device, set_default_device
    from .core.dtypes import (
        bfloat16,
        bool_,
        can_cast,
        finfo,
        float16,
        float32,
        float64,
        get_default_dtype,
        iinfo,
        int8,
        int16,
        int32,
        int64,
        promote_types,
        result_type,
        set_default_dtype,
        uint8,
    )
    from .core.modes import (
        enable_grad,
        inference_mode,
        is_grad_enabled,
        is_inference_mode_enabled,
        no_grad,
        set_grad_enabled,
    )
    from .core.size import Size
    from .core.tensor import Tensor
    from .ops import *

from .core.engine import backward as _backward

__version__ = "0.1.0"

dtype = _dtype
half, float, double = float16, float32, float64
short, int, long, bool = int16, int32, int64, bool_
inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e
newaxis = None

_LAZY_MODULES = {
    "amp", "autograd", "backends", "cuda", "data", "distributed", "inference", "inspect", "io", "linalg", "models", "nn", "onnx", "ops", "optim", "testing", "train", "utils",
}  # fmt: skip
_LAZY_NAMES = {
    "save": "io", "load": "io",
    "autocast": "core.autocast", "is_autocast_enabled": "core.autocast", "set_autocast_enabled": "core.autocast",
    "get_autocast_dtype": "core.autocast", "set_autocast_dtype": "core.autocast", "clear_autocast_cache": "core.autocast",
    "is_autocast_cache_enabled": "core.autocast", "set_autocast_cache_enabled": "core.autocast",
    "get_num_threads": "kernels.threads", "set_num_threads": "kernels.threads",
    "memory_stats": "kernels.memory", "empty_cache": "kernels.memory", "reset_peak_memory_stats": "kernels.memory",
    "get_conv_precision": "kernels.settings", "set_conv_precision": "kernels.settings",
    "use_deterministic_algorithms": "kernels.settings", "are_deterministic_algorithms_enabled": "kernels.settings",
    "is_deterministic_algorithms_warn_only_enabled": "kernels.settings",
    "get_printoptions": "core.formatting", "printoptions": "core.formatting", "set_printoptions": "core.formatting", "random": "ops",
    "get_float32_matmul_precision": "kernels.settings", "set_default_tensor_type": "core.settings",
    "set_float32_matmul_precision": "kernels.settings", "set_flush_denormal": "kernels.settings", "typename": "core.settings",
    "to_dlpack": "utils.dlpack",
}  # fmt: skip
_FUNCTIONAL = (
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "max_pool1d", "max_pool2d", "max_pool3d",
    "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d", "dropout", "batch_norm", "layer_norm", "group_norm", "instance_norm",
    "relu_", "selu", "celu", "prelu", "rrelu", "threshold", "hardshrink", "embedding", "cosine_similarity", "pairwise_distance",
    "alpha_dropout", "celu_", "channel_shuffle", "feature_alpha_dropout", "pixel_shuffle", "pixel_unshuffle", "rms_norm", "rrelu_", "selu_",
    "threshold_",
)  # fmt: skip

_IN_PLACE = (  # as torch has them as functions too
    "abs_", "acos_", "acosh_", "addmv_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_", "arctanh_", "asin_", "asinh_", "atan_",
    "atanh_", "ceil_", "clamp_", "clamp_max_", "clamp_min_", "clip_", "conj_physical_", "cos_", "cosh_", "deg2rad_", "detach", "detach_", "erf_",
    "erfc_", "exp2_", "exp_", "expm1_", "fill_", "fix_", "floor_", "frac_", "gcd_", "index_put_", "lcm_", "ldexp_", "log10_", "log1p_",
    "log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_", "reciprocal_", "resize_as_", "round_", "rsqrt_", "sigmoid_",
    "sin_", "sinc_", "sinh_", "sqrt_", "square_", "tan_", "tanh_", "trunc_", "xlogy_", "zero_",
)  # fmt: skip


if not TYPE_CHECKING:  # for type checkers a module with this function has every name

    def __getattr__(name):
        """What a plain script may not need is imported when it is first asked for."""
        from importlib import import_module

        if name in _LAZY_MODULES:
            return import_module(f".{name}", __name__)
        if name in _IN_PLACE and name in vars(Tensor):
            return getattr(Tensor, name)
        home = _LAZY_NAMES.get(name, "nn.functional" if name in _FUNCTIONAL else None)
        if home is None:
            raise AttributeError(f"module 'minigrad' has no attribute {name!r}")
        return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES, *_FUNCTIONAL, *_IN_PLACE})
