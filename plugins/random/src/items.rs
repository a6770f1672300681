//! How many images and videos a request has, and which: the draws of the
//! reference client between one prompt and the next.

use serde_json::{Map, Value};
use vbench_plugin::generators::{DrawError, NumpyGenerator};
use vbench_plugin::media::{self, Form, Pixels, Source};
use vbench_plugin::prelude::*;

use crate::buckets::{Bucket, Modality};

/// The largest item that is made, in bytes of its pixels.
const MOST_BYTES: u64 = 256 << 20;

/// Draws the items of requests.
pub(crate) struct Items {
    buckets: Vec<Bucket>,
    limits: Limits,
    least: i64,
    most: i64,
}

/// How many items of each kind a request may have.
#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    image: u64,
    video: u64,
}

impl Limits {
    fn of(&self, modality: Modality) -> u64 {
        match modality {
            Modality::Image => self.image,
            Modality::Video => self.video,
        }
    }

    fn of_mut(&mut self, modality: Modality) -> &mut u64 {
        match modality {
            Modality::Image => &mut self.image,
            Modality::Video => &mut self.video,
        }
    }
}

impl Items {
    /// From the options: `base` items give or take the share `ratio`, no more of
    /// a kind than `limits` says.
    pub(crate) fn new(
        buckets: Vec<Bucket>,
        limits: &Map<String, Value>,
        base: i64,
        ratio: f64,
    ) -> Result<Self> {
        for bucket in &buckets {
            let name = bucket.modality().name();
            if !limits.contains_key(name) {
                return Err(Error::config(format!(
                    "has no limit for {name}, of which there is a bucket in --random-mm-bucket-config"
                ))
                .key("limit_mm_per_prompt"));
            }
            if bucket.probability < 0.0 {
                return Err(Error::config(format!(
                    "the probability of ({}, {}, {}) is below 0",
                    bucket.height, bucket.width, bucket.frames
                ))
                .key("bucket_config"));
            }
            let bytes = u64::from(bucket.height) * u64::from(bucket.width);
            let bytes = bytes.saturating_mul(3).saturating_mul(u64::from(bucket.frames));
            if bytes > MOST_BYTES {
                return Err(Error::config(format!(
                    "an item of ({}, {}, {}) has {bytes} bytes of pixels; at most {MOST_BYTES} are made",
                    bucket.height, bucket.width, bucket.frames
                ))
                .key("bucket_config"));
            }
        }
        let mut buckets = buckets;
        buckets.retain(|bucket| bucket.probability > 0.0);
        if buckets.is_empty() {
            return Err(Error::config("no bucket has a probability above 0").key("bucket_config"));
        }
        normalise(&mut buckets);
        let mut allowed = Limits::default();
        for (name, limit) in limits {
            let modality = match name.as_str() {
                "image" => Modality::Image,
                "video" => Modality::Video,
                "audio" => continue,
                other => {
                    return Err(Error::config(format!("`{other}` is neither image, video nor audio"))
                        .key("limit_mm_per_prompt"));
                }
            };
            let limit = limit.as_u64().ok_or_else(|| {
                Error::config(format!("the limit of {name} is {limit}, which is no number from 0 on"))
                    .key("limit_mm_per_prompt")
            })?;
            if buckets.iter().any(|bucket| bucket.modality() == modality) {
                *allowed.of_mut(modality) = limit;
            }
        }
        let total = i64::try_from(allowed.image.saturating_add(allowed.video)).unwrap_or(i64::MAX);
        let most = ((base as f64 * (1.0 + ratio)).ceil() as i64).min(total);
        let least = ((base as f64 * (1.0 - ratio)).floor() as i64).max(0);
        if least > most {
            return Err(Error::config(format!(
                "asks for at least {least} items a request, but --random-mm-limit-mm-per-prompt allows {total}"
            ))
            .key("base_items_per_request"));
        }
        Ok(Self { buckets, limits: allowed, least, most })
    }

