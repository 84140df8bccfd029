"""Successive halving: many candidates on few rows, the better half on more.

python examples/searches/halving.py
"""

from imblearn.pipeline import Pipeline
from sklearn.datasets import make_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler

GRID = {
    "gan__max_iter": [0, 100],
    "gan__target_prior": ["empirical", {0: 0.7, 1: 0.3}, "uniform"],
    "clf__C": [0.01, 0.1],
}


def main() -> None:
    X, y = make_classification(
        400, 60, n_informative=6, weights=[0.85], flip_y=0.02, random_state=0
    )
    steps = [
        ("scale", StandardScaler()),
        ("gan", GANOverSampler(checks=("memorization", "fidelity"), random_state=0)),
        ("clf", LogisticRegression(max_iter=5000)),
    ]
    search = HalvingGridSearchCV(
        Pipeline(steps),
        GRID,
        factor=3,
        min_resources=120,
        scoring="average_precision",
        random_state=0,
    ).fit(X, y)
    print(f"candidates by round: {search.n_candidates_}, rows: {search.n_resources_}")
    print(f"average precision {search.best_score_:.3f} with {search.best_params_}")


if __name__ == "__main__":
    main()
