//! Which samples are asked again when there are too few.

use crate::generators::PythonRandom;
use crate::{Error, Result};

/// Draws of samples that are repeated, by their places among those that were
/// found: `oversample` of the reference client.
#[derive(Debug, Clone)]
pub struct Repeats {
    random: PythonRandom,
    found: usize,
}

impl Repeats {
    /// Repeats some of `found` samples until there are `wanted`. The generator
    /// is seeded anew, whatever was drawn with it before. Fails when there is
    /// nothing to repeat.
    pub fn new(seed: u64, found: usize, wanted: usize) -> Result<Self> {
        if found == 0 {
            return Err(Error::input(format!(
                "no row can be used, so there is nothing to repeat to get {wanted} samples"
            )));
        }
        Ok(Self { random: PythonRandom::new(seed), found })
    }

    /// The places of the next samples.
    pub fn draw(&mut self, count: usize) -> Result<Vec<usize>> {
        let draw = |_| self.random.choice(self.found).map_err(|error| Error::internal(error.to_string()));
        (0..count).map(draw).collect()
    }

    /// The generator behind the last draw.
    pub fn random(&self) -> &PythonRandom {
        &self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_cpython_however_many_are_drawn_at_once() {
        // CPython: random.seed(0); [random.choice(range(3)) for _ in range(3)]
        let mut repeats = Repeats::new(0, 3, 6).unwrap();
        assert_eq!(repeats.draw(3).unwrap(), [1, 1, 0]);
        let mut again = Repeats::new(0, 3, 6).unwrap();
        assert_eq!([again.draw(1).unwrap(), again.draw(2).unwrap()].concat(), [1, 1, 0]);
        assert_eq!(again.random().state(), repeats.random().state());
        assert!(Repeats::new(0, 0, 1).unwrap_err().message.contains("nothing to repeat to get 1"));
    }
}
