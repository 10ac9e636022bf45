"""Memory that a process has freed, and its system does not know yet."""

import ctypes


def return_free_memory() -> None:
    """Give what malloc keeps back to the system (glibc): worth it after something large, such as a model, was dropped."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
