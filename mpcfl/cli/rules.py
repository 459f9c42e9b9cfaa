"""What a section of a job file says about its own values."""

from mpcfl.data.names import did_you_mean
from mpcfl.errors import JobError


def need(setting: str, holds: bool, rule: str) -> None:
    """JobError that names the setting and its rule, unless the rule holds."""
    if not holds:
        raise JobError(f"{setting} {rule}")


def choice(setting: str, word: str, known: tuple[str, ...]) -> None:
    """JobError unless `word` is one of `known`."""
    if word not in known:
        hint = did_you_mean(word, known) or f"one of {', '.join(known)}"
        raise JobError(f"{setting}: {word!r} is not known", hint=hint)


def once(setting: str, words: tuple[str, ...]) -> None:
    """JobError for a word that stands in a list twice."""
    for word in words:
        if words.count(word) > 1:
            raise JobError(f"{setting}: {word!r} stands there twice")
