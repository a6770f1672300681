//! Images of any format as RGB.

use std::io::Cursor;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageError, ImageReader, Limits, RgbImage, RgbaImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_png::PngDecoder;

use super::error::Problem;
use super::{guarded, jpeg_decode};

/// Memory that decoding one image may take.
const MAX_DECODE_BYTES: u64 = 1 << 30;
/// The longest side of a PNG, beyond what is sent to any model.
const MAX_PNG_SIDE: usize = 65_535;

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

fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG")
}

/// Another decoder than that of the other formats: the one that comes with those
/// would change what wasmtime is built with.
type Png<'a> = PngDecoder<ZCursor<&'a [u8]>>;

/// A PNG whose head has been read, with its width and height.
fn png(bytes: &[u8]) -> Result<(Png<'_>, u32, u32), Problem> {
    let options = DecoderOptions::default()
        .set_max_width(MAX_PNG_SIDE)
        .set_max_height(MAX_PNG_SIDE)
        .png_set_strip_to_8bit(true)
        .png_set_decode_animated(false);
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| Problem::Decode(format!("{error:?}")))?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    if width as u64 * height as u64 * 4 > MAX_DECODE_BYTES {
        return Err(Problem::Measures(format!("an image of {width} by {height} pixels is too large")));
    }
    Ok((decoder, width as u32, height as u32))
}

/// Width and height in pixels.
pub(super) fn measures(bytes: &[u8]) -> Result<(u32, u32), Problem> {
    guarded(|| {
        if is_png(bytes) {
            let (_, width, height) = png(bytes)?;
            return Ok((width, height));
        }
        Ok(reader(bytes)?.into_dimensions()?)
    })
}

fn decode_png(bytes: &[u8]) -> Result<DynamicImage, Problem> {
    let (mut decoder, width, height) = png(bytes)?;
    let raw = decoder.decode_raw().map_err(|error| Problem::Decode(format!("{error:?}")))?;
    let image = match decoder.colorspace() {
        Some(ColorSpace::Luma) => GrayImage::from_raw(width, height, raw).map(DynamicImage::from),
        Some(ColorSpace::LumaA) => GrayAlphaImage::from_raw(width, height, raw).map(DynamicImage::from),
        Some(ColorSpace::RGB) => RgbImage::from_raw(width, height, raw).map(DynamicImage::from),
        Some(ColorSpace::RGBA) => RgbaImage::from_raw(width, height, raw).map(DynamicImage::from),
        _ => None,
    };
    image.ok_or_else(|| Problem::Decode("its colours are of no known kind".to_owned()))
}

/// The image (the first, if there are several), with what is transparent over
/// white.
pub(super) fn decode(bytes: &[u8]) -> Result<Rgb, Problem> {
    guarded(|| {
        if bytes.starts_with(b"\xff\xd8")
            && let Some(image) = jpeg_decode::decode(bytes)?
        {
            return Ok(image);
        }
        let image = if is_png(bytes) { decode_png(bytes)? } else { reader(bytes)?.decode()? };
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
    use image::ImageFormat;

    fn webp(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::WebP).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparent_pixels_lie_over_white() {
        let raw = vec![10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 255, 128];
        let image = DynamicImage::from(RgbaImage::from_raw(3, 1, raw).unwrap());
        let rgb = decode(&webp(&image)).unwrap();
        assert_eq!((rgb.width, rgb.height), (3, 1));
        assert_eq!(rgb.bytes[..3], [10, 20, 30]);
        assert_eq!(rgb.bytes[3..6], [255, 255, 255]);
        assert_eq!(rgb.bytes[6..], [177, 127, 255]);
        assert_eq!(measures(&webp(&image)).unwrap(), (3, 1));
    }

    #[test]
    fn a_damaged_image_is_an_error() {
        let mut bytes = webp(&DynamicImage::new_rgb8(9, 9));
        bytes.truncate(20);
        assert!(matches!(decode(&bytes), Err(Problem::Decode(_))));
        let png = crate::media::png::encode(9, 9, &[7; 243]).unwrap();
        assert!(decode(&png).is_ok());
        assert!(matches!(decode(&png[..45]), Err(Problem::Decode(_))));
    }
}
