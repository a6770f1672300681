//! Images of any format as RGB.

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageReader, Limits};

use super::error::Problem;
use super::guarded;

/// Memory that decoding one image may take.
const MAX_DECODE_BYTES: u64 = 1 << 30;

/// An image of 8-bit red, green and blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rgb {
    pub(super) width: u32,
    pub(super) height: u32,
    /// `width * height * 3` bytes.
    pub(super) bytes: Vec<u8>,
}

impl From<ImageError> for Problem {
    fn from(error: ImageError) -> Self {
        Self::Decode(error.to_string())
    }
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, Problem> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(Problem::Read)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    reader.limits(limits);
    Ok(reader)
}

/// Width and height in pixels.
pub(super) fn measures(bytes: &[u8]) -> Result<(u32, u32), Problem> {
    guarded(|| Ok(reader(bytes)?.into_dimensions()?))
}

/// The image (the first, if there are several), with what is transparent over
/// white.
pub(super) fn decode(bytes: &[u8]) -> Result<Rgb, Problem> {
    guarded(|| {
        let image = reader(bytes)?.decode()?;
        let (width, height) = (image.width(), image.height());
        Ok(Rgb { width, height, bytes: over_white(image) })
    })
}

fn over_white(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    // As Pillow pastes with a mask: rounded division by 255.
    let blend = |value: u8, alpha: u8| {
        let sum = u32::from(value) * u32::from(alpha) + 255 * u32::from(255 - alpha) + 128;
        (((sum >> 8) + sum) >> 8) as u8
    };
    let rgba = image.into_rgba8().into_raw();
    let (pixels, _) = rgba.as_chunks::<4>();
    pixels.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|value| blend(value, a))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbaImage};

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparent_pixels_lie_over_white() {
        let raw = vec![10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 255, 128];
        let image = DynamicImage::from(RgbaImage::from_raw(3, 1, raw).unwrap());
        let rgb = decode(&png(&image)).unwrap();
        assert_eq!((rgb.width, rgb.height), (3, 1));
        assert_eq!(rgb.bytes, [10, 20, 30, 255, 255, 255, 177, 127, 255]);
        assert_eq!(measures(&png(&image)).unwrap(), (3, 1));
    }

    #[test]
    fn a_damaged_image_is_an_error() {
        let mut bytes = png(&DynamicImage::new_rgb8(9, 9));
        bytes.truncate(50);
        assert!(matches!(decode(&bytes), Err(Problem::Decode(_))));
    }
}
