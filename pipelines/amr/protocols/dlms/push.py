"""HAN push telegrams: what a meter sends by itself on its customer port, as readings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dlms_cosem import security
from dlms_cosem.exceptions import CryptographyError

from pipelines.amr.contract import Keys, Reading
from pipelines.amr.faults import BadData, BadFrame
from pipelines.amr.protocols.dlms.axdr import Data, decode, read_length
from pipelines.amr.protocols.dlms.ciphering import AUTHENTICATED_ENCRYPTION, GENERAL, TITLE_LENGTH, checked_key
from pipelines.amr.protocols.dlms.hdlc import FLAG_OCTET, hdlc_frame, read_frame
from pipelines.amr.protocols.dlms.obis import CLOCK, obis_code, obis_text
from pipelines.amr.protocols.dlms.registers import number_of
from pipelines.amr.protocols.dlms.times import instant
from pipelines.amr.protocols.dlms.units import ScalerUnit, scaler_unit
from pipelines.amr.protocols.dlms.wire import HEADER_LENGTH, wrapper_frame

DATA_NOTIFICATION = 0x0F
SEGMENT_LIMIT = 16
_LLC = (b"\xe6\xe7\x00", b"\xe6\xe6\x00")
_TIME_LENGTH = 12
_SERIALS = (bytes((0, 0, 96, 1, 0, 255)), bytes((1, 1, 0, 0, 5, 255)))
_REACTIVE = (3, 4)
_CURRENTS, _VOLTAGES = (31, 51, 71), (32, 52, 72)
# Kamstrup and Kaifa send bare integers. Their resolutions: NVE's and Energiföretagen's lists of OBIS codes for the
# HAN port, per manufacturer: powers of ten of power, current, voltage and energy.
_KAMSTRUP: Mapping[str, int] = {"power": 0, "current": -2, "voltage": 0, "energy": 1}
_KAIFA: Mapping[str, int] = {"power": 0, "current": -3, "voltage": -1, "energy": 0}
_POWERS = ("1.7.0", "2.7.0", "3.7.0", "4.7.0")
_ENERGIES = ("1.8.0", "2.8.0", "3.8.0", "4.8.0")
_KAIFA_ORDER: Mapping[int, tuple[str, ...]] = {
    9: (*_POWERS, "31.7.0", "32.7.0"),
    13: (*_POWERS, "31.7.0", "51.7.0", "71.7.0", "32.7.0", "52.7.0", "72.7.0"),
}
_KAIFA_HEAD = 3


@dataclass(frozen=True, slots=True)
class Push:
    """What a telegram says: the meter's own identification where it tells it, and its readings."""

    serial: str | None
    readings: list[Reading]


@dataclass(frozen=True, slots=True)
class _Item:
    obis: bytes
    value: Data
    scale: ScalerUnit | None = None


def read_push(data: bytes, *, zone: ZoneInfo, received_at: datetime, keys: Keys | None = None) -> Push:
    """Return the readings of a telegram: HDLC frames, a wrapper, or a bare data notification.

    Readings bear the time that the telegram's list tells, else that of its header, else ``received_at``. A time's own
    deviation counts; ``zone`` is for those without one (a meter that keeps normal time all year needs an ``Etc`` zone).

    Raises
    ------
    BadFrame
        No frame, a wrong check sequence, or a wrong authentication tag.
    BadData
        A whole frame that is no data notification, or a list of no known layout.
    Misconfigured
        It is ciphered and a key is missing.

    Notes
    -----
    Source: IEC 62056-5-3, clause 9.5 (Data-Notification); IEC 62056-7-5 (local data transmission profiles).
    """
    apdu = _apdu(data)
    if apdu[:1] == bytes([GENERAL]):
        apdu = _deciphered(apdu, keys or Keys())
    header_time, body = _notification(apdu)
    sent_at = received_at if header_time is None else instant(header_time, zone)
    return read_list(body, zone=zone, sent_at=sent_at)


def read_list(body: bytes, *, zone: ZoneInfo, sent_at: datetime) -> Push:
    """Return the readings of a notification's body: Aidon's, Kaifa's or Kamstrup's list.

    Raises
    ------
    BadData
        It is no COSEM value, or a list of no known layout.
    """
    items = list(_items(decode(body)))
    if not items:
        raise BadData("a push list of no known layout")
    serial, at = None, sent_at
    for item in items:
        if _is_clock(item.obis) and isinstance(item.value, bytes):
            at = instant(item.value, zone)
        elif item.obis in _SERIALS:
            serial = _text(item.value)
    readings = []
    for item in items:
        number = number_of(item.value)
        if number is not None and item.scale is not None:
            readings.append(Reading(obis_text(item.obis), at, item.scale.apply(number), item.scale.unit))
    return Push(serial, readings)


def _apdu(data: bytes) -> bytes:
    """Return the APDU within HDLC frames (with or without their flags), a wrapper, or nothing."""
    if data[:2] == b"\x00\x01":
        length = wrapper_frame(bytearray(data))
        if length != len(data):
            raise BadFrame("a wrapper that is not as long as it says")
        return data[HEADER_LENGTH:]
    if data[:1] == FLAG_OCTET or (data[:1] and data[0] & 0xF0 == 0xA0):
        data = _information(bytearray(data))
    return data[3:] if data[:3] in _LLC else data


