"""minigrad beside PyTorch, on this machine, with the same code: `python -m bench --help`.

networks.py and cases.py say what is measured, for whichever framework they are given; worker.py measures for one framework in a
process of its own; compare.py makes two workers take turns; __main__.py is the command, report.py its table.
"""
