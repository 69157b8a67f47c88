"""How many processors this process may use: affinity, control groups and the user's own word."""

from __future__ import annotations

import os

CGROUP_ROOT = "/sys/fs/cgroup"
CGROUP_MEMBERSHIP = "/proc/self/cgroup"


def default_num_threads() -> int:
    """The number of threads to begin with: MINIGRAD_NUM_THREADS, or one for each usable processor.

    Raises ValueError if MINIGRAD_NUM_THREADS is not a positive integer.
    """
    wanted = os.environ.get("MINIGRAD_NUM_THREADS", "")
    if not wanted:
        return usable_cpus()
    try:
        threads = int(wanted)
    except ValueError:
        threads = 0
    if threads < 1:
        raise ValueError(f"MINIGRAD_NUM_THREADS must be a positive integer, but is {wanted!r}")
    return threads


def usable_cpus() -> int:
    """The processors that the affinity mask and the control group's quota leave to this process."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return count if quota is None else max(1, min(count, round(quota)))


def cgroup_quota(root: str = CGROUP_ROOT, membership: str = CGROUP_MEMBERSHIP) -> float | None:
    """The least number of processors that a control group of this process or one above it may use; None if no limit.

    Reads version 2 (``cpu.max``) and version 1 (``cpu.cfs_quota_us``) of the interface.
    """
    quotas = []
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = f"{root}/cpu" if controllers else root
        while True:
            if controllers:
                words = [
                    _read(f"{base}{path}/cpu.cfs_quota_us").strip(),
                    _read(f"{base}{path}/cpu.cfs_period_us").strip(),
                ]
            else:
                words = _read(f"{base}{path}/cpu.max").split()
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]) > 0:
                quotas.append(int(words[0]) / int(words[1]))
            if path in ("", "/"):
                break
            path = path.rpartition("/")[0]
    return min(quotas, default=None)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""  # not a Linux, or not this version of control groups
