//! JPEG as Pillow writes it by default: baseline, quality 75, 4:2:0, the tables
//! of the standard, and the same bytes.
//!
//! Payloads are to be the reference client's byte for byte, and no encoder in
//! Rust writes those: they differ in the order of segments, the ids of
//! components, and the rounding of chroma. What is computed here is what
//! libjpeg's default path computes: 16-bit fixed-point YCbCr, chroma means with
//! alternating bias, the integer transform of Loeffler, Ligtenberg and
//! Moschytz ("Practical Fast 1-D DCT Algorithms with 11 Multiplications",
//! ICASSP 1989), and division rounded half away from zero.

use super::error::Problem;
use super::jpeg_tables::{
    AC_CHROMINANCE, AC_LUMINANCE, CHROMINANCE, DC_CHROMINANCE, DC_LUMINANCE, Huffman, LUMINANCE, ZIGZAG,
};

/// The quality scale 75 halves the tables of the standard.
const SCALE_PERCENT: u32 = 50;

type Block = [i32; 64];

/// Encodes `width * height * 3` bytes of RGB.
///
/// # Errors
/// When a side is 0 or above 65,535 pixels.
pub(super) fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, Problem> {
    let side = |length: u32| u16::try_from(length).ok().filter(|&length| length > 0);
    let (Some(columns), Some(rows)) = (side(width), side(height)) else {
        return Err(Problem::Measures(format!(
            "an image of {width} by {height} pixels; JPEG takes 1 to 65,535 a side"
        )));
    };
    let (width, height) = (width as usize, height as usize);
    let expected = width * height * 3;
    if rgb.len() != expected {
        return Err(Problem::WrongLength { found: rgb.len() as u64, expected: expected as u64 });
    }
    let tables = [scaled(&LUMINANCE), scaled(&CHROMINANCE)];
    let mut out = Vec::with_capacity(rgb.len() / 4 + 1024);
    head(&mut out, columns, rows, &tables);
    let [luma, blue, red] = planes(width, height, rgb);
    let mut bits = Bits { out, pending: 0, length: 0 };
    let codes = [
        (Codes::of(&DC_LUMINANCE), Codes::of(&AC_LUMINANCE)),
        (Codes::of(&DC_CHROMINANCE), Codes::of(&AC_CHROMINANCE)),
    ];
    let mut before = [0; 3];
    for row in 0..height.div_ceil(16) {
        for column in 0..width.div_ceil(16) {
            for block in luma_blocks(&luma, row, column, &tables[0]) {
                bits.block(&block, &mut before[0], &codes[0]);
            }
            for (plane, before) in [&blue, &red].into_iter().zip(&mut before[1..]) {
                let block = quantised(plane.block(row, column), &tables[1]);
                bits.block(&block, before, &codes[1]);
            }
        }
    }
    let mut out = bits.finish();
    out.extend_from_slice(&[0xff, 0xd9]);
    Ok(out)
}

fn scaled(table: &[u8; 64]) -> [u8; 64] {
    table.map(|value| ((u32::from(value) * SCALE_PERCENT + 50) / 100).clamp(1, 255) as u8)
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[&[u8]]) {
    let length = 2 + content.iter().map(|piece| piece.len()).sum::<usize>();
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&(length as u16).to_be_bytes());
    content.iter().for_each(|piece| out.extend_from_slice(piece));
}

