"""What a check says: what is wrong, and what to do."""

import re
from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)  # the worst first
_SAID = re.compile(r"expected (?P<expected>.*?), got (?P<found>[^;]*)(?:; (?P<remedy>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """`check`: short code, `subject`: a topic, camera or node. Error: wm cannot work so; warning: worse than need be; note: not known."""

    severity: str
    check: str
    subject: str
    expected: str
    found: str
    remedy: str


def from_error(severity: str, check: str, subject: str, error: Exception, remedy: str = "") -> Finding:
    """A finding of an error that says `expected ..., got ...; remedy`; `remedy`: where it names none."""
    text = str(error)
    said = _SAID.fullmatch(text)
    if said is None:
        return Finding(severity, check, subject, "usable messages", text, remedy)
    return Finding(severity, check, subject, said["expected"], said["found"], said["remedy"] or remedy)
