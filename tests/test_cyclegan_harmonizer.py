"""CycleGANHarmonizer: every site as the reference site would show it."""

import numpy as np
import pytest
import sklearn
from conftest import needs_routed_scoring
from numpy.testing import assert_array_equal
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gansampler import CycleGAN, CycleGANHarmonizer, GansamplerWarning
from gansampler.datasets import make_ct_phantoms
from gansampler.volumes._features import volume_features

GAN = CycleGAN(max_iter=0, early_stopping=False, channels=4)


@pytest.fixture(scope="module")
def cohort():
    """Three sites: one sharp, two that blur, more or less."""
    X, y = make_ct_phantoms(36, kernel="sharp", size=16, random_state=0)
    sites = np.tile(["little", "much", "sharp", "sharp"], 9)
    for site, width in (("little", 0.4), ("much", 0.8)):
        mine = sites == site
        X[mine, 0] = np.rint(gaussian_filter(X[mine, 0], (0, width, width, width)))
    return X, y, sites


def roughness(X):
    return volume_features(X, 1)["outside roughness 1"].to_numpy()


@pytest.mark.parametrize("reference", [None, "much"])
def test_sites_come_to_look_alike(cohort, reference):
    X, _, sites = cohort
    harmonizer = CycleGANHarmonizer(GAN, reference_site=reference, random_state=0)
    X_new = harmonizer.fit_transform(X, sites=sites)
    target = harmonizer.reference_site_
    assert target == (reference or "sharp")
    assert set(harmonizer.gans_) == {"little", "much", "sharp"} - {target}
    assert_array_equal(X_new[sites == target], X[sites == target])
    assert_array_equal(X_new[:, 1], X[:, 1])
    before, after = roughness(X), roughness(X_new)
    at_target = before[sites == target].mean()
    for site in harmonizer.gans_:
        gap = abs(before[sites == site].mean() - at_target)
        assert abs(after[sites == site].mean() - at_target) < 0.4 * gap


def test_one_site_stays_as_it_is(cohort):
    X, *_ = cohort
    with pytest.warns(GansamplerWarning, match="No sites were given"):
        assert_array_equal(CycleGANHarmonizer(GAN).fit_transform(X), X)
    one = np.full(len(X), 7)
    assert_array_equal(CycleGANHarmonizer(GAN).fit_transform(X, sites=one), X)


def test_same_seed_same_volumes(cohort):
    X, _, sites = cohort
    gan = clone(GAN).set_params(max_iter=2, patch_size=8, batch_size=2)
    first, second = (
        CycleGANHarmonizer(gan, random_state=3).fit_transform(X, sites=sites)
        for _ in range(2)
    )
    assert_array_equal(first, second)
    harmonizer = CycleGANHarmonizer(gan)
    assert harmonizer.set_params(gan__max_iter=1).gan.max_iter == 1
    assert not hasattr(gan, "generator_")


@needs_routed_scoring
def test_sites_are_routed_through_a_pipeline(cohort):
    X, y, sites = cohort
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            CycleGANHarmonizer(GAN, random_state=0)
            .set_fit_request(sites=True, groups=True)
            .set_transform_request(sites=True),
            FunctionTransformer(volume_features, kw_args={"mask_channel": 1}),
            StandardScaler(),
            LogisticRegression(),
        )
        scores = cross_val_score(
            pipeline, X, y, params={"sites": sites, "groups": np.arange(len(X))}, cv=3
        )
    assert scores.mean() > 0.6


def test_bad_input(cohort):
    X, _, sites = cohort
    fitted = CycleGANHarmonizer(GAN).fit(X, sites=sites)
    with pytest.raises(ValueError, match="pass sites"):
        fitted.transform(X)
    with pytest.raises(ValueError, match="'new' were not seen by `fit`"):
        fitted.transform(X[:2], sites=["much", "new"])
    with pytest.raises(ValueError, match="not among the sites"):
        CycleGANHarmonizer(GAN, reference_site="there").fit(X, sites=sites)
    with pytest.raises(ValueError, match="no sites were given"):
        CycleGANHarmonizer(GAN, reference_site="sharp").fit(X)
    with pytest.raises(ValueError, match="'alone' have one volume"):
        CycleGANHarmonizer(GAN).fit(X, sites=["alone", *sites[1:]])
    with pytest.raises(ValueError, match="3 entries for 36 rows"):
        CycleGANHarmonizer(GAN).fit(X, sites=sites[:3])
    with pytest.raises(ValueError, match="gan"):
        CycleGANHarmonizer("cyclegan").fit(X, sites=sites)
