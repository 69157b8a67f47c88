"""The compiled kernels: Cython over C. Nothing here knows of tensors; minigrad.kernels.cpu is the only caller."""
