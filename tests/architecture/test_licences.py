"""What we depend on may be used in a product like this one: said by the licence texts themselves, not by metadata."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LICENCE_FILE = re.compile(r"licen[cs]e|copying", re.IGNORECASE)
# Licences that forbid a product, or would make all of it theirs.
REFUSED = re.compile(
    r"business source licen[cs]e|server side public licen[cs]e|elastic licen[cs]e|commons clause"
    r"|gnu affero general public|(?<!lesser )(?<!library )gnu general public license",
    re.IGNORECASE,
)
# Texts that begin with a refused title and bind nothing that we run, and why.
HARMLESS: dict[str, str] = {}
TITLE_CHARACTERS = 400


def _locked(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [found[1] for line in lines if (found := re.match(r"([A-Za-z0-9._-]+)==", line))]


def _licence_texts(package: str) -> Iterator[tuple[str, str]]:
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return  # for another platform or Python
    for file in distribution.files or []:
        path = Path(str(file.locate()))
        if (
            LICENCE_FILE.search(file.name)
            and file.suffix.lower() in {"", ".txt", ".md", ".rst"}
            and path.is_file()
        ):
            yield f"{package}: {file.name}", path.read_text(encoding="utf-8", errors="replace")


def test_no_locked_package_has_a_licence_that_excludes_this_product() -> None:
    texts = [item for package in _locked("requirements.lock") for item in _licence_texts(package)]

    refused = {place for place, text in texts if REFUSED.search(text[:TITLE_CHARACTERS])}

    assert len(texts) > 150
    assert refused == set(HARMLESS)


def test_the_reader_would_see_a_refused_licence() -> None:
    for title in (
        "Business Source License 1.1",
        "GNU GENERAL PUBLIC LICENSE\nVersion 2",
        "GNU AFFERO GENERAL PUBLIC",
    ):
        assert REFUSED.search(title)
    assert not REFUSED.search("GNU LESSER GENERAL PUBLIC LICENSE")


def test_dlms_cosem_stays_at_the_version_that_is_mit() -> None:
    (text,) = [text for place, text in _licence_texts("dlms-cosem") if "LICENSE" in place]

    assert importlib.metadata.version("dlms-cosem") == "21.3.2"
    assert text.startswith("MIT License")


def test_the_gpl_client_is_no_part_of_what_is_installed() -> None:
    assert "gurux-dlms" not in _locked("requirements.lock")
    assert _locked("requirements-oracle.lock") == ["gurux-dlms"]
