//! A film as MP4: frames that are JPEGs each, in boxes.
//!
//! The sample entry is `mp4v`, as of the reference client's files, with the
//! object type of JPEG (ISO/IEC 14496-1, table of object type indications),
//! which FFmpeg and what is built on it decode. Its own MPEG-4 Part 2 frames
//! are those of one encoder, and cannot be had byte for byte without it.

use super::error::Problem;
use super::{MAX_BYTES, jpeg};

/// Frames a second.
const RATE_HZ: u32 = 30;
/// Object type indication of JPEG.
const JPEG: u8 = 0x6c;
/// No rotation: the unit matrix in fixed-point.
const UNIT_MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// Encodes `frames` frames of `width * height * 3` bytes of RGB each.
///
/// # Errors
/// When the measures do not fit the bytes, or are none that JPEG can have.
pub(super) fn encode(width: u32, height: u32, frames: u32, rgb: &[u8]) -> Result<Vec<u8>, Problem> {
    let frame_bytes = u64::from(width) * u64::from(height) * 3;
    let expected = frame_bytes.saturating_mul(u64::from(frames));
    if frames == 0 || frame_bytes == 0 {
        return Err(Problem::Measures(format!("a film of {frames} frames of {width} by {height} pixels")));
    }
    if rgb.len() as u64 != expected {
        return Err(Problem::WrongLength { found: rgb.len() as u64, expected });
    }
    let mut out = boxed(b"ftyp", &[b"isom", &512u32.to_be_bytes(), b"isomiso2mp41"]);
    let mut sizes: Vec<u32> = Vec::new();
    let mut data = Vec::new();
    for frame in rgb.chunks_exact(frame_bytes as usize) {
        let jpeg = jpeg::encode(width, height, frame)?;
        sizes.push(jpeg.len() as u32);
        data.extend_from_slice(&jpeg);
        if data.len() as u64 > MAX_BYTES {
            return Err(Problem::TooLarge { found_bytes: data.len() as u64, limit_bytes: MAX_BYTES });
        }
    }
    let first = out.len() as u32 + 8;
    out.extend_from_slice(&boxed(b"mdat", &[&data]));
    out.extend_from_slice(&movie(width, height, &sizes, first));
    Ok(out)
}

fn boxed(kind: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let size = 8 + content.iter().map(|piece| piece.len()).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&(size as u32).to_be_bytes());
    out.extend_from_slice(kind);
    content.iter().for_each(|piece| out.extend_from_slice(piece));
    out
}

/// Whole words, big end first.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn movie(width: u32, height: u32, sizes: &[u32], first: u32) -> Vec<u8> {
    let frames = sizes.len() as u32;
    let matrix = words(&UNIT_MATRIX);
    // Version and flags, made, changed, units a second, length; then rate 1, volume 1.
    let header = boxed(
        b"mvhd",
        &[&words(&[0, 0, 0, RATE_HZ, frames, 0x1_0000]), &[1, 0], &[0; 10], &matrix, &[0; 24], &words(&[2])],
    );
    // Enabled and part of the film; track 1.
    let track = boxed(
        b"tkhd",
        &[&words(&[3, 0, 0, 1, 0, frames]), &[0; 16], &matrix, &words(&[width << 16, height << 16])],
    );
    // No language in particular.
    let media = boxed(b"mdhd", &[&words(&[0, 0, 0, RATE_HZ, frames, 0x55c4_0000])]);
    let handler = boxed(b"hdlr", &[&words(&[0, 0]), b"vide", &[0; 12], b"video\0"]);
    let url = boxed(b"url ", &[&words(&[1])]);
    let information = boxed(
        b"minf",
        &[
            &boxed(b"vmhd", &[&words(&[1, 0, 0])]),
            &boxed(b"dinf", &[&boxed(b"dref", &[&words(&[0, 1]), &url])]),
            &table(width, height, sizes, first),
        ],
    );
    let media = boxed(b"mdia", &[&media, &handler, &information]);
    boxed(b"moov", &[&header, &boxed(b"trak", &[&track, &media])])
}

