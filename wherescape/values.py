"""Values of the world, columns of the target: each value becomes exactly what it means, or is refused with a reason.

A column is converted at once: where all its values are of the kind that its type expects, which is what an API gives,
Python's own loops do it. The values of any other column are looked at one by one.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation
from types import NoneType
from typing import Any
from uuid import UUID

from wherescape.column_types import Capacity, DataType
from wherescape.errors import ValueDoesNotFit

Reasons = dict[int, str]

_BITS = {"integer": 31, "bigint": 63}
_UNLIMITED = Capacity()
_SINGLE = 24
_DIGITS_OF_SINGLE = 6
_SURELY_FITS = 1_000
_SURELY_FITS_NUMBER = 10**_SURELY_FITS
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=UTC)
_PLAIN_DECIMAL = re.compile(r"[0-9.+-]*")
_FINER_THAN_MICROSECONDS = re.compile(r"[.,]\d{6}0*[1-9]")
_USUAL_MOMENTS = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)*", re.ASCII)
# Whatever context the script has set: a text that is no number is no NaN.
_STRICT = Context(traps=[InvalidOperation])


def convert(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> tuple[Sequence[Any], Reasons]:
    """Convert the values of one column.

    Arguments:
        values: any values; None is NULL.
        data_type: the declared type.
        capacity: what the column of the target can hold.

    Returns:
        The values as str, int, float, Decimal, bool, date or datetime in UTC (aware for a column that keeps offsets,
        else naive), with None where a value was refused, and the reason of each refusal by position. A reason never
        shows the value.
    """
    kinds = set(map(type, values))
    kinds.discard(NoneType)
    if not kinds:
        return values, {}
    data_type = _type_of_target(data_type, capacity)
    capacity = replace(capacity, data_type=None)
    at_once = _AT_ONCE.get((data_type, kinds.pop())) if len(kinds) == 1 else None
    converted = at_once(values, data_type, capacity) if at_once else None
    return (converted, {}) if converted is not None else _one_by_one(values, data_type, capacity)


def _type_of_target(declared: DataType, capacity: Capacity) -> DataType:
    """Return the type to convert to: the target's, where the table was made with another one than was declared.

    A text that is aimed at a timestamp would lose its offset, and one that is aimed at a number its digits.
    """
    actual = capacity.data_type
    if actual is None or (declared == "timestamp" and actual == "date"):
        return declared
    return actual


def _one_by_one(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> tuple[list[Any], Reasons]:
    reader = _READERS[data_type]
    converted: list[Any] = []
    reasons: Reasons = {}
    for position, value in enumerate(values):
        try:
            value = plain(value)
            converted.append(None if value is None else reader(value, data_type, capacity))
        except ValueDoesNotFit as error:
            reasons[position] = str(error)
            converted.append(None)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            reasons[position] = f"a {type(value).__name__} that is no {data_type}"
            converted.append(None)
    return converted, reasons


def plain(value: Any) -> Any:
    """Turn a scalar of numpy or pandas into Python's own value; NaT and NA become None.

    Raises:
        ValueDoesNotFit: a moment with nanoseconds.
    """
    kind = type(value)
    if kind.__module__.partition(".")[0] not in ("numpy", "pandas"):
        return value
    if kind.__name__ in ("NaTType", "NAType"):
        return None
    if kind.__name__ == "Timestamp":
        if value.nanosecond:
            raise ValueDoesNotFit("a moment finer than microseconds")
        return value.to_pydatetime()
    if kind.__name__ == "datetime64":
        if str(value) == "NaT":
            return None
        microseconds = value.astype("datetime64[us]")
        if microseconds != value:
            raise ValueDoesNotFit("a moment finer than microseconds")
        return microseconds.item()
    return value.tolist() if hasattr(value, "tolist") else value


# ------------------------------------------------------------------------------- a whole column of one kind of value
# Each returns None where a value needs a closer look.


def _texts(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    joined = "".join(filter(None, values))
    if "\0" in joined or not _is_unicode(joined):
        return None
    longest = capacity.text_length
    if longest is not None and len(joined) > longest and max(map(len, filter(None, values))) > longest:
        return None
    return values


def _whole_numbers(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    if capacity.binary_digits or capacity.limits_digits:
        return None
    numbers = [value for value in values if value is not None]
    limit = 2 ** _BITS[data_type]
    return values if -limit <= min(numbers) and max(numbers) < limit else None


def _as_they_are(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    return values


def _floats(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    if capacity.binary_digits == _SINGLE or capacity.limits_digits:
        return None
    return values if capacity.not_finite or all(map(math.isfinite, filter(None, values))) else None


def _decimals_of_integers(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    if capacity != _UNLIMITED:
        return None
    numbers = [value for value in values if value is not None]
    return values if min(numbers) > -_SURELY_FITS_NUMBER and max(numbers) < _SURELY_FITS_NUMBER else None


def _decimals_of_texts(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    texts = [value for value in values if value is not None]
    if capacity != _UNLIMITED or max(map(len, texts)) > _SURELY_FITS or not _PLAIN_DECIMAL.fullmatch("".join(texts)):
        return None
    try:
        return [value if value is None else Decimal(value, _STRICT) for value in values]
    except ArithmeticError:
        return None


def _decimals_of_floats(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    if capacity != _UNLIMITED:
        return None
    return [value if value is None else Decimal(repr(value)) for value in values]


def _dates_of_texts(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    try:
        return [value if value is None else date.fromisoformat(value) for value in values]
    except ValueError:
        return None


def _decimals(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    texts = [str(value) for value in values if value is not None]
    if capacity != _UNLIMITED or max(map(len, texts)) > _SURELY_FITS or not _PLAIN_DECIMAL.fullmatch("".join(texts)):
        return None
    return values


def _moments(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    try:
        return [value if value is None else _in_utc(value, capacity) for value in values]
    except (ValueDoesNotFit, OverflowError):
        return None


def _moments_of_texts(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    try:
        if capacity == _UNLIMITED and _USUAL_MOMENTS.fullmatch("".join(filter(None, values))):
            # Without the Z they are parsed to what is stored.
            return [value if value is None else datetime.fromisoformat(value[:-1]) for value in values]
        return [value if value is None else _in_utc(_moment_of_text(value), capacity) for value in values]
    except (ValueDoesNotFit, ValueError, OverflowError):
        return None


def _documents(values: Sequence[Any], data_type: DataType, capacity: Capacity) -> Sequence[Any] | None:
    try:
        texts = [value if value is None else _unicode_json(value) for value in values]
    except (ValueDoesNotFit, ValueError, TypeError, RecursionError):
        return None
    return _texts(texts, "text", capacity)


_AT_ONCE: Mapping[tuple[DataType, type], Callable[[Sequence[Any], DataType, Capacity], Sequence[Any] | None]] = {
    ("text", str): _texts,
    ("integer", int): _whole_numbers,
    ("bigint", int): _whole_numbers,
    ("numeric", int): _decimals_of_integers,
    ("numeric", Decimal): _decimals,
    ("numeric", str): _decimals_of_texts,
    ("numeric", float): _decimals_of_floats,
    ("double", float): _floats,
    ("boolean", bool): _as_they_are,
    ("json", list): _documents,
    ("json", dict): _documents,
    ("date", date): _as_they_are,
    ("date", str): _dates_of_texts,
    ("timestamp", datetime): _moments,
    ("timestamp", str): _moments_of_texts,
}


# -------------------------------------------------------------------------------------------------- value by value


def _text(value: Any, data_type: DataType, capacity: Capacity) -> str:
    text = as_text(value)
    if "\0" in text:
        raise ValueDoesNotFit("a text with a NUL character, which no database stores")
    if not _is_unicode(text):
        raise ValueDoesNotFit("a text with half of a surrogate pair, which is no character")
    if capacity.text_length is not None and len(text) > capacity.text_length:
        raise ValueDoesNotFit(f"a text of {len(text):,} characters; {capacity.text_length:,} fit")
    return text


def as_text(value: Any) -> str:
    """Return a text as it is, a date or number as its text, and lists and objects as JSON.

    Raises:
        TypeError, ValueError: there is no exact text for it.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, (date, Decimal, UUID)):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError
        return float.__repr__(value)
    return _json_text(value)


