//! PCG64, the bit generator of numpy's `default_rng`, and the seeding of it.

use crate::bounded::BitSource;

/// The multiplier of the 128-bit congruential generator (`PCG_DEFAULT_MULTIPLIER_128`).
const MULTIPLIER: u128 = (2_549_297_995_355_413_924 << 64) + 4_865_540_595_714_422_341;

/// PCG XSL RR 128/64 (M. O'Neill, 2014) with numpy's buffer for 32-bit draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pcg64 {
    state: u128,
    increment: u128,
    /// High half of the last 64-bit output taken for a 32-bit draw.
    buffered: Option<u32>,
}

impl Pcg64 {
    /// numpy's `PCG64(seed)`.
    pub(crate) fn new(seed: u64) -> Self {
        let [state_high, state_low, stream_high, stream_low] = seed_sequence(seed);
        let joined = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let increment = joined(stream_high, stream_low) << 1 | 1;
        // `pcg_setseq_128_srandom`: step from zero, add the seed, step.
        let mut pcg = Self { state: increment, increment, buffered: None };
        pcg.state = pcg.state.wrapping_add(joined(state_high, state_low));
        pcg.step();
        pcg
    }

    /// Whether the next 32-bit draw is the half that the last one left.
    pub(crate) fn has_buffered_half(&self) -> bool {
        self.buffered.is_some()
    }

    #[inline]
    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// A double in [0, 1) with 53 random bits.
    #[inline]
    pub(crate) fn double(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

impl BitSource for Pcg64 {
    /// The low half of a 64-bit output, then its high half. The half that is
    /// kept outlives 64-bit draws made in between.
    #[inline]
    fn next_u32(&mut self) -> u32 {
        if let Some(high) = self.buffered.take() {
            return high;
        }
        let both = self.next_u64();
        self.buffered = Some((both >> 32) as u32);
        both as u32
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }
}

/// numpy's `SeedSequence(seed).generate_state(4, uint64)`: a pool of four words
/// in which every bit of the seed reaches every word, hashed into the output.
fn seed_sequence(seed: u64) -> [u64; 4] {
    let mut hash = Hash { constant: 0x43b0_d7e5, multiplier: 0x931e_8875 };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| hash.mix_in(word));
    for source in 0..pool.len() {
        for target in 0..pool.len() {
            if source != target {
                pool[target] = mixed(pool[target], hash.mix_in(pool[source]));
            }
        }
    }
    let mut hash = Hash { constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded };
    std::array::from_fn(|index| {
        let low = u64::from(hash.mix_in(pool[2 * index % 4]));
        u64::from(hash.mix_in(pool[(2 * index + 1) % 4])) << 32 | low
    })
}

/// The running hash of `SeedSequence`.
struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn mix_in(&mut self, word: u32) -> u32 {
        let word = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        let word = word.wrapping_mul(self.constant);
        word ^ word >> 16
    }
}

fn mixed(left: u32, right: u32) -> u32 {
    let word = left.wrapping_mul(0xca01_f9dd).wrapping_sub(right.wrapping_mul(0x4973_f715));
    word ^ word >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(seed: u64) -> Vec<u32> {
        seed_sequence(seed).iter().flat_map(|both| [*both as u32, (both >> 32) as u32]).collect()
    }

    /// Values of numpy 2.4: `SeedSequence(seed).generate_state(8)`.
    #[test]
    fn seed_sequence_agrees_with_numpy() {
        assert_eq!(
            words(0),
            [
                2_968_811_710,
                3_677_149_159,
                745_650_761,
                2_884_920_346,
                2_642_120_001,
                549_907_821,
                574_372_308,
                742_431_198
            ]
        );
        assert_eq!(
            words((1 << 40) + 17),
            [
                864_220_955,
                372_432_906,
                3_145_871_931,
                4_165_738_284,
                592_782_668,
                1_500_477_159,
                2_895_068_534,
                865_787_818
            ]
        );
    }

    #[test]
    fn outputs_agree_with_numpy() {
        let mut pcg = Pcg64::new(0);
        assert_eq!(
            [pcg.next_u64(), pcg.next_u64(), pcg.next_u64()],
            [11_749_869_230_777_074_271, 4_976_686_463_289_251_617, 755_828_109_848_996_024]
        );
    }

    #[test]
    fn the_buffered_half_outlives_64_bit_draws() {
        let mut pcg = Pcg64::new(0);
        let low = pcg.next_u32();
        assert_eq!(pcg.next_u64(), 4_976_686_463_289_251_617);
        let high = pcg.next_u32();
        assert_eq!(u64::from(high) << 32 | u64::from(low), 11_749_869_230_777_074_271);
    }
}