    /// The items of the next request.
    pub(crate) fn draw(&self, generator: &mut NumpyGenerator) -> Result<Vec<Media>> {
        let internal = |error: DrawError| Error::internal(error.to_string());
        let count = generator.integers(self.least, self.most + 1).map_err(internal)?;
        let mut buckets = self.buckets.clone();
        let mut there = Limits::default();
        let mut items = Vec::new();
        while (items.len() as i64) < count {
            let probabilities: Vec<f64> = buckets.iter().map(|bucket| bucket.probability).collect();
            let bucket = buckets[generator.choice_weighted(&probabilities).map_err(internal)?];
            let modality = bucket.modality();
            if there.of(modality) < self.limits.of(modality) {
                *there.of_mut(modality) += 1;
                items.push(noise(&bucket, generator)?);
                continue;
            }
            buckets.retain(|bucket| bucket.modality() != modality);
            if buckets.is_empty() {
                break;
            }
            normalise(&mut buckets);
        }
        Ok(items)
    }
}

/// Makes the probabilities add up to 1, as the reference client does.
fn normalise(buckets: &mut [Bucket]) {
    let total: f64 = buckets.iter().fold(0.0, |sum, bucket| sum + bucket.probability);
    for bucket in buckets {
        bucket.probability /= total;
    }
}

/// An image or a video of random pixels.
fn noise(bucket: &Bucket, generator: &mut NumpyGenerator) -> Result<Media> {
    let &Bucket { height, width, frames, .. } = bucket;
    let count = u64::from(height) * u64::from(width) * u64::from(frames) * 3;
    let mut rgb = vec![0; usize::try_from(count).map_err(|_| Error::internal("too many pixels"))?];
    generator.fill_bytes(&mut rgb);
    let form = match bucket.modality() {
        Modality::Image => Form::Jpeg,
        Modality::Video => {
            // The reference client hands its frames over as blue, green and red.
            rgb.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
            Form::Mp4
        }
    };
    Ok(media::hold(Source::Pixels(Pixels { width, height, frames, rgb }), form)?.media())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vbench_plugin::testing::Host;

    fn bucket(frames: u32, probability: f64) -> Bucket {
        Bucket { height: 4, width: 4, frames, probability }
    }

    fn items(buckets: &[Bucket], limits: Value, base: i64, ratio: f64) -> Result<Items> {
        Items::new(buckets.to_vec(), limits.as_object().unwrap(), base, ratio)
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        let key = |result: Result<Items>| result.err().unwrap().config_key.unwrap();
        let image = [bucket(1, 1.0)];
        assert_eq!(key(items(&image, json!({"video": 1}), 1, 0.0)), "limit_mm_per_prompt");
        assert_eq!(
            key(items(&[bucket(3, 0.0), bucket(1, 1.0)], json!({"image": 1}), 1, 0.0)),
            "limit_mm_per_prompt"
        );
        assert_eq!(key(items(&[bucket(1, -1.0)], json!({"image": 1}), 1, 0.0)), "bucket_config");
        assert_eq!(key(items(&[bucket(1, 0.0)], json!({"image": 1}), 1, 0.0)), "bucket_config");
        assert_eq!(key(items(&image, json!({"image": 1}), 2, 0.0)), "base_items_per_request");
        assert_eq!(key(items(&image, json!({"image": -1}), 1, 0.0)), "limit_mm_per_prompt");
        assert_eq!(key(items(&image, json!({"image": 1, "smell": 1}), 1, 0.0)), "limit_mm_per_prompt");
        // What cannot come up does not count against the limit.
        assert!(items(&[bucket(1, 1.0), bucket(2, 0.0)], json!({"image": 1, "video": 9}), 5, 0.0).is_err());
    }

    #[test]
    fn no_request_has_more_of_a_kind_than_allowed() {
        Host::new().enter(|| {
            let both = [bucket(1, 0.1), bucket(2, 0.9)];
            let items = items(&both, json!({"image": 3, "video": 1}), 4, 0.0).unwrap();
            let mut generator = NumpyGenerator::new(0);
            for _ in 0..20 {
                let drawn = items.draw(&mut generator).unwrap();
                let videos = drawn.iter().filter(|item| item.kind == MediaKind::Video).count();
                assert_eq!((drawn.len(), videos), (4, 1));
            }
        });
    }
}