def _whole_number(value: Any, data_type: DataType, capacity: Capacity) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, int):
        number = int(value)
    else:
        exact = _exact_decimal(value)
        if not exact.is_finite() or (exact.adjusted() <= 20 and exact != exact.to_integral_value()):
            raise ValueDoesNotFit(f"a {type(value).__name__} that is no whole number")
        number = int(exact) if exact.adjusted() <= 20 else 2**64
    if not -(2 ** _BITS[data_type]) <= number < 2 ** _BITS[data_type]:
        raise ValueDoesNotFit(f"a number beyond the range of {data_type}")
    _check_capacity(Decimal(number), capacity)
    return number


def _numeric(value: Any, data_type: DataType, capacity: Capacity) -> Decimal:
    number = _exact_decimal(value)
    if not number.is_finite():
        if not capacity.not_finite:
            raise ValueDoesNotFit("a number that is not finite, which the target cannot store")
        return Decimal("NaN") if number.is_nan() else number
    _check_capacity(number, capacity)
    return number


def _check_capacity(number: Decimal, capacity: Capacity) -> None:
    """Refuse a finite number that the target would round or cannot take."""
    if capacity == _UNLIMITED and abs(number.adjusted()) < _SURELY_FITS:
        return
    if number and number.adjusted() >= capacity.whole_digits:
        raise ValueDoesNotFit("a number that is too large for the column of the target")
    if _last_digit(number) < -capacity.decimals:
        raise ValueDoesNotFit(f"a number of more decimals than the column of the target keeps ({capacity.decimals})")
    if capacity.binary_digits and not _is_float(number, capacity.binary_digits):
        raise ValueDoesNotFit("a number that a float of the target cannot hold exactly")


