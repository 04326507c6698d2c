"""Importer of Einsum: transposes, sums over axes, products of elements and matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from tmc.frontend.importers.views import transposed
from tmc.frontend.node import Node
from tmc.ir.attrs import ReduceAttrs
from tmc.ir.graph import OpKind

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class _Term:
    """A value, and the label of each of its axes."""

    value: str
    labels: str


def einsum(node: Node) -> Sequence[str]:
    """Join the operands from left to right; what nothing behind needs is summed on the way."""
    labels, result = _labels(node)
    terms = [_Term(node.value(index), each) for index, each in enumerate(labels)]
    joined = terms[0]
    for index, term in enumerate(terms[1:], 1):
        needed = set(result).union(*labels[index + 1 :])
        left, right = (
            _summed(node, one, needed | set(other.labels)) for one, other in ((joined, term), (term, joined))
        )
        joined = _join(node, left, right, needed)
    return [_ordered(node, _summed(node, joined, set(result)), result).value]


def _labels(node: Node) -> tuple[list[str], str]:
    """Return the labels of each operand and of the result; those of an ellipsis are letters of their own.

    Raises: UnsupportedModel for an equation that does not fit the operands, or takes a diagonal.
    """
    equation = str(node.attribute("equation", "")).replace(" ", "")
    left, arrow, right = equation.partition("->")
    names = left.split(",")
    used = [letter for letter in _LETTERS if letter not in equation]
    ranks = [node.rank(index) for index in range(len(node.proto.input))]
    node.refuse(len(names) != len(ranks), f"{equation} for {len(ranks)} operands", "a part for each")
    dots = [rank - len(name.replace("...", "")) for name, rank in zip(names, ranks, strict=True)]
    most = "".join(used[: max((0, *(n for n, name in zip(dots, names, strict=True) if "..." in name)))])
    operands = [
        name.replace("...", most[len(most) - max(count, 0) :]) if "..." in name else name
        for name, count in zip(names, dots, strict=True)
    ]
    if not arrow:
        every = "".join(operands)
        right = "..." * ("..." in left) + "".join(
            letter for letter in sorted(set(every) - set(most)) if every.count(letter) == 1
        )
    result = right.replace("...", most)
    fits = all(len(name) == rank for name, rank in zip(operands, ranks, strict=True))
    known = "".join(operands)
    node.refuse(
        not fits or any(letter not in known for letter in result),
        f"{equation} for operands of rank {', '.join(str(rank) for rank in ranks)}",
        "a letter for each axis, and in the result letters of the operands",
    )
    node.refuse(
        any(len(set(name)) != len(name) for name in (*operands, result)),
        f"{equation}",
        "each letter once in a part",
        "write the diagonal in another way",
    )
    return operands, result


def _summed(node: Node, term: _Term, needed: set[str]) -> _Term:
    """Sum over the axes whose labels are not needed."""
    gone = tuple(axis for axis, label in enumerate(term.labels) if label not in needed)
    if not gone:
        return term
    shape = node.builder.type_of(term.value).shape
    mean = node.emit(OpKind.REDUCE_MEAN, [term.value], ReduceAttrs(gone, False))
    total = node.apply(OpKind.MUL, mean, float(prod(shape[axis] for axis in gone)))
    return _Term(total, "".join(label for label in term.labels if label in needed))


def _ordered(node: Node, term: _Term, labels: str) -> _Term:
    """Transpose to an order of labels."""
    order = tuple(term.labels.index(label) for label in labels)
    kept = order == tuple(range(len(order)))
    return _Term(term.value if kept else transposed(node, term.value, order), labels)


def _join(node: Node, left: _Term, right: _Term, needed: set[str]) -> _Term:
    """Multiply two terms: labels of both that nobody needs are summed over, by a matrix product."""
    shared = [label for label in left.labels if label in right.labels]
    inner = "".join(label for label in shared if label not in needed)
    batch = "".join(label for label in shared if label in needed)
    if not inner:
        return _product_of_elements(node, left, right)
    rows = "".join(label for label in left.labels if label not in shared)
    columns = "".join(label for label in right.labels if label not in shared)
    sizes = {
        label: size
        for term in (left, right)
        for label, size in zip(term.labels, node.builder.type_of(term.value).shape, strict=True)
    }

    def size(labels: str) -> int:
        return prod(sizes[label] for label in labels)

    lead = [sizes[label] for label in batch]
    x = _ordered(node, left, batch + rows + inner).value
    y = _ordered(node, right, batch + inner + columns).value
    operands = [
        node.reshape(x, (*lead, size(rows), size(inner))),
        node.reshape(y, (*lead, size(inner), size(columns))),
    ]
    product = node.emit(OpKind.MATMUL, operands)
    labels = batch + rows + columns
    return _Term(node.reshape(product, [sizes[label] for label in labels]), labels)


def _product_of_elements(node: Node, left: _Term, right: _Term) -> _Term:
    """Multiply element by element; axes that one of the terms lacks have a size of 1 in it."""
    labels = left.labels + "".join(label for label in right.labels if label not in left.labels)
    operands = []
    for term in (left, right):
        ordered = _ordered(node, term, "".join(label for label in labels if label in term.labels))
        sizes = dict(zip(ordered.labels, node.builder.type_of(ordered.value).shape, strict=True))
        operands.append(node.reshape(ordered.value, [sizes.get(label, 1) for label in labels]))
    return _Term(node.apply(OpKind.MUL, *operands), labels)
