"""The error type of this example, in the form that tmc's own errors have."""


class TinyMyoError(Exception):
    """Report a mistake that the user can mend: what was found, what is allowed, and what to do."""

    def __init__(self, message: str, note: str) -> None:
        super().__init__(message)
        self.note = note

    def __reduce__(self) -> tuple[type["TinyMyoError"], tuple[str, str]]:
        """Cross from a worker process with the note."""
        return type(self), (str(self), self.note)
