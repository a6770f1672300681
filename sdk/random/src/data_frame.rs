//! `pandas.DataFrame.sample`.

use crate::error::DrawError;
use crate::numpy_random_state::NumpyRandomState;

/// The rows that `DataFrame.sample(n=wanted, replace=replace,
/// random_state=seed)` takes of a frame with `rows` rows, in its order: a fresh
/// legacy generator; the first of a permutation of all, or with replacement
/// `randint(0, rows)` for each.
///
/// # Errors
///
/// Without replacement, more are wanted than there are; with it, there are none.
pub fn data_frame_sample(
    seed: u32,
    rows: usize,
    wanted: usize,
    replace: bool,
) -> Result<Vec<usize>, DrawError> {
    let mut numpy = NumpyRandomState::new(seed);
    if !replace {
        if wanted > rows {
            return Err(DrawError::SampleTooLarge { wanted, available: rows });
        }
        let mut order = numpy.permutation(rows);
        order.truncate(wanted);
        return Ok(order);
    }
    if wanted == 0 {
        return Ok(Vec::new());
    }
    // No collection has more rows than an `isize` counts.
    let drawn = numpy.randint_vec(0, rows as i64, wanted).map_err(|_| DrawError::NothingToChooseFrom)?;
    Ok(drawn.into_iter().map(|row| row as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_there() {
        assert_eq!(
            data_frame_sample(0, 3, 4, false),
            Err(DrawError::SampleTooLarge { wanted: 4, available: 3 })
        );
        assert_eq!(data_frame_sample(0, 0, 1, true), Err(DrawError::NothingToChooseFrom));
        assert_eq!(data_frame_sample(0, 0, 0, true), Ok(vec![]));
        assert_eq!(data_frame_sample(0, 0, 0, false), Ok(vec![]));
    }
}
