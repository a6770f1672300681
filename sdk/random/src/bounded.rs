//! Whole numbers in a range from random bits, by the two rejection rules of
//! numpy's `distributions.c`.

/// A generator of random bits; numpy's `bitgen_t`.
pub(crate) trait BitSource {
    /// 32 random bits.
    fn next_u32(&mut self) -> u32;
    /// 64 random bits.
    fn next_u64(&mut self) -> u64;
}

/// A number in 0..=`max` by masked rejection: the low bits of a word, drawn
/// again while above `max`. numpy's `random_interval`, and
/// `buffered_bounded_masked_uint32` and `bounded_masked_uint64`. Nothing is
/// drawn for `max` 0.
#[inline]
pub(crate) fn masked(source: &mut impl BitSource, max: u64) -> u64 {
    if max == 0 {
        return 0;
    }
    if let Ok(max) = u32::try_from(max) {
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = source.next_u32() & mask;
            if value <= max {
                return u64::from(value);
            }
        }
    }
    let mask = u64::MAX >> max.leading_zeros();
    loop {
        let value = source.next_u64() & mask;
        if value <= max {
            return value;
        }
    }
}

/// A number in 0..=`max` by multiplication with rejection (D. Lemire, "Fast
/// random integer generation in an interval", 2019): numpy's
/// `random_bounded_uint64` without masking. Nothing is drawn for `max` 0.
#[inline]
pub(crate) fn multiplied(source: &mut impl BitSource, max: u64) -> u64 {
    const WORD: u64 = u32::MAX as u64;
    match max {
        0 => 0,
        WORD => u64::from(source.next_u32()),
        u64::MAX => source.next_u64(),
        1..WORD => {
            let (max, count) = (max as u32, max as u32 + 1);
            let mut product = u64::from(source.next_u32()) * u64::from(count);
            if (product as u32) < count {
                let threshold = (u32::MAX - max) % count;
                while (product as u32) < threshold {
                    product = u64::from(source.next_u32()) * u64::from(count);
                }
            }
            product >> 32
        }
        _ => {
            let count = max + 1;
            let mut product = u128::from(source.next_u64()) * u128::from(count);
            if (product as u64) < count {
                let threshold = (u64::MAX - max) % count;
                while (product as u64) < threshold {
                    product = u128::from(source.next_u64()) * u128::from(count);
                }
            }
            (product >> 64) as u64
        }
    }
}

/// Fisher–Yates from the last element down, by masked rejection: the shuffle of
/// both numpy generators.
pub(crate) fn shuffle<T>(source: &mut impl BitSource, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, masked(source, last as u64) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twister::Twister;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_within_the_range(seed: u32, max: u64, shift in 0_u32..64) {
            let max = max >> shift;
            let mut twister = Twister::from_word(seed);
            prop_assert!(masked(&mut twister, max) <= max);
            prop_assert!(multiplied(&mut twister, max) <= max);
        }
    }

    #[test]
    fn draws_nothing_for_a_range_of_one() {
        let mut twister = Twister::from_word(3);
        let before = twister.clone();
        assert_eq!((masked(&mut twister, 0), multiplied(&mut twister, 0)), (0, 0));
        assert_eq!(twister, before);
    }
}
