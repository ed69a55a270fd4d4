"""What is sent beyond a table's columns: kept as JSON, but never a personal value under a name that says so.

A column that is spelled differently from ours ("Phone number", "customer-email2") must not slip past the pseudonyms:
its values are hashed or blurred all the same. A name that says nothing of a person is kept as it is.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines.registry.pseudonyms import Hasher, blurred

DEEPEST = 10
LONGEST = 20_000  # characters of a row's whole JSON
LONGEST_NAME = 100
_PERSONAL = {
    *("name", "fullname", "firstname", "lastname", "surname", "familyname", "givenname", "middlename", "nickname"),
    *("idnumber", "identificationnumber", "nationalid", "nationalidnumber", "passport", "passportnumber", "taxid"),
    *(
        "address",
        "homeaddress",
        "street",
        "streetaddress",
        "postaladdress",
        "gps",
        "gpscoordinates",
        "coordinates",
    ),
    *("email", "emailaddress", "mail", "phone", "phonenumber", "telephone", "telephonenumber", "tel", "mobile"),
    *("mobilenumber", "mobilephone", "cell", "cellphone", "whatsapp", "msisdn", "contact", "contactnumber"),
    *("dateofbirth", "birthdate", "birthday", "dob", "nextofkin", "iban", "bankaccount", "location"),
}
_COORDINATES = {"latitude", "longitude", "lat", "lon", "lng", "long", "gpslatitude", "gpslongitude"}


def _bare(name: str) -> str:
    letters = re.sub(r"[^a-z]", "", name.lower())
    return re.sub(r"^(customer|client|owner|user|buyer|purchaser|primary|secondary|alternative)+", "", letters)


def guarded(name: str, value: Any, hasher: Hasher) -> Any:
    """Return what is kept of a value under ``name``; of nested values each by its own name.

    Raises
    ------
    ValueError
        Nested too deeply, or a text or number that cannot be stored.
    """
    return _guarded(_bare(name), value, hasher, DEEPEST)


def _guarded(bare: str, value: Any, hasher: Hasher, levels: int) -> Any:
    if levels < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        inside = bare if bare in _PERSONAL else ""
        return {_name(k): _guarded(inside or _bare(k), v, hasher, levels - 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_guarded(bare, item, hasher, levels - 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError("not a finite number")
    if bare in _COORDINATES:
        return _coordinate(value, hasher)
    if bare in _PERSONAL:
        return hasher.hash(_text(str(value)))
    return _text(value) if isinstance(value, str) else _number(value)


def _coordinate(value: Any, hasher: Hasher) -> Any:
    try:
        return float(blurred(Decimal(str(value).strip())))
    except (InvalidOperation, ValueError):
        return hasher.hash(_text(str(value)))


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        number = float(value)
        if number in {float("inf"), float("-inf")}:
            raise ValueError("too large a number")
        return number
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("too large a number")
    return value


def _name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise ValueError("too long a name")
    return _text(name)


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a null character")
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text
