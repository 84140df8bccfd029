"""What every page has in common: how it looks, and the words that explain it."""

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

TONES = {"healthy": ("good", "✓"), "undetermined": ("unsure", "?")}
BAD = ("bad", "!")

DPI = 192
"""Of pictures with many points: twice what a screen shows."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 50rem; background: #fff;
  color: #222; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 650; }
h2 {
  font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .6rem; padding-top: 1rem;
  border-top: 1px solid #d5d8dc; font-weight: 650; overflow-wrap: anywhere;
}
h3 { font-size: 1.02rem; margin: 1.8rem 0 .5rem; font-weight: 650; }
p { margin: .4rem 0 .8rem; max-width: 44rem; }
.lead { color: #555; margin-bottom: 1.4rem; }
a { color: #0b5c94; }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table {
  border-collapse: collapse; width: 100%; font-size: .86rem; line-height: 1.4;
  font-variant-numeric: tabular-nums lining-nums;
  border-top: 1.5px solid #222; border-bottom: 1.5px solid #222;
}
th, td { padding: .38rem .6rem; text-align: left; vertical-align: top; }
th:first-child, td:first-child { padding-left: .15rem; }
th:last-child, td:last-child { padding-right: .15rem; }
thead th { border-bottom: 1px solid #222; font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; }
tbody tr + tr > * { border-top: 1px solid #eceef0; }
tbody tr.question > th {
  font-style: italic; padding-top: .9rem; border-top: 1px solid #9aa0a6;
}
tbody:first-of-type tr.question > th { border-top: 0; padding-top: .5rem; }
.n { text-align: right; white-space: nowrap; }
thead .n { white-space: normal; }
table.narrow { width: auto; }
.few { width: 5.5rem; }
.most { width: 55%; }
.wide { min-width: 36rem; }
.text { min-width: 14rem; }
.name { overflow-wrap: anywhere; min-width: 11rem; }
.asks { display: block; color: #666; font-size: .92em; max-width: 27rem; }
.title { font-weight: 600; }
.flag { white-space: nowrap; color: #555; }
.flag.bad { color: #a33c00; font-weight: 600; }
.badge {
  display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .84rem;
  font-weight: 600; white-space: nowrap; border: 1px solid;
  -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
.badge.good { background: #e6f4ee; color: #0a5a3f; border-color: #9ccfba; }
.badge.unsure { background: #f0f1f3; color: #444; border-color: #c3c7cc; }
.badge.bad { background: #fdeee4; color: #933600; border-color: #e9b48f; }
h2 .badge { vertical-align: .15em; margin-left: .4rem; }
.advice { display: block; color: #555; margin-top: .15rem; }
figure { margin: 1.2rem 0 1.6rem; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .86rem; line-height: 1.45; color: #444; margin-top: .5rem; }
figcaption b { color: #222; }
details { font-size: .8rem; color: #555; margin: .3rem 0; overflow-wrap: anywhere; }
dl { font-size: .92rem; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0 0 0 1.1rem; max-width: 43rem; }
.note { border-left: 3px solid #9aa0a6; padding: .1rem 0 .1rem .9rem; }
ol.sources { font-size: .88rem; padding-left: 1.4rem; }
ol.sources li { margin: .2rem 0; }
@media (max-width: 40rem) {
  body { padding: 1.4rem 1rem 3rem; }
  h1 { font-size: 1.4rem; }
}
@page { margin: 18mm 16mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  th, td { padding-top: .22rem; padding-bottom: .22rem; }
  a { color: inherit; text-decoration: none; }
  .scroll { overflow: visible; }
  .wide, .text { min-width: 0; }
  section.class, section.reading { break-before: page; }
  section.class > h2, section.reading > h2 { border-top: 0; padding-top: 0; margin-top: 0; }
  h2, h3, thead, tr.question { break-after: avoid; }
  figure, tr, dt + dd, .note { break-inside: avoid; }
}
"""

TERMS = {
    "Null band": "Where a statistic lies in 95 of 100 tables of fresh rows, that is, if "
    "synthetic rows were drawn from the same distribution as the real ones. Most bands "
    "come from exchanging real and synthetic rows at random. Of twenty statistics about "
    "one leaves its band by chance, so one flag alone means little; a verdict asks for "
    "more than a flag.",
    "p-value": "How often fresh rows would give a value at least as extreme, on the side "
    "that is bad news. Those of permutation tests cannot be below one over the number of "
    "permutations.",
    "Normal score": "The rank of a value in its column, as a quantile of the normal "
    "distribution. Distances between rows are Euclidean distances of normal scores, so "
    "that units and heavy tails do not count.",
    "Copy p-value": "Of a synthetic row: the share of real rows that lie as close to their "
    "nearest neighbour as this row does to a real one, in distance and in its ratio to "
    "the second-nearest [1, 2]. For a fresh row it is at most a with probability at most "
    "a, at any number of rows. The far p-value is the same for rows far from all others.",
    "Precision, recall, density, coverage": "Whether rows of one side lie within the reach "
    "of rows of the other, the distance to their fifth neighbour [3].",
    "Energy distance": "Twice the mean distance between the two sides, less the mean "
    "distances within either; zero only if the distributions are alike [4].",
    "Difference of correlations": "Root of the summed squared differences of the two rank "
    "correlation matrices, over what exchanging rows at random gives.",
    "W1/IQR": "Wasserstein distance of the real and the synthetic values of a feature, the "
    "area between their distribution functions, in interquartile ranges of the real ones.",
    "KS and adjusted p": "Largest vertical gap between these functions, and its p-value "
    "adjusted for the number of features [5].",
    "Information": "Mutual information of a feature and the class, in nats, less what a "
    "random assignment of classes gives. It is of all classes together.",
    "Share of the class left out": "The real rows in regions with less than a quarter of "
    "the synthetic rows they should have [6].",
}

SOURCES = [
    "Bates S, Candès E, Lei L, Romano Y, Sesia M (2023). Testing for outliers with "
    "conformal p-values. Annals of Statistics 51.",
    "Meehan C, Chaudhuri K, Dasgupta S (2020). A non-parametric test to detect "
    "data-copying in generative models. AISTATS.",
    "Naeem MF, Oh SJ, Uh Y, Choi Y, Yoo J (2020). Reliable fidelity and diversity metrics "
    "for generative models. ICML.",
    "Székely GJ, Rizzo ML (2013). Energy statistics: a class of statistics based on "
    "distances. Journal of Statistical Planning and Inference 143.",
    "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. Journal of the "
    "Royal Statistical Society B 57.",
    "Richardson E, Weiss Y (2018). On GANs and GMMs. NeurIPS.",
]
