"""PUBLISH and its confirmations, byte by byte as MQTT 3.1.1 and 5.0 have them."""

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.mqtt.packets import Malformed, Publish, acknowledgements, read_publish


def test_a_publish_of_quality_0_has_no_number():
    # Topic "a/b" and payload "x": no packet identifier (clause 3.3.2.2).
    assert read_publish(0x30, b"\x00\x03a/bx", is_v5=False) == Publish("a/b", b"x", 0, 0, is_repeated=False)


@pytest.mark.parametrize(("flags", "qos", "repeated"), [(0x32, 1, False), (0x3A, 1, True), (0x34, 2, False)])
def test_a_publish_of_a_higher_quality_has_a_number_and_may_be_repeated(flags, qos, repeated):
    packet = read_publish(flags, b"\x00\x03a/b\x01\x02x", is_v5=False)
    assert packet == Publish("a/b", b"x", qos, 0x0102, is_repeated=repeated)


def test_the_properties_of_version_5_stand_between_number_and_payload():
    # Message expiry 0x02 of 60 s: five bytes of properties (clause 3.3.2.3.3).
    body = b"\x00\x03a/b\x00\x0a\x05\x02\x00\x00\x00\x3cx"
    assert read_publish(0x32, body, is_v5=True) == Publish("a/b", b"x", 1, 10, is_repeated=False)


def test_long_properties_are_skipped_by_their_variable_length():
    body = b"\x00\x01t" + b"\xc8\x01" + bytes(200) + b"payload"  # 200 = 0x48 + 1 * 128
    assert read_publish(0x30, body, is_v5=True).payload == b"payload"


def test_an_empty_payload_is_one():
    assert read_publish(0x30, b"\x00\x01t", is_v5=False).payload == b""
    assert read_publish(0x30, b"\x00\x01t\x00", is_v5=True).payload == b""


@pytest.mark.parametrize(
    ("flags", "packet", "is_v5"),
    [
        (0x30, b"", False),
        (0x30, b"\x00", False),
        (0x30, b"\x00\x05a/b", False),
        (0x32, b"\x00\x03a/b\x01", False),
        (0x36, b"\x00\x03a/b\x00\x01x", False),
        (0x30, b"\x00\x01t", True),
        (0x30, b"\x00\x01t\x05\x02", True),
        (0x30, b"\x00\x01t\xff\xff\xff\xff\x01", True),
    ],
)
def test_a_cut_or_impossible_publish_is_malformed(flags, packet, is_v5):
    with pytest.raises(Malformed):
        read_publish(flags, packet, is_v5=is_v5)


def test_a_topic_that_is_no_text_names_no_client():
    assert read_publish(0x30, b"\x00\x02\xff\xfe", is_v5=False).topic == "\ufffd\ufffd"


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 255), st.binary(max_size=80), st.booleans())
@example(0x32, b"\x00\x00\x00\x01", True)
def test_any_bytes_are_a_packet_or_malformed(flags, packet, is_v5):
    try:
        found = read_publish(flags, packet, is_v5=is_v5)
    except Malformed:
        return
    assert len(found.payload) <= len(packet)
    assert (found.mid > 0) <= (found.qos > 0)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=20),
    st.binary(max_size=300),
    st.integers(1, 65_535),
    st.sampled_from([1, 2]),
    st.binary(max_size=200),
)
def test_what_is_written_is_read(topic, payload, mid, qos, properties):
    name = topic.encode(errors="replace")
    length = [len(properties)] if len(properties) < 128 else [len(properties) & 127 | 128, len(properties) >> 7]
    body = struct.pack("!H", len(name)) + name + struct.pack("!H", mid)
    for is_v5, between in ((False, b""), (True, bytes(length) + properties)):
        found = read_publish(0x30 | qos << 1, bytearray(body + between + payload), is_v5=is_v5)
        assert found == Publish(name.decode(), payload, qos, mid, is_repeated=False)


def test_each_quality_is_confirmed_in_its_own_way():
    # PUBACK 0x40 and PUBREC 0x50 with a remaining length of 2: reason code 0 is left out (clauses 3.4.2, 3.5.2).
    assert acknowledgements([(1, 10), (0, 0), (2, 0x1234)]) == b"\x40\x02\x00\x0a\x50\x02\x12\x34"
    assert acknowledgements([(0, 0)]) == b""
