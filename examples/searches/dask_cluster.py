"""A grid search on a dask cluster: here two processes of this machine.

    pip install distributed
    python examples/searches/dask_cluster.py

For a cluster, give `Client` the address of its scheduler; gansampler must be installed on
the workers, and the folder of `memory=` be one that all of them see.
"""

import tempfile

import joblib
from imblearn.pipeline import Pipeline
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler

try:
    from dask.distributed import Client
except ImportError as error:
    raise SystemExit("This example needs dask: pip install distributed") from error


def main() -> None:
    X, y = make_classification(300, 60, weights=[0.85], flip_y=0.02, random_state=0)
    with (
        tempfile.TemporaryDirectory() as cache,
        Client(n_workers=2, threads_per_worker=1, dashboard_address=None),
        joblib.parallel_config("dask"),
    ):
        gan = GANOverSampler(
            max_iter=100, checks=("memorization", "fidelity"), memory=cache, random_state=0
        )
        clf = LogisticRegression(max_iter=5000)
        model = Pipeline([("scale", StandardScaler()), ("gan", gan), ("clf", clf)])
        grid = {"gan__n_critic": [1, 2], "clf__C": [0.01, 0.1]}
        search = GridSearchCV(model, grid, scoring="average_precision").fit(X, y)
    print(f"average precision {search.best_score_:.3f} with {search.best_params_}")


if __name__ == "__main__":
    main()
