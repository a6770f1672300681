//! Making random prompts as long on the server as they are here.
//!
//! Texts made of random tokens may come out longer under the server's
//! tokenizer. The reference client asks the server about the first prompt and,
//! if the counts differ, cuts every prompt that is too long.

use super::control::{Control, Tokenized};
use crate::plugin::contract::{Prompt, Sample};

/// Aligns the prompts of `samples` with the server's tokenizer; gives the lines
/// to tell the user.
pub fn align(control: &Control, model: &str, samples: &mut [Sample]) -> Vec<String> {
    let mut notes = Vec::new();
    let Some((first, expected)) = samples.first().and_then(text_and_length) else { return notes };
    match control.tokenize(model, std::slice::from_ref(first)).pop() {
        Some(Tokenized::Tokens(tokens)) if tokens.len() as u64 == expected => return notes,
        Some(Tokenized::Tokens(tokens)) => notes.push(format!(
            "WARNING: tokenizer mismatch (server={}, expected={expected}), re-aligning prompts.",
            tokens.len()
        )),
        Some(Tokenized::Unreachable(reason)) => {
            notes.push(format!("WARNING: server /tokenize unreachable ({reason}), skipping alignment."));
            return notes;
        }
        Some(Tokenized::Unavailable(status)) => {
            let status = match status {
                404 => format!(
                    "404 Not Found: either this server has no /tokenize route, or it does not serve a model \
                     named `{model}` (its served names are listed by GET /v1/models)"
                ),
                status => format!("HTTP {status}"),
            };
            notes.push(format!("WARNING: /tokenize unavailable ({status}), skipping alignment."));
            return notes;
        }
        Some(Tokenized::Unusable(reason)) => {
            notes.push(format!("WARNING: /tokenize probe failed ({reason}), skipping alignment."));
            return notes;
        }
        None => return notes,
    }
    let texts: Vec<(usize, String, u64)> = samples
        .iter()
        .enumerate()
        .filter_map(|(at, sample)| text_and_length(sample).map(|(text, length)| (at, text.clone(), length)))
        .collect();
    let prompts: Vec<String> = texts.iter().map(|(_, text, _)| text.clone()).collect();
    let mut places = Vec::new();
    let mut cut = Vec::new();
    for ((at, _, length), answer) in texts.iter().zip(control.tokenize(model, &prompts)) {
        if let Tokenized::Tokens(mut tokens) = answer
            && tokens.len() as u64 > *length
        {
            tokens.truncate(*length as usize);
            places.push(*at);
            cut.push(tokens);
        }
    }
    for (at, text) in places.into_iter().zip(control.detokenize(model, &cut)) {
        if let (Some(text), Some(turn)) = (text, samples[at].turns.first_mut()) {
            turn.prompt = Prompt::Text(text);
        }
    }
    notes
}

fn text_and_length(sample: &Sample) -> Option<(&String, u64)> {
    let turn = sample.turns.first()?;
    match &turn.prompt {
        Prompt::Text(text) => Some((text, turn.prompt_tokens)),
        _ => None,
    }
}
