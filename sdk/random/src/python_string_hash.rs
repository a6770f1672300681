//! `hash(text)` of CPython.

use siphasher::sip::SipHasher13;

/// The hash of `str` in CPython 3.11 and later: SipHash-1-3 with a key derived
/// from `PYTHONHASHSEED` (`Python/pyhash.c`, `Python/bootstrap_hash.c`).
#[derive(Debug, Clone)]
pub struct PythonStringHash {
    keyed: SipHasher13,
}

impl PythonStringHash {
    /// The hash under `PYTHONHASHSEED=seed`. 0 is an all-zero key; any other
    /// seed starts the linear congruential generator `lcg_urandom`, whose bytes
    /// are the key.
    pub fn new(seed: u32) -> Self {
        let mut key = [0; 16];
        if seed != 0 {
            let mut state = seed;
            for byte in &mut key {
                state = state.wrapping_mul(214_013).wrapping_add(2_531_011);
                *byte = (state >> 16) as u8;
            }
        }
        Self { keyed: SipHasher13::new_with_key(&key) }
    }

    /// `hash(text)` on a little-endian 64-bit machine. What is hashed is the
    /// memory of the string, which has 1, 2 or 4 bytes a character, as its
    /// widest character needs.
    pub fn hash(&self, text: &str) -> i64 {
        if text.is_empty() {
            return 0;
        }
        let widest = text.chars().max().map_or(0, u32::from);
        let hashed = match widest {
            0..0x80 => self.keyed.hash(text.as_bytes()),
            0x80..0x100 => self.keyed.hash(&text.chars().map(|c| c as u8).collect::<Vec<_>>()),
            0x100..0x1_0000 => {
                self.keyed.hash(&text.chars().flat_map(|c| (c as u16).to_le_bytes()).collect::<Vec<_>>())
            }
            _ => self.keyed.hash(&text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>()),
        } as i64;
        // -1 means an error inside CPython.
        if hashed == -1 { -2 } else { hashed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of CPython 3.11 under `PYTHONHASHSEED=0` and `=7`.
    #[test]
    fn agrees_with_python_for_every_width_of_character() {
        let texts = ["é", "日本", "a😀", "abcdefgh", "1:16"];
        let zero = PythonStringHash::new(0);
        assert_eq!(
            texts.map(|text| zero.hash(text)),
            [
                6_047_309_291_227_476_195,
                6_243_316_497_235_261_705,
                -6_970_120_874_385_731_343,
                4_574_395_652_268_504_554,
                -5_083_744_301_990_941_600
            ]
        );
        let seven = PythonStringHash::new(7);
        assert_eq!(
            texts.map(|text| seven.hash(text)),
            [
                3_889_576_429_266_854_164,
                -2_369_155_586_165_053_365,
                3_793_429_479_373_581_877,
                7_786_118_111_102_688_414,
                -45_481_487_303_698_442
            ]
        );
    }
}
