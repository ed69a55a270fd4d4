"""The picture of a real home's month in the documentation can be made anew."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.disaggregation import picture


@pytest.mark.shared_data
def test_the_picture_shows_the_month_by_the_model_and_by_the_sub_meters():
    root = ET.fromstring(picture.picture())  # noqa: S314 - our own

    texts = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert any("January 2014" in text for text in texts)
    for name in ("standby", "heating", "washing"):
        assert sum(text.startswith(f"{name} ") and text.endswith(" kWh") for text in texts) == 2
