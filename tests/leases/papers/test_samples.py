"""Every paper shipped typesets, for all its samples, tagged and made to be kept."""

import pytest

from core import documents
from core.documents import PAPERS


@pytest.mark.parametrize("code", sorted(PAPERS) or ["none"])
def test_a_paper_typesets_all_its_samples(code, db):
    pages = documents.try_out(code, PAPERS[code].original)

    assert pages and all(page.startswith(b"\x89PNG") for page in pages)
