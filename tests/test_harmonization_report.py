"""harmonization_report: arms side by side, fitted on training rows only."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_combat import plant

from gansampler.harmonize import ComBat, HarmonizationReport, harmonization_report

QUICK = GaussianNB()


def quick_report(X, y, sites, **params):
    params = {"classifier": QUICK, "random_state": 0, **params}
    return harmonization_report(X, y, sites, **params)


def test_site_goes_and_label_stays():
    X, y, sites = plant(0, n=160, d=12)
    classifier = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(30, random_state=0),
    }
    report = harmonization_report(X, y, sites, classifier=classifier, random_state=0)
    assert isinstance(report, HarmonizationReport)
    table = report.table_
    assert table.index.tolist() == ["none", "ComBat"]
    assert report.classifiers == ["linear", "forest"]
    for name in ("linear", "forest"):
        site, label = table[f"site_{name}"], table[f"label_{name}"]
        assert site["none"] > 0.8 and 0.35 < site["ComBat"] < 0.65
        assert label["ComBat"] > label["none"] - 0.05
        assert (table[f"site_{name}_low"] <= site).all()
        assert (site <= table[f"site_{name}_high"]).all()
    assert table.loc["none", "site_effect"] > 0.05 > table.loc["ComBat", "site_effect"]
    assert table.loc["none", "label_kept"] == pytest.approx(1)
    assert table.loc["ComBat", "label_kept"] == pytest.approx(1, abs=0.15)
    effects = report.effects_
    assert effects["site"].columns.tolist() == ["none", "ComBat"]
    assert effects.index.tolist() == [f"feature_{j}" for j in range(12)]
    # The label raises the first three.
    assert effects["label"]["ComBat"][:3].min() > effects["label"]["ComBat"][3:].max()


def test_defaults_and_print():
    X, y, sites = plant(0, n=40, d=4)
    report = harmonization_report(X, y, sites, cv=2, random_state=0)
    assert report.classifiers == ["linear", "forest"]
    text = report.summary()
    assert str(report) == text
    for part in (
        "40 rows, 4 features",
        "A 20, B 20",
        "ComBat",
        "site (forest)",
        "label kept",
    ):
        assert part in text
    assert "equally frequent" not in text
    again = harmonization_report(X, y, sites, cv=2, random_state=0)
    pd.testing.assert_frame_equal(report.table_, again.table_, check_exact=True)


def test_unequal_classes_are_said():
    X, y, sites = plant(0, d=4, skew=0.4)
    report = quick_report(X, y, sites, harmonizers={"ComBat": ComBat()})
    share = [y[sites == s].mean() for s in "AB"]
    # One point between (0, 0) and (1, 1): the area is that of a triangle more than half.
    assert report.site_auc_from_label == pytest.approx(0.5 + abs(share[0] - share[1]) / 2)
    assert "not equally frequent" in report.summary()


def test_partial_eta_squared_by_hand():
    X, y, sites = plant(0, n=90, d=3, skew=0.2)
    report = quick_report(X, y, sites, harmonizers={"none": None})

    def left(*factors):
        design = np.column_stack([np.ones(90), *factors])
        coef, *_ = np.linalg.lstsq(design, X, rcond=None)
        return ((X - design @ coef) ** 2).sum(axis=0)

    both, site, label = left(sites == "A", y), left(sites == "A"), left(y)
    assert_allclose(report.effects_["site"]["none"], 1 - both / label)
    assert_allclose(report.effects_["label"]["none"], 1 - both / site)


def test_interval_is_that_of_nadeau_and_bengio():
    X, y, sites = plant(0, n=100, d=4)
    report = quick_report(X, y, sites, harmonizers={"none": None}, cv=5)
    scores = report.scores_.query("target == 'label'")["auc"]
    half = 2.776445 * np.sqrt((1 / 5 + 1 / 4) * scores.var(ddof=1))
    row = report.table_.loc["none"]
    assert row["label_classifier"] == pytest.approx(scores.mean())
    assert row["label_classifier_low"] == pytest.approx(scores.mean() - half)


def test_lost_label_is_seen():
    class WithoutLabel(TransformerMixin, BaseEstimator):
        """Takes out half of the label's effect on the first features, by looking."""

        def fit(self, X, y=None):
            self.by_ = pd.DataFrame(X).groupby(np.asarray(y)).mean().diff().iloc[-1] / 2
            return self

        def transform(self, X):
            likely = (
                X.iloc[:, :3].mean(axis=1) > X.iloc[:, :3].mean(axis=1).median()
            ) * 1.0
            return X - np.outer(likely, self.by_)

    X, y, sites = plant(0, d=5, effect=2.0)
    report = quick_report(X, y, sites, harmonizers={"less": WithoutLabel()})
    assert report.table_.loc["less", "label_kept"] < 0.8


