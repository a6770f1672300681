//! A stream of prompts of random tokens, whose lengths and places in the
//! vocabulary are drawn.

use std::collections::BTreeSet;

use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{Fitted, Fitter, Substreams, Window};
use vbench_plugin::tokenizer::Info;
use vbench_plugin::{log, tokenizer};

use crate::lengths::{Bounds, DrawnVector};

/// The tokenizer that prompts are made with; `name` is the dataset's.
pub(crate) fn tokenizer_for(name: &str) -> Result<Info> {
    tokenizer::describe().ok_or_else(|| {
        Error::config(format!("dataset {name} makes prompts of tokens, which needs a tokenizer"))
    })
}

/// The tokens that prompts are made of.
pub(crate) struct Tokens {
    /// Ids that begin or continue a prompt, ascending, without special ones.
    allowed: Vec<u32>,
    vocab_size: u32,
}

impl Tokens {
    pub(crate) fn of(info: &Info) -> Result<Self> {
        Self::without(info, &info.special_ids)
    }

    /// All tokens but these.
    pub(crate) fn without(info: &Info, specials: &[u32]) -> Result<Self> {
        let specials: BTreeSet<u32> = specials.iter().copied().collect();
        let allowed: Vec<u32> = (0..info.vocab_size).filter(|id| !specials.contains(id)).collect();
        if allowed.is_empty() {
            return Err(Error::config(format!(
                "tokenizer {} has no tokens but special ones, so no prompts can be made of it",
                info.name
            )));
        }
        Ok(Self { allowed, vocab_size: info.vocab_size })
    }

    /// Bounds of where in the vocabulary a prompt begins.
    pub(crate) fn offsets(&self) -> Bounds {
        Bounds { low: 0, high: i64::from(self.vocab_size) - 1 }
    }

    /// Appends `count` tokens from place `first` on, starting over at the end.
    fn extend_round(&self, ids: &mut Vec<u32>, first: usize, count: usize) {
        ids.reserve(count);
        let (mut first, mut left) = (first, count);
        while left > 0 {
            let run = left.min(self.allowed.len() - first);
            ids.extend_from_slice(&self.allowed[first..first + run]);
            left -= run;
            first = 0;
        }
    }
}

/// A prompt and its length, special tokens not counted.
pub(crate) struct MadePrompt {
    pub(crate) text: String,
    pub(crate) tokens: u64,
}

/// Prompts in order. All draws come from one generator, whose state is what the
/// draws of the lengths left.
pub(crate) struct Prompts {
    generator: NumpyGenerator,
    /// Where prompts draw from instead, once they draw apart from each other.
    substreams: Option<Substreams>,
    tokens: Tokens,
    fitter: Fitter,
    input_lens: DrawnVector,
    offsets: DrawnVector,
    prefix: Vec<u32>,
    /// Tokens that the prefix was to have, and every prompt has on top.
    prefix_len: usize,
    /// Place in the dataset of the next prompt to begin, which moves it in the
    /// vocabulary, and of the first that is not wanted any more.
    begin: u64,
    end: u64,
    mismatch: i64,
}

impl Prompts {
    /// `wanted` prompts with these lengths and offsets.
    pub(crate) fn new(
        generator: NumpyGenerator,
        tokens: Tokens,
        input_lens: DrawnVector,
        offsets: DrawnVector,
        wanted: u64,
    ) -> Self {
        let fitter = Fitter::new(tokens.vocab_size, Window::default());
        Self {
            generator,
            substreams: None,
            tokens,
            fitter,
            input_lens,
            offsets,
            prefix: Vec::new(),
            prefix_len: 0,
            begin: 0,
            end: wanted,
            mismatch: 0,
        }
    }

    /// Draws `length` tokens that all prompts begin with.
    pub(crate) fn draw_prefix(&mut self, length: usize) -> Result<()> {
        if length == 0 {
            return Ok(());
        }
        let allowed = &self.tokens.allowed;
        let drawn = self
            .generator
            .integers_vec(0, allowed.len() as i64, length)
            .map_err(|error| Error::internal(error.to_string()))?;
        let ids = drawn.into_iter().map(|place| allowed[place as usize]).collect();
        let fitted = self.fitter.fit_one(ids, length, &mut self.generator)?;
        warn_of_mismatch("the tokens of the prefix", fitted.mismatch());
        self.prefix = fitted.ids;
        self.prefix_len = length;
        Ok(())
    }

