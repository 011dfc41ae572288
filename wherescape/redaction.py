"""Masks passwords, tokens and API keys in any text that leaves the process.

A secret is found by its value, in the forms in which it turns up in messages (escaped, URL-quoted, in base64), once
`add_secret` has been told about it, and by its name (`PWD=`, `PRIVATE-TOKEN:`, `user:password@host`) in any case.
"""

import base64
import json
import math
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from wherescape.environment import SOURCE_PREFIX

MASK = "***"
_SHORTEST_SECRET = 4
_SHORTEST_LINE = 8
_DEEPEST = 50
_LONGEST_NUMBER_BITS = 14_000

_SECRET_NAME = re.compile(
    r"pwd|password|passwd|passphrase|token\d*\Z|secret|bearer|credential|authtkn|hapikey"
    r"|(?:api|private|secret|access|auth|account|shared)[-_]?key|(?:\A|[-_])(?:pass|pat|key)\Z",
    re.IGNORECASE,
)
_PASSWORD_OF_DSN = re.compile(
    r"(?:\A|;)\s*(?:PWD|Password)\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>[^;]*))", re.IGNORECASE
)
_NUMBERS = {"WSL_JOB_KEY", "WSL_TASK_KEY"}

_NAME = (
    r"(?:pwd|password|passwd|passphrase|secret|(?:access|private|refresh|job|auth|oauth|api|bearer)[-_]?token"
    r"|api[-_]?key|private[-_]?key|secret[-_]?key|hapikey)"
)
_NAMED_SECRET = re.compile(_NAME, re.IGNORECASE)
_QUOTED = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_BY_NAME = [
    # PWD={a;b}, password='x', &private_token=x
    re.compile(rf"({_NAME}\s*=\s*)(?:\{{(?:[^}}]|\}}\}})*\}}|{_QUOTED}|[^;&\s'\"]+)", re.IGNORECASE),
    # 'PRIVATE-TOKEN': 'x', "password": "x"
    re.compile(rf"({_NAME}['\"]\s*:\s*)(?:{_QUOTED}|[^,}}\s'\"]+)", re.IGNORECASE),
    # PRIVATE-TOKEN: x, X-Api-Key: x
    re.compile(r"((?:(?:private|job|access|auth)-token|api-?key)\s*:\s*)[^\s,;'\"]+", re.IGNORECASE),
    # Authorization: Bearer x, 'Authorization': 'Basic x'
    re.compile(
        r"(authorization['\"]?\s*[:=]\s*(?:b?['\"])?(?:(?:basic|bearer|digest|token)\s+)?)[^\s,;'\"]+", re.IGNORECASE
    ),
    # ?token=x&sig=y
    re.compile(r"([?&][\w.-]*(?:token|key|secret|password|pwd|sig|signature)=)[^&\s'\"]+", re.IGNORECASE),
    # CREATE USER u PASSWORD 'x'
    re.compile(r"(\bpassword\s+N?)'(?:[^']|'')*'", re.IGNORECASE),
    # https://token@host
    re.compile(r"(://)[^/\s:@'\"]+(?=@)"),
    # https://user:password@host
    re.compile(r"(://[^/\s:@'\"]*:)[^/\s'\"]+(?=@)"),
]

_lock = threading.Lock()
_forms: frozenset[str] = frozenset()
_by_value: re.Pattern[str] | None = None


def add_secret(value: str) -> None:
    """Mask this value from now on, in every form in which it is commonly written.

    For a login that an API takes as HTTP Basic, add `user:password` as well: base64 is one of the forms.

    Arguments:
        value: the secret; one of fewer than four characters is ignored, as it would mask parts of ordinary words.
    """
    global _forms, _by_value
    if len(value) < _SHORTEST_SECRET:
        return
    with _lock:
        forms = _forms | _written_forms(value)
        # A key of several lines may be written line by line.
        forms |= {line.strip() for line in value.splitlines()[:-1] if len(line.strip()) >= _SHORTEST_LINE}
        if forms != _forms:
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            _by_value = re.compile("|".join(map(re.escape, longest_first)))
            _forms = forms


def add_secrets_of(environ: Mapping[str, str]) -> None:
    """Mask the values of the WSL_* variables that hold a password, token or key."""
    for name, value in environ.items():
        name = name.upper()
        if not name.startswith("WSL_") or name in _NUMBERS:
            continue
        if is_secret_name(name.removeprefix(SOURCE_PREFIX)):
            add_secret(value)
        for match in _PASSWORD_OF_DSN.finditer(value) if name.endswith("_DSN") else ():
            add_secret(match["braced"].replace("}}", "}") if match["braced"] is not None else match["plain"].strip())
        if name.endswith("_URL") and "@" in value:
            login = value.rpartition("@")[0].rpartition("://")[2]
            add_secret(login)
            add_secret(login.partition(":")[2])


def is_secret_name(name: str) -> bool:
    """Tell whether a variable or parameter holds a secret: its name ends in password, token, key or the like."""
    return _SECRET_NAME.search(name.strip()) is not None


def redact(text: str) -> str:
    """Replace the secrets in a text by `***`.

    Arguments:
        text: a message, traceback, URL or connection string.

    Returns:
        The text, with the values given to `add_secret` masked, and those that stand beside a telling name.
    """
    if _by_value is not None:
        text = _by_value.sub(MASK, text)
    for pattern in _BY_NAME:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def redact_json(value: Any) -> Any:
    """Return a value as JSON can hold it, with the secrets in it replaced by `***`.

    Arguments:
        value: lists and mappings of anything; what JSON does not know becomes its text.
    """
    return _redacted(value, 0)


def _redacted(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Python does not write longer ones in decimals.
        return int(value) if value.bit_length() < _LONGEST_NUMBER_BITS else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {
            str(name): MASK if item and _NAMED_SECRET.fullmatch(str(name)) else _redacted(item, depth + 1)
            for name, item in value.items()
        }
    if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted(item, depth + 1) for item in value]
    try:
        return redact(str(value))
    except Exception:
        # Nested too deeply, or a class of somebody else's.
        return f"<{type(value).__name__}>"


def _written_forms(value: str) -> set[str]:
    encoded = value.encode("utf-8", "surrogatepass")
    return {
        value,
        value.replace("}", "}}"),
        quote(encoded, safe=""),
        quote(encoded),
        quote_plus(encoded),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr('"' + value)[2:-1],
        repr(encoded)[2:-1],
        base64.b64encode(encoded).decode(),
        value.encode("ascii", "backslashreplace").decode(),
    }
