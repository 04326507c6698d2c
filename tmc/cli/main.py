"""The command line: verbs, errors, exit codes. Results go to standard output, progress to standard error."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from threadpoolctl import threadpool_limits

from tmc import __version__
from tmc.cli.compile import add_compile_options, check, compile_
from tmc.cli.run import add_run_options, report, run
from tmc.cli.tables import list_operators, list_ops, list_passes, list_targets
from tmc.ir.errors import TmcError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return 0, 1 after an error of the input, 2 for a wrong command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may be beyond the letters of the terminal
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    try:
        # One thread: a second one spins while it waits, which costs more CPU time than it saves.
        with threadpool_limits(limits=1, user_api="blas"):
            status: int = options.verb(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _give_up(sys.stdout)  # who read the output, such as `head`, has gone
        return 1
    except Exception as error:
        if options.debug:
            raise
        return _report(error, options.json)


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join --input-range to its value, which may begin with a minus and would be taken for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--input-range":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _report(error: Exception, as_json: bool) -> int:
    """Print an error with its notes, where printing is possible; return the exit status."""
    known = error if isinstance(error, TmcError) else _foreseen(error)
    facts = {"kind": type(error).__name__, "where": known.where, "what": known.what}
    answer = json.dumps({"ok": False, "error": {**facts, "notes": list(known.notes)}})
    text = "\n".join([f"error: {known}", *(f"note: {note}" for note in known.notes)])
    try:
        sys.stdout.flush()  # what was printed before, if it can be written
    except OSError:
        _give_up(sys.stdout)
        as_json = False
    for stream, words in ((sys.stdout, answer), (sys.stderr, text)) if as_json else ((sys.stderr, text),):
        try:
            print(words, file=stream, flush=True)
            break
        except OSError:
            _give_up(stream)
    return 1


def _give_up(stream: TextIO) -> None:
    """Let a stream that cannot be written lead nowhere: the flush at exit must not fail on it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _foreseen(error: Exception) -> TmcError:
    """Return what the system refused as an error of its own; what no check foresaw is a defect of tmc."""
    if isinstance(error, OSError):
        where = str(error.filename) if error.filename is not None else "output"
        return TmcError(
            where,
            f"cannot be written or read: {error.strerror or error}",
            "free space or give another place, and run it again",
        )
    if isinstance(error, MemoryError):
        return TmcError(
            "memory",
            f"found too little memory for this network: {str(error) or 'none is left'}",
            "make the network smaller, or run it where more memory is free",
        )
    what = " ".join(str(error).split())
    return TmcError(
        "tmc",
        f"found a defect of its own: {type(error).__name__}{what and f' ({what})'}",
        "please report it with the model; --debug shows where it happened",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tmc", description="Compile a float ONNX network to integer C for GAP9-class microcontrollers."
    )
    parser.add_argument("--version", action="version", version=f"tmc {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = _verb(verbs, "compile", compile_, "compile an ONNX file to a directory of C")
    add_compile_options(verb)
    verb.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="directory to write; default: MODEL without .onnx; what tmc wrote there "
        "before is replaced, other files are kept",
    )
    verb = _verb(verbs, "check", check, "say whether an ONNX file compiles and fits; write nothing")
    add_compile_options(verb)
    verb = _verb(verbs, "run", run, "run a compiled directory and compare every op with the interpreter")
    add_run_options(verb)
    verb = _verb(verbs, "report", report, "summarise a compiled directory; report.html has the details")
    verb.add_argument("directory", metavar="DIR")
    verb = _verb(verbs, "operators", list_operators, "list the ONNX operators that are read")
    verb.add_argument("--markdown", action="store_true", help="print the page docs/operators.md")
    _verb(verbs, "ops", list_ops, "list the ops of the IR")
    _verb(verbs, "passes", list_passes, "list the passes in the order they run")
    _verb(verbs, "targets", list_targets, "list the targets")
    return parser


def _verb(verbs: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(verb=function)
    return parser
