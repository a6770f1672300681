//! Rows of a file, a sample each, in the order in which they are asked.

use super::Repeats;
use crate::Result;
use crate::dataset::DatasetContext;
use crate::generators::PythonRandom;
use crate::options::RowChoice;

/// Rows of which every one is asked, given out page by page: shuffled, cut to
/// the number wanted, and repeated where there are too few.
#[derive(Debug)]
pub struct RowPages {
    seed: u64,
    /// Numbers of the rows in the order in which they are asked.
    rows: Vec<u64>,
    /// Samples in all, repeated rows included.
    wanted: usize,
    given: usize,
    random: PythonRandom,
    repeats: Option<Repeats>,
}

/// The rows of some samples that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// Number of the first of these samples.
    pub first: usize,
    /// Their rows.
    pub rows: Vec<u64>,
    /// The samples that were the first to ask these rows.
    pub places: Vec<usize>,
}

impl RowPage {
    /// Whether these rows were asked before.
    pub fn repeats(&self) -> bool {
        self.places.first() != Some(&self.first)
    }
}

impl RowPages {
    /// Gives out `rows`, the numbers of those that may be asked in the file's
    /// order. `seed` is what their order and repeats are drawn with. A number of
    /// samples of 0 and less means all rows.
    pub fn new(cx: &DatasetContext, seed: u64, choice: RowChoice, mut rows: Vec<u64>) -> Self {
        let mut random = PythonRandom::new(seed);
        if !choice.disable_shuffle {
            random.shuffle(&mut rows);
        }
        let wanted = usize::try_from(cx.count).ok().filter(|&count| count > 0).unwrap_or(rows.len());
        rows.truncate(wanted);
        let wanted = if choice.no_oversample { rows.len() } else { wanted };
        Self { seed, rows, wanted, given: 0, random, repeats: None }
    }

    /// The rows of the next samples, at most `max`; none when there are no more.
    pub fn next(&mut self, max: usize) -> Result<Option<RowPage>> {
        let first = self.given;
        let max = max.min(self.wanted - first);
        if max == 0 {
            return Ok(None);
        }
        let places = if first < self.rows.len() {
            (first..self.rows.len().min(first + max)).collect()
        } else {
            let repeats = match &mut self.repeats {
                Some(repeats) => repeats,
                none => none.insert(Repeats::new(self.seed, self.rows.len(), self.wanted)?),
            };
            repeats.draw(max)?
        };
        self.given += places.len();
        let rows = places.iter().map(|&place| self.rows[place]).collect();
        Ok(Some(RowPage { first, rows, places }))
    }

    /// Whether some rows will be asked more than once.
    pub fn repeats_rows(&self) -> bool {
        self.wanted > self.rows.len()
    }

    /// The generator behind the last draw.
    pub fn random(&self) -> &PythonRandom {
        self.repeats.as_ref().map_or(&self.random, Repeats::random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compat;
    use proptest::prelude::*;

    fn context(count: i64) -> DatasetContext {
        DatasetContext {
            name: "rows".into(),
            seed: 0,
            count,
            request_id_prefix: "r-".into(),
            backend: "openai".into(),
            compat: Compat::V0_33,
            grants: Vec::new(),
        }
    }

    fn all(count: i64, rows: u64, choice: RowChoice, sizes: &[usize]) -> (Vec<u64>, RowPages) {
        let mut pages = RowPages::new(&context(count), 5, choice, (0..rows).collect());
        let (mut asked, mut sizes) = (Vec::new(), sizes.iter().cycle());
        while let Some(page) = pages.next(*sizes.next().unwrap()).unwrap() {
            assert_eq!((page.first, page.rows.len()), (asked.len(), page.places.len()));
            asked.extend(page.rows);
        }
        (asked, pages)
    }

    proptest! {
        #[test]
        fn the_size_of_pages_changes_nothing(
            count in -1_i64..40, rows in 1_u64..20, shuffled: bool, sizes in prop::collection::vec(1_usize..9, 1..4),
        ) {
            let choice = RowChoice { disable_shuffle: !shuffled, no_oversample: false };
            let (asked, pages) = all(count, rows, choice, &sizes);
            let (at_once, whole) = all(count, rows, choice, &[1000]);
            prop_assert_eq!(pages.random().state(), whole.random().state());
            prop_assert_eq!(asked.len(), if count > 0 { count as usize } else { rows as usize });
            let mut first: Vec<u64> = asked.iter().copied().take(rows as usize).collect();
            prop_assert_eq!(asked, at_once);
            first.sort_unstable();
            first.dedup();
            prop_assert_eq!(first.len(), whole.rows.len(), "every row comes before one comes again");
        }
    }

    #[test]
    fn rows_are_not_repeated_against_the_users_will() {
        let choice = RowChoice { disable_shuffle: true, no_oversample: true };
        assert_eq!(all(9, 3, choice, &[2]).0, [0, 1, 2]);
        let mut none = RowPages::new(&context(9), 0, RowChoice::default(), Vec::new());
        assert!(none.next(1).unwrap_err().message.contains("nothing to repeat"));
    }
}
