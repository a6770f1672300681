//! Bodies that come compressed although nobody asked for it.
//!
//! Some gateways compress whatever passes. The reference client reads such
//! answers, so they are read here; a stamp still belongs to the read that
//! brought the compressed bytes.

use std::io::{self, Write};

use flate2::write::{MultiGzDecoder, ZlibDecoder};

/// A content coding that can be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCoding {
    /// `gzip`, also called `x-gzip`.
    Gzip,
    /// `deflate`, which is zlib's format.
    Deflate,
}

impl ContentCoding {
    /// The coding that a `content-encoding` header names.
    pub fn named(value: &str) -> Option<Self> {
        match value.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// Takes the coding off one body.
#[derive(Debug)]
pub(super) enum Inflate {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Inflate {
    pub(super) fn new(coding: ContentCoding) -> Self {
        match coding {
            ContentCoding::Gzip => Self::Gzip(MultiGzDecoder::new(Vec::new())),
            ContentCoding::Deflate => Self::Deflate(ZlibDecoder::new(Vec::new())),
        }
    }

    /// Appends what `compressed` comes to, as far as it can be told yet.
    pub(super) fn feed(&mut self, compressed: &[u8], body: &mut Vec<u8>) -> io::Result<()> {
        let plain = match self {
            Self::Gzip(decoder) => {
                decoder.write_all(compressed)?;
                decoder.flush()?;
                decoder.get_mut()
            }
            Self::Deflate(decoder) => {
                decoder.write_all(compressed)?;
                decoder.flush()?;
                decoder.get_mut()
            }
        };
        body.append(plain);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    fn through(coding: ContentCoding, compressed: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut inflate = Inflate::new(coding);
        let mut body = Vec::new();
        for bytes in compressed.chunks(piece) {
            inflate.feed(bytes, &mut body)?;
        }
        Ok(body)
    }

    #[test]
    fn both_codings_come_off_in_pieces_of_any_size() {
        let text = b"data: {\"choices\": []}\n\n".repeat(200);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        for piece in [1, 7, 1000] {
            assert_eq!(through(ContentCoding::Gzip, &gzip, piece).unwrap(), text);
            assert_eq!(through(ContentCoding::Deflate, &zlib, piece).unwrap(), text);
        }
        assert!(through(ContentCoding::Gzip, b"this is no gzip at all", 5).is_err());
        assert_eq!(ContentCoding::named(" GZIP "), Some(ContentCoding::Gzip));
        assert_eq!(ContentCoding::named("br"), None);
    }
}
