# SPDX-License-Identifier: MIT
"""A terminal, as far as the shell's line editor uses one: rows that end, and one that is written.

A row that was taken off again (carriage return, clear to the end) is not there, whatever had been
printed; so what stands on the terminal does not depend on when lines of the log came in between.
"""
import re

# A control sequence that is not whole yet is kept until the rest of it comes.
PIECE = re.compile(r"\x1b\[(?P<n>[0-9;?]*)(?P<what>[A-Za-z])|(?P<part>\x1b(?:\[[0-9;?]*)?$)"
                   r"|(?P<c>.)", re.S)


class Screen:
    def __init__(self):
        self.rows = []		# those that have ended
        self.cells, self.column, self.rest = [], 0, ""

    def row(self):
        """What stands in the last row."""
        return "".join(self.cells).rstrip()

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        for piece in PIECE.finditer(text):
            if piece.group("part"):
                self.rest = piece.group("part")
            elif piece.group("what"):
                self.control(piece.group("what"), piece.group("n"))
            else:
                self.character(piece.group("c"))

    def control(self, what, n):
        n = int(n) if n.isdigit() else 0
        if what == "K":
            del self.cells[self.column:]
        elif what == "C":
            self.column += n or 1
        elif what == "D":
            self.column = max(0, self.column - (n or 1))
        elif what == "J":
            self.cells, self.column = [], 0

    def character(self, c):
        if c == "\n":
            self.rows.append(self.row())
            self.cells, self.column = [], 0
        elif c == "\r":
            self.column = 0
        elif c == "\b":
            self.column = max(0, self.column - 1)
        elif c >= " " or c == "\t":
            self.cells += " " * (self.column + 1 - len(self.cells))
            self.cells[self.column] = c
            self.column += 1
