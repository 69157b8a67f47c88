"""Fixed Hypothesis profiles: `quick`, the default, `few` for what runs fifty times slower under valgrind, `more`, and `thorough`
(`pytest --hypothesis-profile=thorough`).
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

always = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", derandomize=True, max_examples=12, **always)
settings.register_profile("few", derandomize=True, max_examples=1, **always)
settings.register_profile("more", max_examples=60, print_blob=True, **always)
settings.register_profile("thorough", max_examples=300, print_blob=True, **always)
settings.load_profile("quick")
