import numpy as np

from analytics.quality import QUALITY_TABLE, Quality, counts_mask, profile_mask, valid_mask


def test_the_table_has_a_sentence_for_every_code():
    assert [row.code for row in QUALITY_TABLE] == list(range(8))
    assert all(row.description.endswith(".") and row.description.count(".") == 1 for row in QUALITY_TABLE)
    assert [row.name for row in QUALITY_TABLE if row.is_valid] == ["measured", "rollover", "spread"]
    assert [row.name for row in QUALITY_TABLE if not row.counts_energy] == [
        "reset",
        "exchange",
        "negative",
        "implausible",
    ]


def test_masks_agree_with_the_codes():
    codes = np.arange(8, dtype=np.int16)

    assert valid_mask(codes).tolist() == [quality.is_valid for quality in Quality]
    assert counts_mask(codes).tolist() == [quality.counts_energy for quality in Quality]
    assert profile_mask(codes).tolist() == [quality.is_profile for quality in Quality]
    assert not Quality.SPREAD.is_profile
