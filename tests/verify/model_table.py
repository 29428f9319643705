# SPDX-License-Identifier: MIT
"""What the models show, and their mutants. See code_table.py."""
RUNS = {}
ROWS = []
