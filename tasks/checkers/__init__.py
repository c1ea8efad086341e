"""Checkers of our own for problems of public data sets that have several right answers and none.

`known.py` says which problem has which; the other files are what runs in the sandbox, as text
(sandbox/checker.py), so they import nothing but Python and words.py.
"""
