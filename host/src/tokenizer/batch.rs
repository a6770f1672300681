//! A batch over the cores.

use rayon::prelude::*;

/// Bytes of text below which a batch stays on the calling thread: some tens of
/// microseconds of work, which waking another thread would eat up.
const SMALL_BYTES: usize = 4096;

/// Applies `work` to every item, in order, over all cores unless the items are
/// few and small by `size` (bytes of text, or a like measure).
pub(super) fn map<T, R, E>(
    items: &[T],
    size: impl Fn(&T) -> usize,
    work: impl Fn(&T) -> Result<R, E> + Send + Sync,
) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    let small = items.len() < 2 || items.iter().map(size).sum::<usize>() < SMALL_BYTES;
    if small { items.iter().map(work).collect() } else { items.par_iter().map(work).collect() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_is_kept_and_the_size_does_not_matter() {
        let items: Vec<u32> = (0..1000).collect();
        let expected: Vec<u32> = (1..1001).collect();
        for size in [0, 1 << 20] {
            let mapped: Result<_, ()> = super::map(&items, |_| size, |item| Ok(item + 1));
            assert_eq!(mapped.unwrap(), expected);
        }
        assert!(super::map(&items, |_| 1 << 20, |item| Err::<(), _>(*item)).is_err());
    }
}
