"""An independent reader of ERODE models, and what their polynomials and trajectories are.

Knows nothing of coset: its own parser, polynomials with exact fractions as coefficients, LSODA of SciPy.
"""

import collections
import fractions
import re

import numpy as np
import scipy.integrate

TOKEN = re.compile(r"\s*(->|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|\S)")


class Polynomial(dict):
    """{monomial: coefficient}, a monomial being a sorted tuple of variable names with repetition."""

    @staticmethod
    def of(value):
        return Polynomial({(): fractions.Fraction(value)})

    def __add__(self, other):
        out = collections.defaultdict(fractions.Fraction, self)
        for monomial, coefficient in other.items():
            out[monomial] += coefficient
        return Polynomial({m: c for m, c in out.items() if c != 0})

    def __mul__(self, other):
        out = collections.defaultdict(fractions.Fraction)
        for m, c in self.items():
            for n, d in other.items():
                out[tuple(sorted(m + n))] += c * d
        return Polynomial({m: c for m, c in out.items() if c != 0})

    def scaled(self, factor):
        return self * Polynomial.of(factor)

    def constant(self):
        if any(monomial != () for monomial in self):
            raise ValueError("not a constant")
        return self.get((), fractions.Fraction(0))


class Model:
    """variables in order, initial values, right-hand sides as polynomials, and the blocks that comments name."""

    def __init__(self, path):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        self.comments = re.findall(r"//(.*)", text)
        self.tokens = TOKEN.findall(re.sub(r"//.*", " ", text))
        self.at = 0
        self.values = {}
        self.initial, self.slopes = {}, {}
        while self.at < len(self.tokens):
            if self.peek() == "begin":
                self.section(self.tokens[self.at + 1])
            else:
                self.at += 1

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted=None):
        token = self.tokens[self.at]
        if wanted is not None and token != wanted:
            raise ValueError(f"found {token}, expected {wanted}")
        self.at += 1
        return token

    def section(self, kind):
        self.at += 2
        if kind == "model":
            self.take()
            return
        while self.peek() != "end":
            if kind == "parameters":
                name = self.take()
                self.take("=")
                self.values[name] = self.sum()
            elif kind == "init":
                name = self.take()
                self.initial[name] = fractions.Fraction(0)
                if self.peek() == "=":
                    self.take()
                    self.initial[name] = self.sum().constant()
                self.slopes[name] = Polynomial()
            elif kind == "reactions":
                self.reaction()
            elif kind == "ODE":
                self.take("d"), self.take("(")
                name = self.take()
                self.take(")"), self.take("=")
                self.slopes[name] = self.sum()
            else:
                self.at += 1
        self.at += 2

    def side(self):
        out = collections.Counter()
        while self.peek() not in ("->", ","):
            if self.peek() == "+":
                self.take()
            count = 1
            if self.peek()[0].isdigit():
                count = int(self.take())
                self.take("*")
            out[self.take()] += count
        return out

    def reaction(self):
        reagents = self.side()
        self.take("->")
        products = self.side()
        self.take(",")
        speed = self.sum()
        for name, count in reagents.items():
            for _ in range(count):
                speed = speed * Polynomial({(name,): fractions.Fraction(1)})
        for name in set(reagents) | set(products):
            self.slopes[name] = self.slopes[name] + speed.scaled(products[name] - reagents[name])

    def sum(self):
        out = self.product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            out = out + self.product().scaled(sign)
        return out

    def product(self):
        out = self.power()
        while self.peek() in ("*", "/"):
            if self.take() == "*":
                out = out * self.power()
            else:
                out = out.scaled(1 / self.power().constant())
        return out

    def power(self):
        if self.peek() in ("-", "+"):
            sign = 1 if self.take() == "+" else -1
            return self.power().scaled(sign)
        base = self.atom()
        if self.peek() != "^":
            return base
        self.take()
        out = Polynomial.of(1)
        for _ in range(int(self.power().constant())):
            out = out * base
        return out

    def atom(self):
        token = self.take()
        if token == "(":
            out = self.sum()
            self.take(")")
            return out
        if token[0].isdigit() or token[0] == ".":
            return Polynomial.of(token)
        if token in self.values:
            return self.values[token]
        return Polynomial({(token,): fractions.Fraction(1)})

    def erode_blocks(self):
        """Blocks as ERODE comments them: "Representative of block" or "Singleton block", then one name a line."""
        blocks, current = [], None
        for line in (comment.strip() for comment in self.comments):
            if line.startswith(("Representative of block", "Singleton block")):
                current = []
                blocks.append(current)
            elif current is not None and re.fullmatch(r"\w+", line):
                current.append(line)
            else:
                current = None
        return sorted(sorted(block) for block in blocks)

    def difference(self, other):
        """Largest relative difference of coefficients to a model with the same variables; infinity if others."""
        if set(self.slopes) != set(other.slopes):
            return float("inf")
        worst = 0.0
        for name, mine in self.slopes.items():
            theirs = other.slopes[name]
            for monomial in set(mine) | set(theirs):
                a, b = mine.get(monomial, 0), theirs.get(monomial, 0)
                worst = max(worst, float(abs(a - b) / max(abs(a), abs(b))))
        return worst

    def trajectory(self, times, initial=None):
        """(times, variables) f64, in the order of self.slopes."""
        names = list(self.slopes)
        place = {name: i for i, name in enumerate(names)}
        rows, degree = [], max((len(m) for slope in self.slopes.values() for m in slope), default=0)
        for name in names:
            for monomial, coefficient in self.slopes[name].items():
                factors = [place[factor] for factor in monomial] + [len(names)] * (degree - len(monomial))
                rows.append((place[name], float(coefficient), factors))
        target = np.array([row[0] for row in rows], dtype=int)
        weight = np.array([row[1] for row in rows], dtype=float)
        factors = np.array([row[2] for row in rows], dtype=int).reshape(len(rows), degree)

        def slope(_, x):
            return np.bincount(target, weight * np.append(x, 1.0)[factors].prod(axis=1), len(names))

        start = [float((initial or self.initial)[name]) for name in names]
        done = scipy.integrate.solve_ivp(slope, (times[0], times[-1]), start, "LSODA", times, rtol=1e-10, atol=1e-12)
        if not done.success:
            raise RuntimeError(done.message)
        return done.y.T
