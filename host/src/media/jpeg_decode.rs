//! JPEG as libjpeg reads it, to the bit: sequential files with chroma of full or
//! half size, which is what cameras and data sets have.
//!
//! An image of a data set is decoded and encoded again by the reference client,
//! and what it sends depends on how chroma is brought back to full size and on
//! every rounding. The decoder for other formats does both in its own way. Other
//! kinds of JPEG (progressive, CMYK, odd sampling) are left to it.

use super::error::Problem;
use super::jpeg_tables::ZIGZAG;
use super::picture::Rgb;

/// Pixels of an image that is decoded.
const MAX_PIXELS: usize = 1 << 28;

/// A component as the frame has it.
#[derive(Debug, Clone, Copy)]
struct Component {
    id: u8,
    horizontal: usize,
    vertical: usize,
    quantisation: usize,
}

/// Samples of a component, in whole blocks.
struct Plane {
    stride: usize,
    samples: Vec<u8>,
}

/// A Huffman table ready for reading: by length the largest code and where its
/// values begin.
struct Huffman {
    /// The code after the last of each length from 1 to 16, and what is to be
    /// added to a code to get the place of its value.
    lengths: [(u32, i32); 17],
    values: Vec<u8>,
}

/// What the segments before the scan have said.
#[derive(Default)]
struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    restart_interval: usize,
    /// No conversion of colours, by Adobe's segment.
    plain_colours: bool,
}

struct Frame {
    width: usize,
    height: usize,
    components: Vec<Component>,
}

/// Decodes a file; none if it is of a kind that is not read here.
///
/// # Errors
/// When the file is damaged.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<Rgb>, Problem> {
    let damaged = |what: &str| Problem::Decode(format!("damaged JPEG: {what}"));
    let mut tables = Tables::default();
    let mut frame = None;
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        let (marker, content, after) = segment(rest).ok_or_else(|| damaged("it ends within a segment"))?;
        rest = after;
        match marker {
            0xc0 | 0xc1 => {
                let Some(found) = read_frame(content).ok_or_else(|| damaged("wrong frame"))? else {
                    return Ok(None);
                };
                frame = Some(found);
            }
            0xc4 => read_huffman(content, &mut tables).ok_or_else(|| damaged("wrong Huffman table"))?,
            // Progressive, lossless, arithmetic coding.
            0xc2..=0xcf => return Ok(None),
            0xdb => read_quantisation(content, &mut tables).ok_or_else(|| damaged("wrong quantisation"))?,
            0xdd => {
                let &[high, low] = content else { return Err(damaged("wrong restart interval")) };
                tables.restart_interval = usize::from(u16::from_be_bytes([high, low]));
            }
            0xee if content.starts_with(b"Adobe") => {
                tables.plain_colours = content.get(11) == Some(&0);
            }
            0xda => {
                let frame = frame.ok_or_else(|| damaged("a scan without a frame"))?;
                return scan(content, rest, &frame, &tables);
            }
            0xd9 => return Err(damaged("no image in it")),
            _ => {}
        }
    }
}

/// Marker and content of the next segment, and what comes after it.
fn segment(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let start = bytes.iter().position(|&byte| byte != 0xff)?;
    if start == 0 {
        return None;
    }
    let marker = bytes[start];
    let rest = &bytes[start + 1..];
    if marker == 0xd9 || marker == 0x01 || (0xd0..=0xd8).contains(&marker) {
        return Some((marker, &[], rest));
    }
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    Some((marker, rest.get(2..length)?, rest.get(length..)?))
}

/// None for what is no frame; inside, none for one that is not read here.
fn read_frame(content: &[u8]) -> Option<Option<Frame>> {
    let &[precision, h1, h0, w1, w0, count, ref specification @ ..] = content else { return None };
    let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
    if specification.len() != usize::from(count) * 3 || width == 0 {
        return None;
    }
    let components: Vec<Component> = specification
        .chunks_exact(3)
        .map(|part| Component {
            id: part[0],
            horizontal: usize::from(part[1] >> 4),
            vertical: usize::from(part[1] & 15),
            quantisation: usize::from(part[2]),
        })
        .collect();
    let frame = Frame { width: usize::from(width), height: usize::from(height), components };
    let sampling: Vec<(usize, usize)> =
        frame.components.iter().map(|component| (component.horizontal, component.vertical)).collect();
    let is_known = match sampling.as_slice() {
        [_] => true,
        [(1 | 2, 1 | 2), (1, 1), (1, 1)] => frame.components.iter().map(|component| component.id).ne(*b"RGB"),
        _ => false,
    };
    let in_size = frame.width * frame.height <= MAX_PIXELS;
    // A height of 0 is told after the scan.
    Some((is_known && precision == 8 && height > 0 && in_size).then_some(frame))
}

