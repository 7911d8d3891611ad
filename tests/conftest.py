"""What holds for every test: commands keep what they remember in a folder of this run, not in that of whoever tests."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFAVA_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield
