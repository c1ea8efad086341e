"""Limits of the math checker: what is over one is refused or left out, before any work on it.

A text that is refused is a `checker_error`, said and counted, never a silent wrong answer.
"""

from __future__ import annotations

# Texts (extract/). Solutions end with their answer: of a longer text only the end is read.
MAX_SOLUTION = 2_000_000
# Of a line only the end, or after a mark the start, is searched for formulas.
MAX_LINE = 2000
# Displays further from the end than this are steps on the way.
MAX_DISPLAY_TAIL = 20_000
# What models add after their answer.
MAX_TAIL = 300
# Of more boxes than this in one row only the last are one answer.
MAX_BOXES = 32
# An unclosed box further from the end than this is no answer.
MAX_BROKEN_TAIL = 20_000
# Boxes that hold nothing but a box.
MAX_NESTED = 8
# Between two boxes of one answer there are a sign or a word and a name, not a sentence.
MAX_BETWEEN = 40

# Answers (parse/). Longer texts are compared as they are: no answer of a data set comes near this.
MAX_ANSWER = 4000
# Answers up to this length are remembered: a reference is compared with many samples, and short
# answers come again and again. Bounds what is remembered to a few megabytes.
MAX_KEPT = 200
# Characters of an answer with parts; the longest gold answer of MATH has 160.
MAX_FORM = 1000
# Entries of a list or matrix; unordered ones are matched pair by pair.
MAX_PARTS = 64
# Matrices in one product, and cells of each: the work of a product is small.
MAX_FACTORS = 4
MAX_CELLS = 64
# Characters of one piece. The longest gold answer of MATH in one piece has 60.
MAX_LENGTH = 400
# The parser recurses: about five Python frames a level.
MAX_DEPTH = 24
# Of a number; Python refuses int() over 4300 digits.
MAX_DIGITS = 400
# Letters in a row that may still be a product of variables.
MAX_WORD = 3

# Exact values (parse/values.py). Bits of a numerator or denominator: about 12,000 digits,
# microseconds to make.
MAX_BITS = 40_000
# Arguments of powers, factorials and binomials; the time of a binomial grows with the square.
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 2500
MAX_BINOMIAL = 5000
# Over this a float's last bit is worth more than a turn of the circle deserves.
MAX_ANGLE = 1e6

# Comparisons (compare/). Pairs of innermost parts compared for one answer of unordered parts.
MAX_MATCHES = 64 * 64
# For text that only the LaTeX library reads. Its parser is slow on long input and applies powers
# and factorials while it reads.
MAX_LATEX = 200
MAX_LATEX_DEPTH = 10
MAX_LATEX_DIGITS = 12
MAX_LATEX_POWERS = 6
# Sizes that simplification still finishes on; found by trial.
MAX_OPERATIONS = 200
MAX_SYMBOLS = 8
# Of more symbols, up to this, values at points decide alone.
MAX_LETTERS = 24
# Points at which two expressions are compared, and at how many they must be real and agree.
POINTS = 12
AGREEING = 4
MAX_POLYNOMIAL_POWER = 64

# Verdicts: characters that are kept of an answer; the longest target of BBH has 182.
MAX_SHOWN = 1000

# Time and memory. What a single `grade` call may spend on symbolic work, in seconds of CPU.
GRADE_SECONDS = 5.0
# sympy with its caches uses about 150 MB of address space; no honest pair needs a quarter of this.
MEMORY_BYTES = 1 << 30
# A worker over this much resident memory takes no more jobs. A fresh one has 110 MB.
WORN_BYTES = 400 << 20
RECURSION = 3000
