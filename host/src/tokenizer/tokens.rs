//! A batch of token sequences in two flat lists.

use super::Error;

/// Token sequences: sequence `i` is `ids[ends[i-1]..ends[i]]`, with 0 for the
/// end before the first. The same shape as `token-lists` of the plugin contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenLists {
    ids: Vec<u32>,
    ends: Vec<u32>,
}

impl TokenLists {
    /// Sequences from their parts.
    ///
    /// # Errors
    ///
    /// [`Error::TokenLists`] if the ends do not rise, or the last is not the
    /// number of ids.
    pub fn from_parts(ids: Vec<u32>, ends: Vec<u32>) -> Result<Self, Error> {
        if !ends.is_sorted() {
            return Err(Error::TokenLists("the ends do not rise".to_owned()));
        }
        let last = ends.last().copied().unwrap_or(0);
        if usize::try_from(last) != Ok(ids.len()) {
            return Err(Error::TokenLists(format!(
                "the last end is {last}, but there are {} ids",
                ids.len()
            )));
        }
        Ok(Self { ids, ends })
    }

    /// Puts sequences together.
    ///
    /// # Errors
    ///
    /// [`Error::TokenLists`] if they are more than 2³² tokens.
    pub fn from_sequences<S: AsRef<[u32]>>(sequences: &[S]) -> Result<Self, Error> {
        let total = sequences.iter().map(|sequence| sequence.as_ref().len()).sum();
        let mut lists = Self { ids: Vec::with_capacity(total), ends: Vec::with_capacity(sequences.len()) };
        for sequence in sequences {
            lists.ids.extend_from_slice(sequence.as_ref());
            let end = u32::try_from(lists.ids.len())
                .map_err(|_| Error::TokenLists("more tokens than one batch can hold".to_owned()))?;
            lists.ends.push(end);
        }
        Ok(lists)
    }

    /// The ids of all sequences.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Where each sequence ends in [`TokenLists::ids`].
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The ids and ends.
    pub fn into_parts(self) -> (Vec<u32>, Vec<u32>) {
        (self.ids, self.ends)
    }

    /// The sequences in order.
    pub fn sequences(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let end = end as usize;
            let sequence = &self.ids[start..end];
            start = end;
            sequence
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sequences_survive(sequences in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..5), 0..5)) {
            let lists = TokenLists::from_sequences(&sequences).unwrap();
            let back: Vec<Vec<u32>> = lists.sequences().map(<[u32]>::to_vec).collect();
            prop_assert_eq!(back, sequences);
            let (ids, ends) = lists.clone().into_parts();
            prop_assert_eq!(TokenLists::from_parts(ids, ends).unwrap(), lists);
        }
    }

    #[test]
    fn malformed_parts_are_refused() {
        assert!(TokenLists::from_parts(vec![1, 2], vec![2, 1, 2]).is_err());
        assert!(TokenLists::from_parts(vec![1, 2], vec![1]).is_err());
        assert!(TokenLists::from_parts(vec![1, 2], vec![3]).is_err());
        assert!(TokenLists::from_parts(vec![1], vec![]).is_err());
        assert!(TokenLists::from_parts(vec![], vec![]).is_ok());
        assert!(TokenLists::from_parts(vec![], vec![0, 0]).is_ok());
    }
}
