"""minigrad beside PyTorch, on this machine, with the same code: `python -m bench --help`.

networks.py, steps.py and cases.py say what is measured, for whichever framework they are given; worker.py measures for one framework in a
process of its own; compare.py makes the workers take turns; __main__.py is the command, report.py its table. engines.py runs what only infers,
where it is installed: onnxruntime and OpenVINO. Commands of their own: convergence.py, distributed.py, kernels.py, launches.py, roofline.py.
"""