fn read_quantisation(mut content: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((&head, rest)) = content.split_first() {
        let wide = head >> 4 != 0;
        let size = if wide { 128 } else { 64 };
        let values = rest.get(..size)?;
        let mut table = [0; 64];
        for (at, &place) in ZIGZAG.iter().enumerate() {
            table[place] = match wide {
                true => u16::from_be_bytes([values[at * 2], values[at * 2 + 1]]),
                false => u16::from(values[at]),
            };
        }
        *tables.quantisation.get_mut(usize::from(head & 15))? = Some(table);
        content = &rest[size..];
    }
    Some(())
}

fn read_huffman(mut content: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((&head, rest)) = content.split_first() {
        let counts = rest.get(..16)?;
        let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let values = rest.get(16..16 + total)?.to_vec();
        let mut lengths = [(0, 0); 17];
        let (mut code, mut place) = (0u32, 0i32);
        for (length, &count) in (1..).zip(counts) {
            let first = code;
            code += u32::from(count);
            if code > 1 << length {
                return None;
            }
            lengths[length] = (code, place - first as i32);
            place += i32::from(count);
            code <<= 1;
        }
        let class = if head >> 4 == 0 { &mut tables.dc } else { &mut tables.ac };
        *class.get_mut(usize::from(head & 15))? = Some(Huffman { lengths, values });
        content = &rest[16 + total..];
    }
    Some(())
}

/// Bits of a scan, without the zeros that follow bytes of ones.
struct Bits<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match self.bytes {
                [0xff, 0, rest @ ..] => {
                    self.bytes = rest;
                    0xff
                }
                // A marker ends the bits.
                [0xff, ..] | [] => return,
                [byte, rest @ ..] => {
                    self.bytes = rest;
                    *byte
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    fn take(&mut self, length: u32) -> Option<u32> {
        if self.count < length {
            self.fill();
        }
        self.count = self.count.checked_sub(length)?;
        Some((self.held >> self.count) as u32 & ((1u32 << length) - 1))
    }

    fn value(&mut self, huffman: &Huffman) -> Option<u8> {
        let mut code = 0;
        for &(end, offset) in &huffman.lengths[1..] {
            code = code << 1 | self.take(1)?;
            if code < end {
                return huffman.values.get(usize::try_from(code as i32 + offset).ok()?).copied();
            }
        }
        None
    }

    /// A number of this many bits, of which small ones are negative.
    fn number(&mut self, length: u32) -> Option<i32> {
        if length == 0 {
            return Some(0);
        }
        let bits = self.take(length)? as i32;
        Some(if bits < 1 << (length - 1) { bits - (1 << length) + 1 } else { bits })
    }

    /// Goes to behind the next restart marker.
    fn restart(&mut self) -> Option<()> {
        (self.held, self.count) = (0, 0);
        let at =
            self.bytes.windows(2).position(|pair| pair[0] == 0xff && (0xd0..=0xd7).contains(&pair[1]))?;
        self.bytes = &self.bytes[at + 2..];
        Some(())
    }
}

/// A component with the tables of its scan.
struct Coded<'a> {
    component: Component,
    quantisation: &'a [u16; 64],
    dc: &'a Huffman,
    ac: &'a Huffman,
    before: i32,
}

