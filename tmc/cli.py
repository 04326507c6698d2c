"""The command line: verbs, errors, exit codes. Results go to standard output, progress to standard error."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from tmc import __version__
from tmc.cli_compile import add_compile_options, check, compile_
from tmc.cli_run import add_run_options, report, run
from tmc.cli_tables import list_ops, list_passes, list_targets
from tmc.ir.errors import TmcError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return 0, 1 after an error of the input, 2 for a wrong command line."""
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
        # Who read the output, such as `head`, has gone; the flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            raise
        _report(error, options.json)
        return 1


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join --input-range to its value, which may begin with a minus and would be taken for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--input-range":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _report(error: Exception, as_json: bool) -> None:
    """Print an error with its notes; one that no check foresaw is a defect of tmc."""
    known = error if isinstance(error, TmcError) else _defect(error)
    if as_json:
        facts = {"kind": type(error).__name__, "where": known.where, "what": known.what}
        print(json.dumps({"ok": False, "error": {**facts, "notes": list(known.notes)}}))
        return
    print(f"error: {known}", file=sys.stderr)
    for note in known.notes:
        print(f"note: {note}", file=sys.stderr)


def _defect(error: Exception) -> TmcError:
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
