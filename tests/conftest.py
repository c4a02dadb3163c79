"""What every test shares: linear algebra on one thread, and the data sets that are not in the repository."""

import os
from pathlib import Path

import pytest

for library in ("OPENBLAS", "OMP", "MKL"):  # tests run side by side, and some compare bits
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def classification():
    """A function from the name of a LIBSVM set to (A, y), A in CSR; it skips the test where the file is missing."""

    def load(name):
        import numpy as np
        from scipy.sparse import csr_array

        places = [folder / "shared" / "data" / f"{name}.npz" for folder in (ROOT.parent, ROOT)]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            pytest.skip(f"{name}.npz is not here: it belongs in the folder shared/data beside the checkout")
        with np.load(path, allow_pickle=False) as file:
            parts = (file["data"].astype(np.float64), file["indices"], file["indptr"])
            return csr_array(parts, shape=tuple(file["shape"])), file["y"]

    return load