fn scan(head: &[u8], data: &[u8], frame: &Frame, tables: &Tables) -> Result<Option<Rgb>, Problem> {
    let damaged = |what: &str| Problem::Decode(format!("damaged JPEG: {what}"));
    if tables.plain_colours && frame.components.len() == 3 {
        return Ok(None);
    }
    let count = usize::from(head.first().copied().unwrap_or(0));
    if count != frame.components.len() {
        // Components in scans of their own.
        return Ok(None);
    }
    let mut coded = Vec::with_capacity(count);
    for (component, selection) in frame.components.iter().zip(head[1..].chunks_exact(2)) {
        let table = |of: &'_ [Option<Huffman>; 4], number: u8| {
            of.get(usize::from(number)).is_some_and(Option::is_some)
        };
        let (dc, ac) = (selection[1] >> 4, selection[1] & 15);
        let quantisation = tables.quantisation.get(component.quantisation).and_then(Option::as_ref);
        let (Some(quantisation), true, true, true) =
            (quantisation, table(&tables.dc, dc), table(&tables.ac, ac), selection[0] == component.id)
        else {
            return Err(damaged("a table is missing"));
        };
        let (Some(dc), Some(ac)) = (&tables.dc[usize::from(dc)], &tables.ac[usize::from(ac)]) else {
            return Err(damaged("a table is missing"));
        };
        coded.push(Coded { component: *component, quantisation, dc, ac, before: 0 });
    }
    if coded.len() != count {
        return Err(damaged("wrong scan"));
    }
    if let [only] = coded.as_mut_slice() {
        // Alone, a component is never interleaved.
        (only.component.horizontal, only.component.vertical) = (1, 1);
    }
    let (wide, high) = (coded[0].component.horizontal, coded[0].component.vertical);
    let units = (frame.width.div_ceil(8 * wide), frame.height.div_ceil(8 * high));
    let mut planes: Vec<Plane> = coded
        .iter()
        .map(|coded| {
            let stride = units.0 * coded.component.horizontal * 8;
            Plane { stride, samples: vec![0; stride * units.1 * coded.component.vertical * 8] }
        })
        .collect();
    let mut bits = Bits { bytes: data, held: 0, count: 0 };
    let short = || damaged("its data end early, or make no sense");
    for unit in 0..units.0 * units.1 {
        if tables.restart_interval > 0 && unit > 0 && unit.is_multiple_of(tables.restart_interval) {
            bits.restart().ok_or_else(short)?;
            coded.iter_mut().for_each(|coded| coded.before = 0);
        }
        for (coded, plane) in coded.iter_mut().zip(&mut planes) {
            let Component { horizontal, vertical, .. } = coded.component;
            for block in 0..horizontal * vertical {
                let coefficients = coded.block(&mut bits).ok_or_else(short)?;
                let column = unit % units.0 * horizontal + block % horizontal;
                let row = unit / units.0 * vertical + block / horizontal;
                plane.put(row, column, &coefficients);
            }
        }
    }
    Ok(Some(colours(frame, &planes, wide, high)))
}

