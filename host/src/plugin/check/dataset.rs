//! What datasets return: samples, and the summary at their end.

use super::{
    Broken, MAX_ITEMS, at_most, header_value, json_of, line, not_negative, optional, sentence, tokens,
};
use crate::plugin::contract::{Attachments, Media, Prompt, Sample, Summary, Turn, Twister};

/// Latest arrival, in seconds from the start of a run: a year.
const MAX_ARRIVAL_S: f64 = 366.0 * 86_400.0;

pub(crate) fn samples(samples: &[Sample], max: u32) -> Result<(), Broken> {
    at_most("samples", samples.len(), max as usize)?;
    samples.iter().enumerate().try_for_each(|(index, sample)| {
        self::sample(sample).map_err(|rule| format!("sample {index} of the batch: {rule}"))
    })
}

fn sample(sample: &Sample) -> Result<(), Broken> {
    if sample.turns.is_empty() {
        return Err("a sample needs at least one turn".into());
    }
    sample.turns.iter().try_for_each(turn)?;
    optional(&sample.id, |id| header_value("the id", id))?;
    optional(&sample.session, |session| header_value("the session", session))?;
    optional(&sample.overrides, |json| json_of("overrides", json, '{'))?;
    if let Some(arrival_s) = sample.arrival_s {
        not_negative("arrival-s", arrival_s)?;
        if arrival_s > MAX_ARRIVAL_S {
            return Err(format!("arrival-s is {arrival_s:e}, more than a year"));
        }
    }
    at_most("tags", sample.tags.len(), MAX_ITEMS)?;
    for (key, value) in &sample.tags {
        line("a tag", key)?;
        line("a tag", value)?;
    }
    Ok(())
}

fn turn(turn: &Turn) -> Result<(), Broken> {
    match &turn.prompt {
        Prompt::Text(_) | Prompt::Texts(_) | Prompt::TokenIds(_) | Prompt::TokenIdLists(_) => {}
        Prompt::Messages(json) => json_of("messages", json, '[')?,
        Prompt::Parts(json) => json_of("parts", json, '[')?,
        Prompt::Object(json) => json_of("object", json, '{')?,
    }
    match &turn.attachments {
        Attachments::None => {}
        Attachments::One(media) => self::media(media)?,
        Attachments::Many(media) => media.iter().try_for_each(self::media)?,
    }
    tokens("prompt-tokens", turn.prompt_tokens)?;
    not_negative("delay-ms", turn.delay_ms)
}

fn media(media: &Media) -> Result<(), Broken> {
    if media.url.is_empty() || media.url.chars().any(char::is_control) {
        return Err("the address of a medium is empty or holds control characters".into());
    }
    optional(&media.format, |format| line("a medium's format", format))?;
    optional(&media.extra, |json| json_of("a medium's extra", json, '{'))
}

pub(crate) fn summary(summary: &Summary) -> Result<(), Broken> {
    optional(&summary.python_random, twister)?;
    optional(&summary.numpy_random, twister)?;
    at_most("skip reasons", summary.skipped.len(), MAX_ITEMS)?;
    summary.skipped.iter().try_for_each(|skip| sentence("a skip reason", &skip.reason))
}

fn twister(twister: &Twister) -> Result<(), Broken> {
    if twister.words.len() != 624 || twister.position > 624 {
        return Err("the state of a Mersenne Twister has 624 words and a position up to 624".into());
    }
    Ok(())
}
