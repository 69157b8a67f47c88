"""NumPy's floating-point warnings, switched off around an operation: log(0) is -inf here without a word, as in torch.

NumPy keeps what it warns of in a context variable. Setting that directly costs a small operation far less than `numpy.errstate`, and nothing
where it is set already. It is not a public name: where a NumPy has it no more, errstate does the same, more slowly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from numpy._core.umath import _extobj_contextvar, _make_extobj
except ImportError:
    CONTROL: Any = None
    SILENT: Any = None
else:
    CONTROL = _extobj_contextvar
    SILENT = _make_extobj(all="ignore")


def silence() -> Any:
    """Switches the warnings off in this thread; returns what `restore` needs, None if they were off."""
    if CONTROL is None:
        state = np.errstate(all="ignore")
        state.__enter__()
        return state
    if CONTROL.get(None) is SILENT:
        return None
    return CONTROL.set(SILENT)


def restore(before: Any) -> None:
    """Switches the warnings back to what they were."""
    if before is None:
        return
    if CONTROL is None:
        before.__exit__(None, None, None)
    else:
        CONTROL.reset(before)


def control() -> Any:
    """What NumPy warns of in this thread."""
    return np.geterr() if CONTROL is None else CONTROL.get()


def set_control(before: Any) -> None:
    """Lets NumPy warn of what it did when `control` was asked: more slowly than `restore`, and whatever has happened since."""
    if CONTROL is None:
        np.seterr(**before)
    else:
        CONTROL.set(before)