def _is_float(number: Decimal, binary_digits: int) -> bool:
    """Tell whether a float holds a number: exactly, or as the shortest text that stands for the float."""
    try:
        double = float(number)
        if binary_digits != _SINGLE:
            return Decimal(repr(double)) == number or Decimal(double) == number
        single = struct.unpack("f", struct.pack("f", double))[0]
    except OverflowError:
        return False
    digits = number.adjusted() - _last_digit(number) + 1
    return bool(single) and digits <= _DIGITS_OF_SINGLE or Decimal(single) == number


def _exact_decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise TypeError
    if isinstance(value, float):
        return Decimal(float.__repr__(value))
    if isinstance(value, Decimal) and value.is_snan():
        raise ValueError
    if isinstance(value, str) and ("_" in value or "nan" in value.lower() and value.strip().lower() != "nan"):
        raise ValueError
    return Decimal(value, _STRICT)


def _last_digit(number: Decimal) -> int:
    """Return the place of the last digit that is not zero: -2 for 0.250, 3 for 7000."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or not number:
        return 0
    return exponent + len(digits) - len("".join(map(str, digits)).rstrip("0"))


def _double(value: Any, data_type: DataType, capacity: Capacity) -> float:
    if isinstance(value, float):
        number = float(value)
    else:
        exact = _exact_decimal(value)
        number = float(exact)
        # 0.1 fits; 2**53 + 1 and a tenth with twenty digits do not.
        if exact.is_finite() and not _is_float(exact, 53):
            raise ValueDoesNotFit("a number that a double cannot hold exactly; declare the column as numeric")
    if (capacity.binary_digits == _SINGLE or capacity.limits_digits) and math.isfinite(number):
        _check_capacity(Decimal(repr(number)), capacity)
    if not (capacity.not_finite or math.isfinite(number)):
        raise ValueDoesNotFit("a number that is not finite, which the target cannot store")
    return number


def _boolean(value: Any, data_type: DataType, capacity: Capacity) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise TypeError


def _date(value: Any, data_type: DataType, capacity: Capacity) -> date:
    if isinstance(value, datetime):
        if value.tzinfo is not None or value != datetime(value.year, value.month, value.day):
            raise ValueDoesNotFit("a moment that is no date")
        return date(value.year, value.month, value.day)
    return value if isinstance(value, date) else date.fromisoformat(value)


def _timestamp(value: Any, data_type: DataType, capacity: Capacity) -> datetime:
    if isinstance(value, str):
        value = _moment_of_text(value)
    elif not isinstance(value, date):
        raise TypeError
    elif not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    try:
        return _in_utc(value, capacity)
    except OverflowError:
        raise ValueDoesNotFit("a moment that is beyond the calendar in UTC") from None


def _moment_of_text(text: str) -> datetime:
    if _FINER_THAN_MICROSECONDS.search(text):
        raise ValueDoesNotFit("a moment finer than microseconds; cut it at the source, or declare the column as text")
    return datetime.fromisoformat(text)


def _in_utc(moment: datetime, capacity: Capacity) -> datetime:
    """Return a moment in UTC; one without an offset is taken as UTC. The one place where this is decided."""
    if moment.tzinfo is not None:
        # A tenth of the time of astimezone and replace.
        moment = _EPOCH + (moment - _EPOCH_UTC)
    if not capacity.has_time and (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise ValueDoesNotFit("a moment with a time of day, for a column of dates")
    if capacity.fraction_digits < 6 and moment.microsecond % 10 ** (6 - capacity.fraction_digits):
        raise ValueDoesNotFit(f"a moment of more than {capacity.fraction_digits} digits of a second's fraction")
    return moment.replace(tzinfo=UTC) if capacity.keeps_offset else moment


def _json(value: Any, data_type: DataType, capacity: Capacity) -> str:
    text = _json_text(value)
    if not _is_unicode(text):
        text = _ascii_json(value)
    if capacity.text_length is not None and len(text) > capacity.text_length:
        raise ValueDoesNotFit(f"a JSON text of {len(text):,} characters; {capacity.text_length:,} fit")
    return text


def _json_text(value: Any) -> str:
    """Return the text of a JSON document; dates, moments and decimals in it become texts."""
    return _unicode_json(value)


def _json_value(value: Any) -> Any:
    own = plain(value)
    if own is not value:
        return own
    if isinstance(value, (date, Decimal, UUID)):
        return str(value)
    raise TypeError


def _json_encoder(write_text: Callable[[str], str]) -> Callable[[Any], str]:
    """Make a JSON encoder once; `json.dumps` makes one for each call, at four times the cost of a short list."""
    make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
    if make_encoder is None:
        is_ascii = write_text is json.encoder.encode_basestring_ascii
        return json.JSONEncoder(ensure_ascii=is_ascii, allow_nan=False, default=_json_value).encode
    encode = make_encoder(None, _json_value, write_text, None, ": ", ", ", False, False, False)
    return lambda value: "".join(encode(value, 0))


_unicode_json = _json_encoder(json.encoder.encode_basestring)
_ascii_json = _json_encoder(json.encoder.encode_basestring_ascii)


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_READERS: Mapping[DataType, Callable[[Any, DataType, Capacity], Any]] = {
    "text": _text,
    "integer": _whole_number,
    "bigint": _whole_number,
    "numeric": _numeric,
    "double": _double,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "json": _json,
}