class Spy(TransformerMixin, BaseEstimator):
    """Changes nothing, and remembers what it was given."""

    seen = []

    def fit(self, X, y=None, *, sites=None, groups=None):
        self.seen.append(("fit", len(X), np.asarray(sites), groups))
        return self

    def transform(self, X, *, sites=None):
        self.seen.append(("transform", len(X), np.asarray(sites), None))
        return np.asarray(X)


def test_arms_are_fitted_on_training_rows_only():
    X, y, sites = plant(0, n=60, d=3)
    patients = np.repeat(np.arange(30), 2)
    Spy.seen = []
    report = quick_report(
        X, y, sites, harmonizers={"none": None, "spy": Spy()}, cv=3, groups=patients
    )
    assert [call[0] for call in Spy.seen] == ["fit", "transform", "transform"] * 3
    for k in range(0, 9, 3):
        fit, train, test = Spy.seen[k : k + 3]
        assert fit[1] == train[1] == len(fit[2]) == len(fit[3])
        assert test[1] == len(test[2]) == 60 - fit[1]
        # No patient on both sides.
        assert all((fit[3] == p).sum() in (0, 2) for p in patients)
    rows = report.table_
    pd.testing.assert_series_equal(
        rows.loc["none"], rows.loc["spy"], check_names=False, check_exact=True
    )


def test_pipelines_get_sites_where_they_request_them():
    X, y, sites = plant(0, n=100, d=4)
    with config_context(enable_metadata_routing=True):
        combat = ComBat().set_fit_request(sites=True).set_transform_request(sites=True)
        arms = {"plain": ComBat(), "pipeline": make_pipeline(combat, StandardScaler())}
        report = quick_report(X, y, sites, harmonizers=arms)
    effects = report.effects_["site"]
    assert_allclose(effects["plain"], effects["pipeline"], atol=0.01)


def test_covariates_reach_harmonizers():
    X, y, sites = plant(0, n=80, d=4)
    age = pd.DataFrame({"age": np.arange(80.0)})
    arms = {"ComBat": ComBat()}
    with_age = quick_report(X, y, sites, harmonizers=arms, covariates=age)
    without = quick_report(X, y, sites, harmonizers=arms)
    assert not np.allclose(with_age.effects_, without.effects_)


def test_many_sites_and_repeats():
    X, y, sites = plant(0, n=150, d=4)
    sites = np.where(np.arange(150) % 3 == 0, "C", sites)
    report = quick_report(X, y, sites, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2))
    assert report.scores_.groupby(["arm", "target"]).size().eq(6).all()
    assert report.table_.notna().all(axis=None)


def test_leaving_a_site_out_has_no_area_of_sites():
    X, y, sites = plant(0, n=100, d=4)
    arms = {"ComBat": ComBat(new_sites="estimate")}
    report = quick_report(
        X, y, sites, harmonizers=arms, cv=LeaveOneGroupOut(), groups=sites
    )
    assert np.isnan(report.table_.loc["ComBat", "site_classifier"])
    assert np.isfinite(report.table_.loc["ComBat", "label_classifier"])
    with pytest.raises(ValueError, match="not seen by fit") as caught:
        quick_report(X, y, sites, cv=LeaveOneGroupOut(), groups=sites)
    assert caught.value.__notes__ == ["In arm 'ComBat' of harmonizers."]


