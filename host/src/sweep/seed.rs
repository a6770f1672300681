//! A seed for every point, so that no point's prompts are another's and a
//! prefix cache cannot answer one from the other.

use sha2::{Digest, Sha256};

use super::args::SeedSalt;
use super::bench;
use crate::cli::Compat;

/// The seed of a run, if it is to get one of its own: from the benchmark's
/// name and the run's number, and thus the same for every server and whenever
/// the sweep is repeated.
pub fn point_seed(when: SeedSalt, compat: Compat, words: &[String], bench: &str, run: i64) -> Option<u32> {
    let named = words
        .iter()
        .position(|word| word == "--seed")
        .map(|at| words.get(at + 1))
        .or_else(|| words.iter().find(|word| word.starts_with("--seed=")).map(Some));
    let wanted = match when {
        SeedSalt::Off => false,
        SeedSalt::On => true,
        SeedSalt::Auto => named.is_none() && compat != Compat::V033 && bench::is_inside(words),
    };
    if !wanted {
        return None;
    }
    let base: u32 =
        named.flatten().and_then(|word| word.trim_start_matches("--seed=").parse().ok()).unwrap_or(0);
    let digest = Sha256::digest(format!("{bench}\0{run}").as_bytes());
    let salt = digest.iter().take(4).fold(0_u32, |salt, &byte| salt << 8 | u32::from(byte));
    // Other clients take a seed for a signed number.
    Some(base.wrapping_add(salt) & 0x7fff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_differ_and_repeat() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let plain = words("vbench serve");
        let seed = |bench: &str, run| point_seed(SeedSalt::Auto, Compat::Vbench, &plain, bench, run).unwrap();
        assert_eq!(seed("a", 0), seed("a", 0));
        assert!(seed("a", 0) != seed("a", 1) && seed("a", 0) != seed("b", 0));
        let named = words("vbench serve --seed 5");
        assert_eq!(point_seed(SeedSalt::Auto, Compat::Vbench, &named, "a", 0), None);
        assert_eq!(point_seed(SeedSalt::Auto, Compat::V033, &plain, "a", 0), None);
        assert_eq!(point_seed(SeedSalt::Auto, Compat::Vbench, &words("vllm bench serve"), "a", 0), None);
        assert_eq!(point_seed(SeedSalt::Off, Compat::Vbench, &plain, "a", 0), None);
        let on = |line: &str| point_seed(SeedSalt::On, Compat::V033, &words(line), "a", 0).unwrap();
        assert_eq!(on("x --seed 5"), on("x --seed=5"));
        assert_eq!(on("x --seed 5"), (on("x").wrapping_add(5)) & 0x7fff_ffff);
    }
}