def _information(buffer: bytearray) -> bytes:
    if buffer[:1] != FLAG_OCTET:
        buffer = bytearray(FLAG_OCTET) + buffer + FLAG_OCTET
    content = bytearray()
    for _ in range(SEGMENT_LIMIT):
        length = hdlc_frame(buffer)
        if length is None:
            raise BadFrame("an HDLC frame is cut short")
        frame = read_frame(bytes(buffer[:length]))
        del buffer[:length]
        content += frame.information
        if not frame.more:
            return bytes(content)
    raise BadFrame("a telegram of too many segments")


def _deciphered(apdu: bytes, keys: Keys) -> bytes:
    encryption_key = checked_key(keys.encryption_key, "global unicast encryption key")
    authentication_key = checked_key(keys.authentication_key, "global authentication key")
    length, at = read_length(apdu, 1)
    title, at = apdu[at : at + length], at + length
    length, at = read_length(apdu, at)
    content = apdu[at:]
    if len(title) != TITLE_LENGTH or length != len(content) or content[:1] != bytes([AUTHENTICATED_ENCRYPTION]):
        raise BadData("a ciphered telegram of another form than security suite 0 with authentication")
    control = security.SecurityControlField.from_bytes(content[:1])
    counter = int.from_bytes(content[1:5], "big")
    try:
        plain: bytes = security.decrypt(control, title, counter, encryption_key, content[5:], authentication_key)
    except (CryptographyError, ValueError):
        raise BadFrame("the telegram fails authentication: damaged, or under another key") from None
    return plain


def _notification(apdu: bytes) -> tuple[bytes | None, bytes]:
    """Return the time (None where it is left out) and the body of a data notification."""
    if len(apdu) < 7 or apdu[0] != DATA_NOTIFICATION:
        raise BadData("no data notification")
    at = 5
    if apdu[at] == 0x09:  # Kaifa writes the type of the time, which the standard leaves out.
        at += 1
    length, start = apdu[at], at + 1
    if length not in (0, _TIME_LENGTH) or start + length > len(apdu):
        raise BadData("a data notification whose time is no date-time")
    return apdu[start : start + length] or None, apdu[start + length :]


def _items(body: Data) -> Iterator[_Item]:
    if not isinstance(body, list) or not body:
        return
    if all(isinstance(entry, list) for entry in body):
        yield from (_described(entry) for entry in body if isinstance(entry, list))
    elif len(body) == 1:
        yield _bare(obis_code("1.7.0"), body[0], _KAIFA)
    elif _text(body[0]).startswith("Kamstrup"):
        yield from _pairs(body[1:], _KAMSTRUP)
    elif _text(body[0]).startswith("KFM"):
        yield from _kaifa(body)
    else:
        yield from _pairs(body, _KAIFA)


def _described(entry: list[Data]) -> _Item:
    """Return an element of Aidon's list: code, value, and scaler and unit of numbers."""
    match entry:
        case [bytes(obis), value] if len(obis) == 6:
            return _Item(obis, value)
        case [bytes(obis), value, [_, _] as scale] if len(obis) == 6:
            return _Item(obis, value, scaler_unit(scale))
        case _:
            raise BadData("an element of a push list without a code")


def _pairs(flat: list[Data], scalers: Mapping[str, int]) -> Iterator[_Item]:
    if len(flat) % 2:
        raise BadData("a push list whose codes and values do not pair")
    for obis, value in zip(flat[::2], flat[1::2], strict=True):
        if obis is None and value is None:
            continue  # A single-phase meter leaves the other phases' codes out too.
        if not isinstance(obis, bytes) or len(obis) != 6:
            raise BadData("a push list whose codes and values do not pair")
        yield _bare(obis, value, scalers)


def _kaifa(body: list[Data]) -> Iterator[_Item]:
    """Return Kaifa's Norwegian list: values in a fixed order; hourly, with the clock and the registers after them."""
    has_registers = len(body) - 5 in _KAIFA_ORDER
    order = _KAIFA_ORDER.get(len(body) - 5 if has_registers else len(body))
    if order is None:
        raise BadData(f"a Kaifa list of {len(body)} values is unknown")
    yield _Item(_SERIALS[0], body[1])
    codes = (*order, *_ENERGIES) if has_registers else order
    values = body[_KAIFA_HEAD:]
    if has_registers:
        yield _Item(CLOCK, values.pop(len(order)))
    for code, value in zip(codes, values, strict=True):
        yield _bare(obis_code(code), value, _KAIFA)


def _bare(obis: bytes, value: Data, scalers: Mapping[str, int]) -> _Item:
    """Return a value with the unit that its code implies; codes of other quantities stay without one."""
    phase_quantity, measure = obis[2], obis[3]
    reactive = phase_quantity % 20 in _REACTIVE
    scale = None
    if measure == 8:
        scale = ScalerUnit(scalers["energy"], "varh" if reactive else "Wh")
    elif measure == 7 and phase_quantity in _CURRENTS:
        scale = ScalerUnit(scalers["current"], "A")
    elif measure == 7 and phase_quantity in _VOLTAGES:
        scale = ScalerUnit(scalers["voltage"], "V")
    elif measure == 7 and 1 <= phase_quantity <= 64 and phase_quantity % 20 in (1, 2, 3, 4):
        scale = ScalerUnit(scalers["power"], "var" if reactive else "W")
    return _Item(obis, value, scale)


def _is_clock(obis: bytes) -> bool:
    """Tell whether a code is the clock's, in whatever channel: Kamstrup's is 0-1:1.0.0."""
    return obis[0] == CLOCK[0] and obis[2:] == CLOCK[2:]


def _text(value: Data) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else ""
