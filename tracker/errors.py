"""The errors that a user can meet; each message says what was got, what was expected and what to do.

Those that Python has an error for are that too.
"""


class AffectError(Exception):
    """What went wrong, in one plain line; the command line exits with code 1."""


class SourceError(AffectError):
    """A source cannot be opened or read."""


class MissingSourceError(SourceError, FileNotFoundError):
    """A source is not there."""


class SinkError(AffectError):
    """An output cannot be written."""


class CheckpointError(AffectError):
    """A checkpoint cannot be used."""


class DataError(AffectError):
    """A data set or a table is not what was expected."""


class UsageError(AffectError, ValueError):
    """Wrong usage; the command line exits with code 2."""