/// Where the frames are, how long each is shown, and what they are.
fn table(width: u32, height: u32, sizes: &[u32], first: u32) -> Vec<u8> {
    let frames = sizes.len() as u32;
    let side = |length: u32| (length as u16).to_be_bytes();
    // A decoder description inside an elementary stream's.
    let mut description = vec![0x03, 21, 0, 1, 0, 0x04, 13, JPEG, 0x11];
    description.extend_from_slice(&[0; 11]);
    description.extend_from_slice(&[0x06, 1, 2]);
    let entry = boxed(
        b"mp4v",
        &[
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &side(width),
            &side(height),
            // 72 dots an inch both ways.
            &words(&[0x48_0000, 0x48_0000, 0]),
            &1u16.to_be_bytes(),
            &[0; 32],
            // 24 bits of colour, no palette.
            &[0, 24, 0xff, 0xff],
            &boxed(b"esds", &[&words(&[0]), &description]),
        ],
    );
    boxed(
        b"stbl",
        &[
            &boxed(b"stsd", &[&words(&[0, 1]), &entry]),
            &boxed(b"stts", &[&words(&[0, 1, frames, 1])]),
            &boxed(b"stsc", &[&words(&[0, 1, 1, frames, 1])]),
            &boxed(b"stsz", &[&words(&[0, 0, frames]), &words(sizes)]),
            &boxed(b"stco", &[&words(&[0, 1, first])]),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::picture;

    /// Kinds, contents and places of the boxes in some bytes.
    fn boxes(bytes: &[u8]) -> Vec<(String, &[u8], usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let kind = String::from_utf8(bytes[at + 4..at + 8].to_vec()).unwrap();
            found.push((kind, &bytes[at + 8..at + size], at + 8));
            at += size;
        }
        assert_eq!(at, bytes.len());
        found
    }

    fn inside<'a>(bytes: &'a [u8], path: &[&str]) -> &'a [u8] {
        path.iter().fold(bytes, |bytes, kind| {
            boxes(bytes)
                .into_iter()
                .find(|(found, ..)| found == kind)
                .unwrap_or_else(|| panic!("no {kind}"))
                .1
        })
    }

    #[test]
    fn frames_are_where_the_tables_say() {
        let rgb: Vec<u8> = (0..16 * 8 * 3 * 3).map(|n| (n / 384 * 80) as u8).collect();
        let film = encode(16, 8, 3, &rgb).unwrap();
        let kinds: Vec<String> = boxes(&film).into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, ["ftyp", "mdat", "moov"]);
        let table = ["moov", "trak", "mdia", "minf", "stbl"];
        let word =
            |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at * 4..at * 4 + 4].try_into().unwrap());
        let stbl = inside(&film, &table);
        let (sizes, first) = (inside(stbl, &["stsz"]), word(inside(stbl, &["stco"]), 2));
        assert_eq!(word(sizes, 2), 3);
        let mut at = first as usize;
        for frame in 0..3 {
            let size = word(sizes, 3 + frame) as usize;
            let image = picture::decode(&film[at..at + size]).unwrap();
            assert_eq!((image.width, image.height), (16, 8));
            assert!(image.bytes[0].abs_diff(frame as u8 * 80) < 3);
            at += size;
        }
        let entry = &inside(stbl, &["stsd"])[8..];
        let (kind, content, _) = &boxes(entry)[0];
        assert_eq!(kind, "mp4v");
        let esds = inside(&content[78..], &["esds"]);
        assert_eq!(esds[4..].len(), 2 + 21);
        assert_eq!(esds[4 + 7], JPEG);
    }

    #[test]
    fn wrong_measures_are_errors() {
        assert!(matches!(encode(8, 8, 0, &[]), Err(Problem::Measures(_))));
        assert!(matches!(encode(8, 8, 2, &[0; 192]), Err(Problem::WrongLength { .. })));
        assert!(matches!(encode(70_000, 1, 1, &vec![0; 210_000]), Err(Problem::Measures(_))));
    }
}
