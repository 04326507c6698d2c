"""Work on many windows in two processes, one BLAS thread each: faster than one process with two threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits

from tmc.backend_gap9.run.host import run_host
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array
from tmc.passes.calibrate.codes import dequantise, quantise_inputs

Result = TypeVar("Result")

# Generated C without sanitizers, as fast as this machine allows: the arithmetic is that of integers anyway.
COMPILER_FLAGS = "-O3 -march=native"
NORMS = (OpKind.LAYERNORM, OpKind.QLAYERNORM)


class Workers:
    """A pool of processes that map functions over windows, in order."""

    def __init__(self, pool: ProcessPoolExecutor, processes: int) -> None:
        self._pool = pool
        self._processes = processes

    def map(self, function: Callable[[Array], Result], windows: Array, chunk: int) -> list[Result]:
        """Return the function's results on runs of at most `chunk` windows, shared out evenly."""
        rounds = -(-len(windows) // (chunk * self._processes))
        parts = np.array_split(windows, min(len(windows), rounds * self._processes))
        return list(self._pool.map(function, parts))


@contextmanager
def workers(processes: int | None = None) -> Iterator[Workers]:
    """Start the processes; by default one for each core."""
    count = processes or os.cpu_count() or 1
    context = get_context("spawn")  # a fork would copy BLAS threads that do not run in it
    with ProcessPoolExecutor(count, context, initializer=_one_thread) as pool:
        yield Workers(pool, count)


def _one_thread() -> None:
    threadpool_limits(limits=1)


def onnx_logits(workers: Workers, model: Path, windows: Array) -> Array:
    """Return onnxruntime's logits [windows, classes] of an ONNX file."""
    return np.concatenate(workers.map(partial(_onnx_logits, model), windows, 100))


def _onnx_logits(model: Path, windows: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: window[None]})[0] for window in windows])


def interpreted(workers: Workers, graph: Graph, windows: Array) -> tuple[Array, Array]:
    """Return logits [windows, classes] and tokens [windows, tokens, channels] of a graph, as real numbers.

    Tokens are the output of the last LayerNorm. The graph may be float or integer.
    """
    parts = workers.map(partial(_interpreted, graph), windows, 50)
    return np.concatenate([logits for logits, _ in parts]), np.concatenate([tokens for _, tokens in parts])


def _interpreted(graph: Graph, windows: Array) -> tuple[Array, Array]:
    norm = [op.output for op in graph.ops if op.kind in NORMS][-1]
    (name,), (output,) = graph.inputs, graph.outputs
    logits, tokens = [], []

    def observe(value: str, array: Array) -> None:
        if value == norm:
            tokens.append(_real(graph, value, array))

    for window in windows:
        real = {name: window.reshape(graph.types[name].shape)}
        integer = graph.types[name].quant is not None
        (result,) = interpret(graph, quantise_inputs(graph, real) if integer else real, observe).values()
        logits.append(_real(graph, output, result).reshape(-1))
    return np.stack(logits), np.stack(tokens)


def _real(graph: Graph, name: str, array: Array) -> Array:
    kind = graph.types[name]
    return np.asarray(array if kind.quant is None else dequantise(kind, array), dtype=np.float32)


def compiled_logits(workers: Workers, directory: Path, graph: Graph, windows: Array) -> tuple[Array, int]:
    """Run the C in an output directory on this machine: the real logits, and how many integers are wrong.

    Wrong is what differs from the interpreter.
    """
    parts = workers.map(partial(_compiled_logits, directory, graph), windows, 125)
    return np.concatenate([logits for logits, _ in parts]), sum(wrong for _, wrong in parts)


def _compiled_logits(directory: Path, graph: Graph, windows: Array) -> tuple[Array, int]:
    (name,), (output,) = graph.inputs, graph.outputs
    shape = graph.types[name].shape
    codes = np.stack([quantise_inputs(graph, {name: window.reshape(shape)})[name] for window in windows])
    result = run_host(directory, {name: codes}, trace=False, compiler_flags=COMPILER_FLAGS)
    real = _real(graph, output, result.outputs[output])
    return real.reshape(len(windows), -1), result.mismatches
