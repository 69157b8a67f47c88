"""Anomaly detection: find the operation whose backward gave the first NaN."""

from __future__ import annotations

from minigrad.core.engine import ANOMALIES

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:
    """Switches anomaly detection on or off, at once and until the end of the ``with`` block if it is used as one.

    See `detect_anomaly`. As in torch this holds for all threads.

    >>> import minigrad
    >>> with minigrad.autograd.set_detect_anomaly(True, check_nan=False):
    ...     minigrad.autograd.is_anomaly_enabled(), minigrad.autograd.is_anomaly_check_nan_enabled()
    (True, False)
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = (ANOMALIES.on, ANOMALIES.check_nan)
        ANOMALIES.on, ANOMALIES.check_nan = bool(mode), bool(check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        ANOMALIES.on, ANOMALIES.check_nan = self.before


class detect_anomaly:
    """A ``with`` block in which a backward that computes a NaN is an error.

    The error names the operation whose rule gave the first NaN, the line of your program that called that operation, and the statistics
    of what went in and came out. An infinity is no error, since a mask may take it away later: the first one is told beside a NaN that
    follows, and if an infinity reaches the gradient of a leaf, a RuntimeWarning tells where it came from. An error in a backward gets a
    note with the line that called the operation. Slow: for the search of errors only.

    Args:
        check_nan: look for NaN and infinities, not only annotate errors.

    Raises:
        RuntimeError: by backward, of a NaN.

    >>> import minigrad
    >>> x = minigrad.tensor([0.0, 4.0], requires_grad=True)
    >>> with minigrad.autograd.detect_anomaly():
    ...     try:
    ...         (x.sqrt() * minigrad.tensor([0.0, 1.0])).sum().backward()
    ...     except RuntimeError as error:
    ...         print(str(error).splitlines()[0])
    Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self.before.append((ANOMALIES.on, ANOMALIES.check_nan))
        ANOMALIES.on, ANOMALIES.check_nan = True, bool(self.check_nan)

    def __exit__(self, *exc: object) -> None:
        ANOMALIES.on, ANOMALIES.check_nan = self.before.pop()


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return ANOMALIES.on


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection, where it is on, looks for NaN."""
    return ANOMALIES.check_nan
