"""Errors a user can meet. Each names the place, what was found, what is allowed, and what to do."""

from __future__ import annotations


class TmcError(Exception):
    """Report a problem with the user's input: `error: <where>: <what>`, then one `note:` per remedy."""

    def __init__(self, where: str, what: str, *notes: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
        self.notes = notes


class UnsupportedModel(TmcError):
    """The ONNX file cannot be read, or holds something the frontend does not take."""


class ParseError(TmcError):
    """The text form of a graph cannot be read, or does not fit its constants."""


class VerifyError(TmcError):
    """A graph breaks a rule of the IR: undefined value, wrong type, wrong shape."""


class PassError(TmcError):
    """A pass cannot go on with this graph."""


class QuantisationError(PassError):
    """A tensor cannot be represented in the integer contract, or a bound cannot be proved."""


class NoIntegerForm(QuantisationError):
    """An op has no integer form for its shape, or for what reads it, whatever its numbers are."""


class CalibrationError(TmcError):
    """The calibration data do not fit the network."""


class AccuracyError(TmcError):
    """The integer network is further from float than the user allows."""


class PlanError(TmcError):
    """Tiles or buffers do not fit the memories of the target."""


class CheckError(TmcError):
    """A plan or a program fails its independent check: nothing is emitted."""


class PlatformError(TmcError):
    """A tool needed to build or run the generated network is missing, or the run failed."""
