//! PNG as Pillow writes it by default: 8-bit RGB, for each line the filter with
//! the least sum of distances from zero, compressed by zlib's level 6 for filtered
//! data. The compressor is a descendant of zlib whose level 7 makes mostly the
//! same choices, so most small images come out with the same bytes, and all with
//! the same pixels.

use flate2::Crc;
use zlib_rs::{DeflateConfig, Method, ReturnCode, Strategy, compress_bound, compress_slice};

use super::error::Problem;

/// Bytes of a pixel.
const PIXEL: usize = 3;
/// Pillow's buffer, and thus the size of a chunk of data.
const CHUNK_BYTES: usize = 65_536;

/// Encodes `width * height * 3` bytes of RGB.
///
/// # Errors
/// When a side is 0, or the compressor fails.
pub(super) fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, Problem> {
    let stride = width as usize * PIXEL;
    if stride == 0 || height == 0 {
        return Err(Problem::Measures(format!("an image of {width} by {height} pixels has nothing in it")));
    }
    let expected = stride * height as usize;
    if rgb.len() != expected {
        return Err(Problem::WrongLength { found: rgb.len() as u64, expected: expected as u64 });
    }
    let lines = filtered(rgb, stride);
    let config = DeflateConfig {
        // Lazy matching, as zlib has it from level 4 on.
        level: 7,
        method: Method::Deflated,
        window_bits: 15,
        mem_level: 9,
        strategy: Strategy::Filtered,
    };
    let mut buffer = vec![0; compress_bound(lines.len())];
    let (data, code) = compress_slice(&mut buffer, &lines, config);
    if code != ReturnCode::Ok {
        return Err(Problem::Measures(format!("the image cannot be compressed ({code:?})")));
    }
    // The head tells the level, which is 6 of zlib's.
    if let Some(flags) = data.get_mut(1) {
        *flags = 0x9c;
    }
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits, RGB, deflate, adaptive filters, not interlaced.
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &header);
    for piece in data.chunks(CHUNK_BYTES.max(width as usize * 4)) {
        chunk(&mut out, b"IDAT", piece);
    }
    chunk(&mut out, b"IEND", &[]);
    Ok(out)
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    out.extend_from_slice(&(content.len() as u32).to_be_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(content);
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(content);
    out.extend_from_slice(&crc.sum().to_be_bytes());
}

/// All lines, each after the number of its filter.
fn filtered(rgb: &[u8], stride: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(rgb.len() + rgb.len() / stride);
    let mut above = vec![0; stride];
    for line in rgb.chunks_exact(stride) {
        let left = |at: usize, of: &[u8]| at.checked_sub(PIXEL).map_or(0, |at| of[at]);
        // In this order; a later one has to be better. Nothing beats a line of zeros.
        let mut best: (u8, Vec<u8>) = (0, line.to_vec());
        let mut least = distance(line);
        for filter in [2u8, 1, 4] {
            if least == 0 {
                break;
            }
            let bytes: Vec<u8> = (0..stride)
                .map(|at| {
                    let expected = match filter {
                        1 => left(at, line),
                        2 => above[at],
                        _ => nearest(left(at, line), above[at], left(at, &above)),
                    };
                    line[at].wrapping_sub(expected)
                })
                .collect();
            let sum = distance(&bytes);
            if sum < least {
                least = sum;
                best = (filter, bytes);
            }
        }
        out.push(best.0);
        out.extend_from_slice(&best.1);
        above.copy_from_slice(line);
    }
    out
}

/// Sum of distances from zero, of bytes taken as signed.
fn distance(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte.min(byte.wrapping_neg()))).sum()
}

/// Paeth's predictor.
fn nearest(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i32::from);
    let (to_left, to_above, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_above && to_left <= to_corner {
        left
    } else if to_above <= to_corner {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::picture;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(width in 1u32..40, height in 1u32..20, seed: u64, flat: bool) {
            let mut generator = vbench_random::NumpyGenerator::new(seed);
            let mut rgb = vec![7; (width * height * 3) as usize];
            if !flat {
                generator.fill_bytes(&mut rgb);
            }
            let png = encode(width, height, &rgb).unwrap();
            let read = picture::decode(&png).unwrap();
            prop_assert_eq!((read.width, read.height, read.bytes), (width, height, rgb));
        }
    }

    #[test]
    fn wrong_measures_are_errors() {
        assert!(matches!(encode(0, 1, &[]), Err(Problem::Measures(_))));
        assert!(matches!(encode(1, 1, &[0; 4]), Err(Problem::WrongLength { found: 4, expected: 3 })));
    }
}
