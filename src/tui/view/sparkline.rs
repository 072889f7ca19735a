//! The last minutes in one row.

/// Bars for the last `columns` values; the highest is the greatest of all that are given, and at
/// least `least`. What is not known is a gap.
pub(super) fn bars(
    values: impl DoubleEndedIterator<Item = Option<f64>> + Clone,
    columns: usize,
    least: f64,
) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = values.clone().flatten().fold(least, f64::max);
    let mut bars: Vec<char> = values
        .rev()
        .take(columns)
        .map(|value| match value {
            None => ' ',
            Some(value) => {
                let reached = |step: &usize| level(*step) <= value / highest;
                let step = (0..BARS.len()).rev().find(reached).unwrap_or(0);
                BARS[step]
            }
        })
        .collect();
    bars.reverse();
    bars.into_iter().collect()
}

/// The share of the highest from which on this bar is drawn.
#[expect(clippy::cast_precision_loss, reason = "there are eight bars")]
fn level(step: usize) -> f64 {
    (step as f64) / 8.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bars_and_the_unknown_is_a_gap() {
        let values = [Some(0.0), None, Some(50.0), Some(100.0)];
        assert_eq!(bars(values.into_iter(), 9, 1.0), "▁ ▅█");
        assert_eq!(bars(values.into_iter(), 2, 1000.0), "▁▁");
    }
}