# Volumes


class Offset(TransformerMixin, BaseEstimator):
    """Brings the mean of volumes of each site to that of all."""

    def fit(self, X, y=None, *, sites=None):
        self.means_ = {site: X[sites == site].mean() for site in np.unique(sites)}
        return self

    def transform(self, X, *, sites=None):
        shift = np.array([self.means_[site] for site in sites])
        return X - shift[:, None, None, None, None]


def moments(X):
    flat = X.reshape(len(X), -1)
    return pd.DataFrame({"mean": flat.mean(axis=1), "sd": flat.std(axis=1)})


class Moments(TransformerMixin, BaseEstimator):
    """The same as a transformer that has to be fitted."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return moments(X)


@pytest.mark.parametrize("extractor", [moments, Moments()], ids=["callable", "transformer"])
def test_volumes(extractor):
    rng = np.random.default_rng(0)
    y, sites = np.tile([0, 1], 30), np.repeat(["soft", "sharp"], 30)
    X = rng.normal(size=(60, 1, 4, 4, 4)) * (1 + y)[:, None, None, None, None]
    X[sites == "sharp"] += 2
    arms = {
        "none": None,
        "volumes": (Offset(), None),
        "features": ComBat(),
        "both": (Offset(), ComBat()),
    }
    report = quick_report(X, y, sites, harmonizers=arms, extractor=extractor)
    site, label = report.table_["site_classifier"], report.table_["label_classifier"]
    assert site["none"] > 0.95 and (site[1:] < 0.75).all() and (label > 0.9).all()
    assert_array_equal(report.effects_.index, ["mean", "sd"])
    assert report.effects_["site"]["none"]["mean"] > 0.5
    assert (report.effects_["site"].loc["mean"][1:] < 0.1).all()


# Bad input


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sites": ["A"] * 60}, "sites must hold two different values"),
        ({"y": [0] * 60}, "y must hold two different values"),
        ({"y": [0, 1]}, "y has 2 labels for 60 rows"),
        ({"sites": ["A", "B"]}, "sites has 2 entries for 60 rows"),
        ({"sites": ["A"] * 57 + ["B"] * 3}, "site 'B' has 3 rows, fewer than cv=5"),
        ({"X": np.zeros((60, 1, 4, 4, 4))}, "X has 5 axes"),
        ({"X": np.full((60, 2), np.nan)}, "Features are not finite: 'feature_0'"),
        ({"extractor": moments}, "extractor takes volumes"),
        (
            {"harmonizers": {"both": (Offset(), None)}},
            r"harmonizers\['both'\].*X is a table",
        ),
        ({"harmonizers": {"odd": (None,) * 3}}, r"harmonizers\['odd'\] has 3 parts"),
        ({"groups": np.zeros(9)}, "groups has 9 entries"),
        ({"groups": np.zeros((60, 2))}, r"groups has shape \(60, 2\)"),
    ],
)
def test_bad_input(change, message):
    X, y, sites = plant(0, n=60, d=3)
    params = {"X": X, "y": y, "sites": sites, **change}
    with pytest.raises(ValueError, match=message):
        quick_report(**params)


def test_harmonizer_that_drops_features():
    class First(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return np.asarray(X)[:, :1]

    X, y, sites = plant(0, n=60, d=3)
    with pytest.raises(ValueError, match="made 1 features of 3"):
        quick_report(X, y, sites, harmonizers={"first": First()})


def test_plot():
    pytest.importorskip("matplotlib")
    X, y, sites = plant(0, n=60, d=3)
    figure = quick_report(X, y, sites).plot()
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "AUC of the site",
        "AUC of the label",
    ]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["none", "ComBat"]
