//! WAV of 16-bit PCM, as libsndfile writes it.

use super::error::Problem;

/// Encodes amplitudes from -1 to 1, those of all channels at one moment
/// together. What is louder is clipped.
///
/// # Errors
/// When rate or channels are 0, the last moment is incomplete, or the file
/// would be longer than its header can say.
pub(super) fn encode(rate_hz: u32, channels: u32, values: &[f64]) -> Result<Vec<u8>, Problem> {
    let channel_count = u16::try_from(channels).ok().filter(|&channels| channels > 0);
    let Some(channel_count) = channel_count.filter(|_| rate_hz > 0) else {
        return Err(Problem::Measures(format!("a sound of {channels} channels at {rate_hz} Hz")));
    };
    if !values.len().is_multiple_of(usize::from(channel_count)) {
        let expected = values.len().next_multiple_of(usize::from(channel_count));
        return Err(Problem::WrongLength { found: values.len() as u64, expected: expected as u64 });
    }
    let data_bytes = u32::try_from(values.len() * 2).ok().filter(|&bytes| bytes < u32::MAX - 36);
    let Some(data_bytes) = data_bytes else {
        return Err(Problem::Measures(format!("a sound of {} values is too long for WAV", values.len())));
    };
    let frame_bytes = channel_count.saturating_mul(2);
    let mut out = Vec::with_capacity(44 + values.len() * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + data_bytes).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&1u16.to_le_bytes());
    out.extend_from_slice(&channel_count.to_le_bytes());
    out.extend_from_slice(&rate_hz.to_le_bytes());
    out.extend_from_slice(&rate_hz.saturating_mul(u32::from(frame_bytes)).to_le_bytes());
    out.extend_from_slice(&frame_bytes.to_le_bytes());
    out.extend_from_slice(&16u16.to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data_bytes.to_le_bytes());
    for value in values {
        // Half to even, as lrint rounds; a value that is no number is silence.
        let sample = (value * 32_767.0).round_ties_even() as i16;
        out.extend_from_slice(&sample.to_le_bytes());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_44_bytes_and_the_samples() {
        let wav = encode(16_000, 1, &[0.0, 1.0, -1.0, 2.0, 9000.0 / 32_768.0, f64::NAN]).unwrap();
        assert_eq!(wav.len(), 44 + 12);
        let samples: Vec<i16> =
            wav[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        assert_eq!(samples, [0, 32_767, -32_767, 32_767, 9000, 0]);
        assert_eq!(wav[28..36], [0x00, 0x7d, 0, 0, 2, 0, 16, 0]);
    }

    #[test]
    fn wrong_measures_are_errors() {
        assert!(encode(0, 1, &[]).is_err());
        assert!(encode(8000, 0, &[]).is_err());
        assert!(matches!(encode(8000, 2, &[0.0; 3]), Err(Problem::WrongLength { found: 3, expected: 4 })));
    }
}
