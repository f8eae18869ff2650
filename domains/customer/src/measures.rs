//! How well a score tells good from bad, and how far two samples of scores are apart.
//!
//! A higher score is meant to be a better client throughout.

/// A score and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// The points.
    pub points: i32,
    /// Whether it ended badly.
    pub bad: bool,
}

/// What a threshold decides, beside what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// Good ones at or above the threshold.
    pub accepted_good: usize,
    /// Bad ones at or above the threshold.
    pub accepted_bad: usize,
    /// Good ones below it.
    pub refused_good: usize,
    /// Bad ones below it.
    pub refused_bad: usize,
}

/// The confusion table of accepting from `threshold` on.
pub fn confusion(scored: &[Scored], threshold: i32) -> Confusion {
    let mut table = Confusion::default();
    for one in scored {
        let cell = match (one.points >= threshold, one.bad) {
            (true, false) => &mut table.accepted_good,
            (true, true) => &mut table.accepted_bad,
            (false, false) => &mut table.refused_good,
            (false, true) => &mut table.refused_bad,
        };
        *cell += 1;
    }
    table
}

/// The area under the ROC curve as the probability that a good one has more points than a bad
/// one, ties for a half (H. B. Mann and D. R. Whitney, On a test of whether one of two random
/// variables is stochastically larger than the other, 1947): every pair is looked at. `None` if
/// there are not both.
pub fn auc_by_pairs(scored: &[Scored]) -> Option<f64> {
    let of = |bad: bool| scored.iter().filter(move |one| one.bad == bad);
    let mut halves = 0u64;
    let mut pairs = 0u64;
    for good in of(false) {
        for bad in of(true) {
            pairs += 1;
            halves += match good.points.cmp(&bad.points) {
                std::cmp::Ordering::Greater => 2,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Less => 0,
            };
        }
    }
    (pairs > 0).then(|| halves as f64 / (2 * pairs) as f64)
}

/// The ROC curve: for each threshold from the highest points down, the share of bad ones and the
/// share of good ones at or below it; from (0, 0) to (1, 1), with the points at which each lies.
pub fn roc(scored: &[Scored]) -> Vec<(f64, f64, i32)> {
    let mut sorted = scored.to_vec();
    sorted.sort_by_key(|one| one.points);
    let bads = sorted.iter().filter(|one| one.bad).count();
    let goods = sorted.len() - bads;
    if bads == 0 || goods == 0 {
        return Vec::new();
    }
    let mut curve = vec![(0.0, 0.0, i32::MIN)];
    let (mut bad, mut good) = (0usize, 0usize);
    for same in sorted.chunk_by(|a, b| a.points == b.points) {
        let more = same.iter().filter(|one| one.bad).count();
        bad += more;
        good += same.len() - more;
        let points = same.first().map_or(0, |one| one.points);
        curve.push((bad as f64 / bads as f64, good as f64 / goods as f64, points));
    }
    curve
}

/// The area under [`roc`] by the trapezoidal rule; the same number as [`auc_by_pairs`].
pub fn auc_by_curve(scored: &[Scored]) -> Option<f64> {
    let curve = roc(scored);
    if curve.is_empty() {
        return None;
    }
    let area = curve.windows(2).map(|pair| match pair {
        [(bad, good, _), (bad_next, good_next, _)] => (good_next - good) * (bad + bad_next) / 2.0,
        _ => 0.0,
    });
    Some(area.sum())
}

/// The Gini coefficient, 2 AUC - 1: 0 by chance, 1 at best.
pub fn gini(auc: f64) -> f64 {
    2.0 * auc - 1.0
}

/// The standard error of an AUC (J. A. Hanley and B. J. McNeil, The meaning and use of the area
/// under a receiver operating characteristic (ROC) curve, Radiology 143, 1982).
pub fn auc_error(auc: f64, bads: usize, goods: usize) -> f64 {
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
    let (bads, goods) = (bads as f64, goods as f64);
    let variance =
        auc * (1.0 - auc) + (bads - 1.0) * (q1 - auc * auc) + (goods - 1.0) * (q2 - auc * auc);
    (variance / (bads * goods)).max(0.0).sqrt()
}

/// The Kolmogorov-Smirnov statistic, the greatest distance between the distributions of the bad
/// and of the good, and the points up to which it is measured. `None` if there are not both.
pub fn kolmogorov_smirnov(scored: &[Scored]) -> Option<(f64, i32)> {
    roc(scored)
        .into_iter()
        .map(|(bad, good, points)| ((bad - good).abs(), points))
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

/// Shares of counts, each with a half added so that none is 0 and its logarithm is finite.
fn shares(counts: &[u64]) -> Vec<f64> {
    let total: f64 = counts.iter().map(|count| *count as f64 + 0.5).sum();
    counts
        .iter()
        .map(|count| (*count as f64 + 0.5) / total)
        .collect()
}

/// The sum of (p - q) ln(p / q) over the cells of two samples. As the divergence of a month from a
/// reference it is the population stability index, as that of the good from the bad the information
/// value of a factor (N. Siddiqi, Credit Risk Scorecards, Wiley, 2006; the divergence itself is H.
/// Jeffreys's). Both slices have the same cells.
pub fn divergence(one: &[u64], other: &[u64]) -> f64 {
    shares(one)
        .iter()
        .zip(shares(other))
        .map(|(p, q)| (p - q) * (p / q).ln())
        .sum()
}

/// The weight of evidence of each cell of a factor, the logarithm of the share of the good over
/// that of the bad (Siddiqi, 2006).
pub fn weights_of_evidence(good: &[u64], bad: &[u64]) -> Vec<f64> {
    shares(good)
        .iter()
        .zip(shares(bad))
        .map(|(p, q)| (p / q).ln())
        .collect()
}

/// What the population stability index is on average if nothing has shifted, for `cells` cells
/// and samples of these sizes (B. Yurdakul and J. Naranjo, Statistical properties of the population
/// stability index, Journal of Risk Model Validation 14(4), 2020).
pub fn expected_psi(cells: usize, one: u64, other: u64) -> f64 {
    (cells as f64 - 1.0) * (1.0 / one as f64 + 1.0 / other as f64)
}
