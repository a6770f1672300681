//! Sounds: how long they are, and their samples.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::error::Problem;
use super::guarded;

/// The most samples that one sound may decode to.
const MAX_SAMPLES: usize = 1 << 28;

/// How long a sound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    /// Moments at which every channel has a sample.
    pub(super) frames: u64,
    /// Frames a second, above 0.
    pub(super) rate_hz: u32,
    /// Channels, above 0.
    pub(super) channels: u32,
}

/// A sound as amplitudes from -1 to 1, those of a frame together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Samples {
    pub(super) rate_hz: u32,
    pub(super) channels: u32,
    pub(super) values: Vec<f64>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Decode(error.to_string())
    }
}

fn open<'a>(bytes: &'a [u8]) -> Result<Box<dyn FormatReader + 'a>, Problem> {
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    Ok(symphonia::default::get_probe().probe(
        &Hint::new(),
        stream,
        FormatOptions::default(),
        MetadataOptions::default(),
    )?)
}

/// How long the sound is: by its header, else by the packets that it has.
pub(super) fn length(bytes: &[u8]) -> Result<Length, Problem> {
    guarded(|| {
        let mut format = open(bytes)?;
        let no_sound = || Problem::Decode("it has no sound in it".to_owned());
        let track = format.default_track(TrackType::Audio).ok_or_else(no_sound)?;
        let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(no_sound)?;
        let rate_hz = parameters
            .sample_rate
            .filter(|&rate| rate > 0)
            .ok_or_else(|| Problem::Decode("it does not say how many samples a second has".to_owned()))?;
        let channels = parameters.channels.as_ref().map_or(1, |channels| channels.count().max(1));
        let channels = u32::try_from(channels).unwrap_or(u32::MAX);
        let (id, known) = (track.id, track.num_frames);
        // MPEG audio has no length of its own; what a header says is a guess.
        let is_exact = !super::facts::is_mpeg(bytes);
        let frames = match known.filter(|_| is_exact) {
            Some(frames) => frames,
            None => {
                let mut frames = 0u64;
                while let Some(packet) = next_packet(&mut *format)? {
                    if packet.track_id == id {
                        frames = frames.saturating_add(packet.dur.get());
                    }
                }
                frames
            }
        };
        Ok(Length { frames, rate_hz, channels })
    })
}

/// The next packet; none at the end, also where the file is cut off.
fn next_packet(format: &mut dyn FormatReader) -> Result<Option<symphonia::core::packet::Packet>, Problem> {
    match format.next_packet() {
        Ok(packet) => Ok(packet),
        Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All samples of the sound.
pub(super) fn decode(bytes: &[u8]) -> Result<Samples, Problem> {
    let length = length(bytes)?;
    guarded(|| {
        let mut format = open(bytes)?;
        let track = format.default_track(TrackType::Audio);
        let parameters = track.and_then(|track| Some((track.id, track.codec_params.as_ref()?.audio()?)));
        let Some((id, parameters)) = parameters else {
            return Err(Problem::Decode("it has no sound in it".to_owned()));
        };
        let mut decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())?;
        let (mut values, mut piece) = (Vec::new(), Vec::<f64>::new());
        while let Some(packet) = next_packet(&mut *format)? {
            if packet.track_id != id {
                continue;
            }
            decoder.decode(&packet)?.copy_to_vec_interleaved(&mut piece);
            if values.len() + piece.len() > MAX_SAMPLES {
                return Err(Problem::Measures(format!("the sound has more than {MAX_SAMPLES} samples")));
            }
            values.extend_from_slice(&piece);
        }
        Ok(Samples { rate_hz: length.rate_hz, channels: length.channels, values })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::wav;

    #[test]
    fn a_wav_file_is_read_back_as_it_was_written() {
        let values: Vec<f64> = (-400..400).map(|n| f64::from(n * 20) / 32_768.0).collect();
        let bytes = wav::encode(8000, 2, &values).unwrap();
        let samples = decode(&bytes).unwrap();
        assert_eq!((samples.rate_hz, samples.channels, samples.values.len()), (8000, 2, 800));
        assert_eq!(wav::encode(8000, 2, &samples.values).unwrap(), bytes);
        assert_eq!(length(&bytes).unwrap(), Length { frames: 400, rate_hz: 8000, channels: 2 });
    }

    #[test]
    fn what_is_no_sound_is_an_error() {
        assert!(length(b"RIFF\x04\0\0\0WAVE").is_err());
        assert!(decode(b"fLaC\0\0\0\x22hello").is_err());
    }
}
