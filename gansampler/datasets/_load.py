"""Loaders of the shipped tables; `data/README.md` tells where each comes from."""

from __future__ import annotations

from importlib.resources import as_file, files

import pandas as pd
from sklearn.utils import Bunch

HCC_TACE_SOURCE = """\
Radiomic features of liver tumours and portal veins on CT before chemoembolization.
Images: Moawad et al. (2023), HCC-TACE-Seg, doi 10.1038/s41597-023-01928-3, The Cancer
Imaging Archive, licence CC BY 4.0. Features: radMLBench, Demircioglu (2024),
doi 10.1016/j.compbiomed.2024.109140. Unchanged but for the compression of the file."""


def load_hcc_tace(*, return_X_y: bool = False) -> Bunch | tuple[pd.DataFrame, pd.Series]:
    """Load a real radiomics table: 84 patients, 420 CT features, 72 against 12.

    Standardised features and the binary target of the collection radMLBench [1]_, computed
    from the CT images of HCC-TACE-Seg [2]_ (CC BY 4.0). Not for clinical use.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return (data, target) alone.

    Returns
    -------
    Bunch or (DataFrame of shape (84, 420), Series of shape (84,))
        The Bunch holds `data`, `target`, `ids` (patients) and `DESCR` (source, licence).

    References
    ----------
    .. [1] Demircioglu (2024), radMLBench: A radiomics dataset collection for benchmarking
       in radiomics, Comput. Biol. Med. 182, doi 10.1016/j.compbiomed.2024.109140.
    .. [2] Moawad et al. (2023), Multimodality annotated hepatocellular carcinoma data
       set, Scientific Data 10, doi 10.1038/s41597-023-01928-3.

    Examples
    --------
    >>> from gansampler.datasets import load_hcc_tace
    >>> X, y = load_hcc_tace(return_X_y=True)
    >>> X.shape, y.value_counts().to_dict()
    ((84, 420), {0: 72, 1: 12})
    """
    with as_file(files(__package__) / "data" / "hcc_tace_seg.csv.gz") as path:
        table = pd.read_csv(path).copy()  # of one block
    target, ids = table.pop("Target"), table.pop("ID")
    if return_X_y:
        return table, target
    return Bunch(data=table, target=target, ids=ids, DESCR=HCC_TACE_SOURCE)
