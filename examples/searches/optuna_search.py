"""A search by Optuna over sampler and classifier, no resampling among the candidates.

pip install optuna
python examples/searches/optuna_search.py
"""

from imblearn.pipeline import Pipeline
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler

from gansampler import GANOverSampler

try:
    import optuna
except ImportError as error:
    raise SystemExit("This example needs Optuna: pip install optuna") from error


def main() -> None:
    X, y = make_classification(
        300, 60, n_informative=6, weights=[0.85], flip_y=0.02, random_state=0
    )
    folds = RepeatedStratifiedKFold(n_splits=4, n_repeats=2, random_state=0)

    def objective(trial: optuna.Trial) -> float:
        rare = trial.suggest_categorical("rare share", ["empirical", 0.3, 0.5])
        prior = rare if rare == "empirical" else {0: 1 - rare, 1: rare}
        gan = GANOverSampler(
            target_prior=prior,
            shrinkage=trial.suggest_float("shrinkage", 0.0, 1.0),
            max_iter=0,
            checks=("memorization", "fidelity"),
            random_state=0,
        )
        clf = LogisticRegression(
            C=trial.suggest_float("C", 1e-3, 1, log=True), max_iter=5000
        )
        model = Pipeline([("scale", StandardScaler()), ("gan", gan), ("clf", clf)])
        return cross_val_score(model, X, y, cv=folds, scoring="average_precision").mean()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=20)
    print(f"average precision {study.best_value:.3f} with {study.best_params}")


if __name__ == "__main__":
    main()