fn head(out: &mut Vec<u8>, columns: u16, rows: u16, tables: &[[u8; 64]; 2]) {
    out.extend_from_slice(&[0xff, 0xd8]);
    // JFIF 1.01, a pixel as wide as it is high, no thumbnail.
    segment(out, 0xe0, &[b"JFIF\0", &[1, 1, 0, 0, 1, 0, 1, 0, 0]]);
    for (number, table) in tables.iter().enumerate() {
        segment(out, 0xdb, &[&[number as u8], &ZIGZAG.map(|place| table[place])]);
    }
    let components = [3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    segment(out, 0xc0, &[&[8], &rows.to_be_bytes(), &columns.to_be_bytes(), &components]);
    for (class, huffman) in
        [(0x00, &DC_LUMINANCE), (0x10, &AC_LUMINANCE), (0x01, &DC_CHROMINANCE), (0x11, &AC_CHROMINANCE)]
    {
        segment(out, 0xc4, &[&[class], &huffman.counts, huffman.values]);
    }
    segment(out, 0xda, &[&[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]]);
}

/// Samples of one component, with room for whole blocks.
struct Plane {
    /// Blocks that hold part of the image.
    blocks_wide: usize,
    blocks_high: usize,
    samples: Vec<u8>,
}

impl Plane {
    /// The block as the transform wants it, around 0.
    fn block(&self, row: usize, column: usize) -> Block {
        let stride = self.blocks_wide * 8;
        std::array::from_fn(|at| {
            let place = (row * 8 + at / 8) * stride + column * 8 + at % 8;
            i32::from(self.samples[place]) - 128
        })
    }
}

/// The four luma blocks of a unit of 16 by 16 pixels. Blocks beyond the image
/// have no content but the mean of the block before.
fn luma_blocks(plane: &Plane, row: usize, column: usize, table: &[u8; 64]) -> [Block; 4] {
    let mut blocks = [[0; 64]; 4];
    for at in 0..4 {
        let (row, column) = (row * 2 + at / 2, column * 2 + at % 2);
        if row < plane.blocks_high && column < plane.blocks_wide {
            blocks[at] = quantised(plane.block(row, column), table);
        } else {
            let copied = if row < plane.blocks_high { at - 1 } else { 1 };
            blocks[at][0] = blocks[copied][0];
        }
    }
    blocks
}

/// Luma, and chroma of half the width and height.
fn planes(width: usize, height: usize, rgb: &[u8]) -> [Plane; 3] {
    let plane = |blocks_wide: usize, blocks_high: usize| Plane {
        blocks_wide,
        blocks_high,
        samples: vec![0; blocks_wide * blocks_high * 64],
    };
    let mut luma = plane(width.div_ceil(8), height.div_ceil(8));
    let mut chroma = [(); 2].map(|()| plane(width.div_ceil(16), height.div_ceil(16)));
    let (luma_stride, stride) = (luma.blocks_wide * 8, chroma[0].blocks_wide * 8);
    // Two rows of chroma at full width; the last pixel goes on to the right.
    let mut full = [(); 2].map(|()| [(); 2].map(|()| vec![0u8; stride * 2]));
    for pair in 0..height.div_ceil(2) {
        for half in 0..2 {
            // A row that is missing is the last one again.
            let row = (pair * 2 + half).min(height - 1);
            let (pixels, _) = rgb[row * width * 3..(row + 1) * width * 3].as_chunks::<3>();
            for (column, &pixel) in pixels.iter().enumerate() {
                let [y, blue, red] = ycc(pixel);
                luma.samples[row * luma_stride + column] = y;
                full[0][half][column] = blue;
                full[1][half][column] = red;
            }
            let last = luma.samples[row * luma_stride + width - 1];
            luma.samples[row * luma_stride + width..(row + 1) * luma_stride].fill(last);
            for rows in &mut full {
                let last = rows[half][width - 1];
                rows[half][width..].fill(last);
            }
        }
        for (plane, rows) in chroma.iter_mut().zip(&full) {
            for column in 0..stride {
                let sum: u32 =
                    rows.iter().flat_map(|row| &row[column * 2..column * 2 + 2]).map(|&v| u32::from(v)).sum();
                let bias = 1 + (column as u32 & 1);
                plane.samples[pair * stride + column] = ((sum + bias) >> 2) as u8;
            }
        }
    }
    fill_down(&mut luma.samples, luma_stride, height);
    for plane in &mut chroma {
        fill_down(&mut plane.samples, stride, height.div_ceil(2));
    }
    let [blue, red] = chroma;
    [luma, blue, red]
}

/// Repeats the last of `rows` rows to the end.
fn fill_down(samples: &mut [u8], stride: usize, rows: usize) {
    let (image, below) = samples.split_at_mut(rows * stride);
    let last = &image[(rows - 1) * stride..];
    below.chunks_exact_mut(stride).for_each(|row| row.copy_from_slice(last));
}

/// Luma, blue and red difference (ITU-R BT.601) by fixed-point factors of 16 bits.
fn ycc([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(i32::from);
    let centre = (128 << 16) + (1 << 15) - 1;
    [
        (19_595 * r + 38_470 * g + 7_471 * b + (1 << 15)) >> 16,
        (-11_059 * r - 21_709 * g + 32_768 * b + centre) >> 16,
        (32_768 * r - 27_439 * g - 5_329 * b + centre) >> 16,
    ]
    .map(|value| value as u8)
}

/// Transforms and quantises, rounding half away from zero.
fn quantised(mut block: Block, table: &[u8; 64]) -> Block {
    transform(&mut block);
    std::array::from_fn(|at| {
        // The transform leaves coefficients eight times too large.
        let divisor = i32::from(table[at]) * 8;
        let size = (block[at].abs() + divisor / 2) / divisor;
        if block[at] < 0 { -size } else { size }
    })
}

/// Bits of the fixed-point factors below.
const FACTOR_BITS: u32 = 13;
/// Bits that the rows' pass keeps for the columns' pass.
const KEPT_BITS: u32 = 2;

/// cosines and their sums, as the paper's figure 1 has them, in 13 bits.
mod factor {
    pub(super) const C0_298: i32 = 2_446;
    pub(super) const C0_390: i32 = 3_196;
    pub(super) const C0_541: i32 = 4_433;
    pub(super) const C0_765: i32 = 6_270;
    pub(super) const C0_899: i32 = 7_373;
    pub(super) const C1_175: i32 = 9_633;
    pub(super) const C1_501: i32 = 12_299;
    pub(super) const C1_847: i32 = 15_137;
    pub(super) const C1_961: i32 = 16_069;
    pub(super) const C2_053: i32 = 16_819;
    pub(super) const C2_562: i32 = 20_995;
    pub(super) const C3_072: i32 = 25_172;
}

fn transform(block: &mut Block) {
    for row in 0..8 {
        pass(block, row * 8, 1, |sum| sum << KEPT_BITS, FACTOR_BITS - KEPT_BITS);
    }
    for column in 0..8 {
        pass(block, column, 8, |sum| rounded(sum, KEPT_BITS), FACTOR_BITS + KEPT_BITS);
    }
}

fn rounded(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

/// One pass over eight values `step` apart. `plain` scales those that no factor
/// multiplied, `bits` is what the others are shifted by.
fn pass(block: &mut Block, first: usize, step: usize, plain: impl Fn(i32) -> i32, bits: u32) {
    let value: [i32; 8] = std::array::from_fn(|at| block[first + at * step]);
    let sum: [i32; 4] = std::array::from_fn(|at| value[at] + value[7 - at]);
    // Differences from the middle outwards.
    let difference: [i32; 4] = std::array::from_fn(|at| value[3 - at] - value[4 + at]);
    let mut put = |at: usize, value: i32| block[first + at * step] = value;

    let (even, odd) = ([sum[0] + sum[3], sum[1] + sum[2]], [sum[1] - sum[2], sum[0] - sum[3]]);
    put(0, plain(even[0] + even[1]));
    put(4, plain(even[0] - even[1]));
    let turned = (odd[0] + odd[1]) * factor::C0_541;
    put(2, rounded(turned + odd[1] * factor::C0_765, bits));
    put(6, rounded(turned - odd[0] * factor::C1_847, bits));

    let [d4, d5, d6, d7] = difference;
    let both = (d4 + d6 + d5 + d7) * factor::C1_175;
    let outer = -(d4 + d7) * factor::C0_899;
    let inner = -(d5 + d6) * factor::C2_562;
    let near = both - (d4 + d6) * factor::C1_961;
    let far = both - (d5 + d7) * factor::C0_390;
    put(7, rounded(d4 * factor::C0_298 + outer + near, bits));
    put(5, rounded(d5 * factor::C2_053 + inner + far, bits));
    put(3, rounded(d6 * factor::C3_072 + inner + near, bits));
    put(1, rounded(d7 * factor::C1_501 + outer + far, bits));
}

/// Codes by what they stand for: the code and its number of bits.
struct Codes([(u16, u8); 256]);

impl Codes {
    fn of(huffman: &Huffman) -> Self {
        let mut codes = [(0, 0); 256];
        let (mut code, mut values) = (0u16, huffman.values.iter());
        for (length, &count) in (1u8..).zip(&huffman.counts) {
            for &value in values.by_ref().take(usize::from(count)) {
                codes[usize::from(value)] = (code, length);
                code = code.wrapping_add(1);
            }
            code <<= 1;
        }
        Self(codes)
    }
}

/// Entropy-coded data in the making.
struct Bits {
    out: Vec<u8>,
    pending: u64,
    length: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, length: u32) {
        self.pending = (self.pending << length) | u64::from(bits);
        self.length += length;
        while self.length >= 8 {
            self.length -= 8;
            let byte = (self.pending >> self.length) as u8;
            self.out.push(byte);
            // A byte of ones would be taken for a marker.
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    fn code(&mut self, codes: &Codes, value: usize) {
        let (code, length) = codes.0[value];
        self.put(u32::from(code), u32::from(length));
    }

    /// The bits of a number whose size the code before has told.
    fn number(&mut self, value: i32, size: u32) {
        let bits = if value < 0 { value - 1 } else { value };
        self.put(bits as u32 & ((1 << size) - 1), size);
    }

    fn block(&mut self, block: &Block, before: &mut i32, (dc, ac): &(Codes, Codes)) {
        let size = |value: i32| 32 - value.unsigned_abs().leading_zeros();
        let step = block[0] - std::mem::replace(before, block[0]);
        self.code(dc, size(step) as usize);
        self.number(step, size(step));
        let mut zeros = 0;
        for &place in &ZIGZAG[1..] {
            let value = block[place];
            if value == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 {
                self.code(ac, 0xf0);
                zeros -= 16;
            }
            self.code(ac, zeros << 4 | size(value) as usize);
            self.number(value, size(value));
            zeros = 0;
        }
        if zeros > 0 {
            self.code(ac, 0);
        }
    }

    /// Fills the last byte with ones.
    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.length % 8) % 8;
        self.put((1 << missing) - 1, missing);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::picture;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    /// Payloads that the reference client sent of these images.
    #[test]
    fn bytes_are_those_of_libjpeg() {
        for (name, sha256) in [
            ("i0.png", "abba376376ed1f05fd87e64be88a9fe7e6e77f03ed8d9648dfa4e7800cdd0c4e"),
            ("i1.jpg", "283e52f0b6d67b1f6ff403f4e5a63cfbcf7e9fdaa5aac6ff5c4299cf00987497"),
            ("i2.png", "3dc1d848886ebff29e5a3b2637cffec76cc30e817c6ff58e6d87a9cb12064593"),
            ("i4.jpg", "126df8bc7b57e8ada050c14cf3ff67c3ae5fc289c2e405351f2297c6513a27b4"),
        ] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/data/img");
            let image = picture::decode(&std::fs::read(format!("{folder}/{name}")).unwrap()).unwrap();
            let jpeg = encode(image.width, image.height, &image.bytes).unwrap();
            let digest: String = Sha256::digest(&jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, sha256, "{name}");
        }
    }

    #[test]
    fn wrong_measures_are_errors() {
        assert!(matches!(encode(0, 1, &[]), Err(Problem::Measures(_))));
        assert!(matches!(encode(1, 65_536, &[0; 196_608]), Err(Problem::Measures(_))));
        assert!(matches!(encode(2, 1, &[0; 3]), Err(Problem::WrongLength { found: 3, expected: 6 })));
    }

    proptest! {
        #[test]
        fn noise_of_any_size_is_a_jpeg(width in 1u32..40, height in 1u32..40, seed: u64) {
            let mut rgb = vec![0; (width * height * 3) as usize];
            vbench_random::NumpyGenerator::new(seed).fill_bytes(&mut rgb);
            let image = picture::decode(&encode(width, height, &rgb).unwrap()).unwrap();
            prop_assert_eq!((image.width, image.height), (width, height));
        }
    }
}
