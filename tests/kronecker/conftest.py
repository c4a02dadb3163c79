"""A small network, and K-FAC and EK-FAC with every matrix of a layer's block formed."""

import numpy as np
import pytest

import secondorder as so


@pytest.fixture
def network():
    def make(loss="softmax", l2=0.0, n=12, widths=(3, 4, 2), activation="tanh"):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, widths[0]))
        labels = rng.permutation(np.arange(n) % widths[-1])
        y = labels if loss == "softmax" else rng.standard_normal((n, widths[-1]))
        return so.problems.mlp((X, y), widths, activation, loss, l2=l2)

    return make


def block_rows(layer):
    """The gradients of the examples with respect to a layer, row by row: (K, n, b a)."""
    return np.stack([[np.kron(g, a) for g, a in zip(signals, layer.inputs)] for signals in layer.signals])


def block(layer):
    """A layer's block of the Fisher matrix."""
    rows = block_rows(layer)
    return sum(np.outer(row, row) for row in rows.reshape(-1, rows.shape[-1])) / rows.shape[1]


def factors(layer):
    A = sum(np.outer(a, a) for a in layer.inputs) / len(layer.inputs)
    B = sum(np.outer(g, g) for signals in layer.signals for g in signals) / len(layer.inputs)
    return A, B


def split_pi(A, B, damping):
    pi = np.sqrt((np.trace(A) / len(A)) / (np.trace(B) / len(B)))
    return A + pi * np.sqrt(damping) * np.eye(len(A)), B + np.sqrt(damping) / pi * np.eye(len(B))


def direction_of(blocks, g):
    """Minus the solution with a block-diagonal matrix."""
    cuts = np.cumsum([len(C) for C in blocks])[:-1]
    return -np.concatenate([np.linalg.solve(C, part) for C, part in zip(blocks, np.split(g, cuts))])


@pytest.fixture
def twin():
    """A function that gives the rows of the first steps, under rescaling by the model."""

    def rows(
        problem, steps, *, diagonal=False, fisher="exact", labels=None, samples=1, decay=0.95, damping=0.01, rule="pi",
        refresh=5, adaptation=5,
    ):  # fmt: skip
        x, step, seen, moments, found = problem.x0, None, None, None, []
        for k in range(steps):
            g, layers = problem.grad(x), problem.signals(x, fisher, labels, samples)
            weight = min(1.0 - 1.0 / (k + 1.0), decay)
            new = [factors(layer) for layer in layers]
            seen = seen or new
            seen = [
                tuple(weight * old + (1.0 - weight) * fresh for old, fresh in zip(*pair)) for pair in zip(seen, new)
            ]
            total = damping + problem.l2
            if diagonal:
                age = k % refresh
                if age == 0:
                    bases = [np.kron(np.linalg.eigh(B)[1], np.linalg.eigh(A)[1]) for A, B in seen]
                squares = [np.diag(U.T @ block(layer) @ U) for U, layer in zip(bases, layers)]
                weight = min(1.0 - 1.0 / (age + 1.0), decay)
                moments = [weight * S + (1.0 - weight) * T for S, T in zip(moments, squares)] if age else squares
                blocks = [U @ np.diag(S + total) @ U.T for U, S in zip(bases, moments)]
            elif k % refresh == 0 and rule == "pi":
                blocks = [np.kron(*split_pi(A, B, total)[::-1]) for A, B in seen]
            elif k % refresh == 0:
                blocks = [np.kron(B, A) + total * np.eye(len(A) * len(B)) for A, B in seen]
            D, M = direction_of(blocks, g), problem.ggn(x) + total * np.eye(x.size)
            span = D[:, None] if step is None else np.stack([D, step], axis=1)
            coefficients = np.linalg.solve(span.T @ M @ span, -span.T @ g)
            step = span @ coefficients
            row = {"x": x, "step": step, "damping": damping, "scale": coefficients[0], "factors": seen}
            row |= {"momentum": coefficients[1] if k else 0.0, "model": g @ step + 0.5 * step @ M @ step}
            if (k + 1) % adaptation == 0:
                row["ratio"] = (problem.f(x + step) - problem.f(x)) / row["model"]
                change = 0.95**adaptation
                damping *= change if row["ratio"] > 0.75 else 1.0 / change if row["ratio"] < 0.25 else 1.0
            found.append(row)
            x = x + step
        return found

    return rows
