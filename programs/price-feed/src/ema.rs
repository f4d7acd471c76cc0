//! The moving averages that a real feed carries, near enough for a local one.

/// Time constant in seconds: about an hour's half-life, as Pyth aims for.
const TIME_CONSTANT: i128 = 5_921;

/// `average` after `elapsed` seconds during which `sample` was the price. It always ends between the two.
pub(crate) fn advance(average: i128, sample: i128, elapsed: i64) -> i128 {
    let elapsed = i128::from(elapsed.clamp(0, 1 << 40));
    // So capped the product fits with room to spare; 2^40 seconds are all the time there is.
    average + (sample - average) * elapsed / (elapsed + TIME_CONSTANT)
}

#[cfg(test)]
mod tests {
    use super::advance;

    #[test]
    fn moves_towards_the_sample_and_never_past_it() {
        assert_eq!(advance(100, 200, 0), 100);
        assert_eq!(advance(100, 200, 5_921), 150);
        assert_eq!(advance(200, 100, 5_921), 150);
        assert_eq!(advance(100, 200, -5), 100);
        let (low, high) = (i128::from(i64::MIN), i128::from(i64::MAX));
        let end = advance(low, high, i64::MAX);
        assert!(low < end && end <= high);
        assert!(advance(0, i128::from(u64::MAX), i64::MAX) <= i128::from(u64::MAX));
    }
}