impl Coded<'_> {
    /// The coefficients of the next block, times their divisors.
    fn block(&mut self, bits: &mut Bits<'_>) -> Option<[i64; 64]> {
        let mut block = [0; 64];
        let size = bits.value(self.dc)?;
        if size > 15 {
            return None;
        }
        self.before = self.before.wrapping_add(bits.number(u32::from(size))?);
        block[0] = i64::from(self.before as i16) * i64::from(self.quantisation[0]);
        let mut at = 1;
        while at < 64 {
            let code = bits.value(self.ac)?;
            let (zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
            if size == 0 {
                if zeros < 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            let place = *ZIGZAG.get(at)?;
            block[place] = i64::from(bits.number(size)?) * i64::from(self.quantisation[place]);
            at += 1;
        }
        Some(block)
    }
}

impl Plane {
    /// Puts a block's samples in their place.
    fn put(&mut self, row: usize, column: usize, coefficients: &[i64; 64]) {
        let samples = inverse(coefficients);
        for (line, values) in samples.chunks_exact(8).enumerate() {
            let start = (row * 8 + line) * self.stride + column * 8;
            self.samples[start..start + 8].copy_from_slice(values);
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.samples[row * self.stride..(row + 1) * self.stride]
    }
}

/// The inverse of the transform in `jpeg`, by the same factors.
fn inverse(coefficients: &[i64; 64]) -> [u8; 64] {
    let mut block = *coefficients;
    for column in 0..8 {
        inverse_pass(&mut block, column, 8, 11);
    }
    for row in 0..8 {
        inverse_pass(&mut block, row * 8, 1, 18);
    }
    block.map(|value| (value + 128).clamp(0, 255) as u8)
}

fn inverse_pass(block: &mut [i64; 64], first: usize, step: usize, bits: u32) {
    let [v0, v1, v2, v3, v4, v5, v6, v7]: [i64; 8] = std::array::from_fn(|at| block[first + at * step]);
    let turned = (v2 + v6) * 4_433;
    let (low, high) = (turned - v6 * 15_137, turned + v2 * 6_270);
    let (sum, difference) = ((v0 + v4) << 13, (v0 - v4) << 13);
    let even = [sum + high, difference + low, difference - low, sum - high];
    let both = (v7 + v3 + v5 + v1) * 9_633;
    let outer = -(v7 + v1) * 7_373;
    let inner = -(v5 + v3) * 20_995;
    let near = both - (v7 + v3) * 16_069;
    let far = both - (v5 + v1) * 3_196;
    let odd = [
        v1 * 12_299 + outer + far,
        v3 * 25_172 + inner + near,
        v5 * 16_819 + inner + far,
        v7 * 2_446 + outer + near,
    ];
    for at in 0..4 {
        let rounded = |value: i64| (value + (1 << (bits - 1))) >> bits;
        block[first + at * step] = rounded(even[at] + odd[at]);
        block[first + (7 - at) * step] = rounded(even[at] - odd[at]);
    }
}

fn colours(frame: &Frame, planes: &[Plane], wide: usize, high: usize) -> Rgb {
    let (width, height) = (frame.width, frame.height);
    let mut bytes = Vec::with_capacity(width * height * 3);
    let (columns, rows) = (width.div_ceil(wide), height.div_ceil(high));
    for row in 0..height {
        let luma = &planes[0].row(row)[..width];
        let [_, blue, red] = planes else {
            bytes.extend(luma.iter().flat_map(|&y| [y; 3]));
            continue;
        };
        let [blue, red] = [blue, red].map(|plane| full_row(plane, columns, rows, row, wide, high));
        for ((&y, &blue), &red) in luma.iter().zip(&blue).zip(&red) {
            let (y, blue, red) = (i32::from(y), i32::from(blue) - 128, i32::from(red) - 128);
            let half = 1 << 15;
            let pixel = [
                y + ((91_881 * red + half) >> 16),
                y + ((-22_554 * blue - 46_802 * red + half) >> 16),
                y + ((116_130 * blue + half) >> 16),
            ];
            bytes.extend(pixel.map(|value| value.clamp(0, 255) as u8));
        }
    }
    Rgb { width: width as u32, height: height as u32, bytes }
}

/// A row of chroma at full width: between samples the nearer counts three times.
/// Roundings alternate, up and down, so that they do not add up.
fn full_row(plane: &Plane, columns: usize, rows: usize, row: usize, wide: usize, high: usize) -> Vec<u8> {
    let near = plane.row(row / high);
    // Too narrow an image has its samples repeated.
    if wide == 2 && columns <= 2 {
        return near[..columns].iter().flat_map(|&value| [value; 2]).collect();
    }
    let sums: Vec<u32> = if high == 2 {
        let other =
            if row.is_multiple_of(2) { (row / 2).saturating_sub(1) } else { (row / 2 + 1).min(rows - 1) };
        let far = plane.row(other);
        (0..columns).map(|at| u32::from(near[at]) * 3 + u32::from(far[at])).collect()
    } else {
        near[..columns].iter().map(|&value| u32::from(value)).collect()
    };
    match (wide, high) {
        (1, 1) => sums.into_iter().map(|sum| sum as u8).collect(),
        (1, _) => {
            let bias = 1 + (row as u32 & 1);
            sums.into_iter().map(|sum| ((sum + bias) >> 2) as u8).collect()
        }
        (_, high) => {
            let (shift, left, right) = if high == 2 { (4, 8, 7) } else { (2, 1, 2) };
            let mut out = Vec::with_capacity(columns * 2);
            for (at, &sum) in sums.iter().enumerate() {
                let before = at.checked_sub(1).map_or(sum, |before| sums[before]);
                let after = sums.get(at + 1).copied().unwrap_or(sum);
                out.push(((sum * 3 + before + left) >> shift) as u8);
                out.push(((sum * 3 + after + right) >> shift) as u8);
            }
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::jpeg;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/../tests/fixtures/data/img/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// Pixels by Pillow 12.
    #[test]
    fn pixels_are_those_of_libjpeg() {
        for (name, width, height, sha256) in [
            ("i1.jpg", 24, 12, "69dc0d5dc63cc9c42b14c2fd6c02eadcd44f32282670a280d24d06a120dff66e"),
            ("i4.jpg", 32, 8, "d4c2bc264d6f26ae31c59dc5a6fdfbce5e1d274777d8e9aa14a964571a61790d"),
        ] {
            let image = decode(&fixture(name)).unwrap().unwrap();
            assert_eq!((image.width, image.height), (width, height));
            let digest: String =
                Sha256::digest(&image.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, sha256, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_encoded_is_much_the_same(width in 1u32..50, height in 1u32..50, seed: u8) {
            let value = |at: usize| (at as u32 / 40 * 3 + u32::from(seed)) as u8 / 2;
            let rgb: Vec<u8> = (0..(width * height * 3) as usize).map(value).collect();
            let image = decode(&jpeg::encode(width, height, &rgb).unwrap()).unwrap().unwrap();
            prop_assert_eq!((image.width, image.height, image.bytes.len()), (width, height, rgb.len()));
            let off: u64 = image.bytes.iter().zip(&rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            prop_assert!(off / (rgb.len() as u64) < 24, "{}", off / rgb.len() as u64);
        }

        #[test]
        fn damage_never_panics(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut: prop::sample::Index,
        ) {
            let mut bytes = fixture("i1.jpg");
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = decode(&bytes);
            let _ = decode(&bytes[..cut.index(bytes.len())]);
        }
    }
}