    /// From now on every prompt draws from a stream of its own.
    pub(crate) fn draw_apart(&mut self, seed: u64) {
        self.substreams = Some(Substreams::new(seed));
    }

    /// Makes one prompt of `length` tokens that comes before all others and has
    /// no prefix. The others move up a place.
    pub(crate) fn make_first(&mut self, length: usize, offset: i64) -> Result<MadePrompt> {
        let mut ids = Vec::new();
        self.tokens.extend_round(&mut ids, self.first_token(offset, self.begin), length);
        let fitted = self.fitter.fit_one(ids, length, &mut self.generator)?;
        self.begin += 1;
        self.end += 1;
        Ok(self.take(fitted))
    }

    /// The next prompt; none when there are no more.
    pub(crate) fn next(&mut self) -> Result<Option<MadePrompt>> {
        let fitted = loop {
            if let Some(fitted) = self.fitter.pop() {
                break fitted;
            }
            self.begin_prompts()?;
            if self.fitter.is_empty() {
                return Ok(None);
            }
            match &mut self.substreams {
                Some(substreams) => self.fitter.advance(substreams)?,
                None => self.fitter.advance(&mut self.generator)?,
            }
        };
        Ok(Some(self.take(fitted)))
    }

    /// The next prompt, made before any other is begun, and the generator as it
    /// leaves it, for what is drawn between prompts; none when there are no more.
    pub(crate) fn next_alone(&mut self) -> Result<Option<(MadePrompt, &mut NumpyGenerator)>> {
        if self.begin >= self.end {
            return Ok(None);
        }
        let input_len = self.input_lens.next()? as usize;
        let offset = self.offsets.next()?;
        let first = self.first_token(offset, self.begin);
        self.begin += 1;
        let mut ids = self.prefix.clone();
        self.tokens.extend_round(&mut ids, first, input_len);
        let fitted = self.fitter.fit_one(ids, self.prefix_len + input_len, &mut self.generator)?;
        let made = self.take(fitted);
        Ok(Some((made, &mut self.generator)))
    }

    /// Says how many tokens of the prompts given out were too many or too few.
    pub(crate) fn warn_of_mismatch(&self) {
        warn_of_mismatch("the tokens of all prompts", self.mismatch);
    }

    fn take(&mut self, fitted: Fitted) -> MadePrompt {
        self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
        let Fitted { text, ids, .. } = fitted;
        let tokens = ids.len() as u64;
        self.fitter.recycle(ids);
        MadePrompt { text, tokens }
    }

    /// Puts prompts on their way as long as there is room.
    fn begin_prompts(&mut self) -> Result<()> {
        // What a prompt adds is known only when it is drawn; the bounds are not
        // much above it.
        let most = self.prefix_len.saturating_add(self.input_lens.most());
        while self.begin < self.end && self.fitter.has_room(most) {
            let input_len = self.input_lens.next()? as usize;
            let offset = self.offsets.next()?;
            let first = self.first_token(offset, self.begin);
            let (prefix, tokens) = (&self.prefix, &self.tokens);
            self.fitter.push(self.prefix_len + input_len, |ids| {
                ids.extend_from_slice(prefix);
                tokens.extend_round(ids, first, input_len);
            });
            self.begin += 1;
        }
        Ok(())
    }

    /// Where in the allowed tokens the prompt at this place begins.
    fn first_token(&self, offset: i64, place: u64) -> usize {
        ((offset as u64).wrapping_add(place) % self.tokens.allowed.len() as u64) as usize
    }
}

/// Says that `what` has more tokens than asked for, or fewer.
pub(crate) fn warn_of_mismatch(what: &str, mismatch: i64) {
    if mismatch != 0 {
        let sign = if mismatch > 0 { "more" } else { "fewer" };
        log::warn(format!(
            "{what} are {} {sign} than asked for: decoding and encoding random tokens does not always give the number wanted",
            mismatch.unsigned_abs()
        ));
    }
}
