//! The host's side of what plugins of this version import.

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, Resource};

use super::bindings::imported::{log, media, results, table, tokenizer, types};
use crate::plugin::contract::{Cause, ContractError, MediaKind};
use crate::plugin::sandbox::Sandbox;
use crate::plugin::services::{
    Chat, LogLevel, MediaForm, MediaSource, Medium, RunView, TableFormat, TableRows, TokenLists,
    TokenizerService,
};

/// Rows read before it is looked at how long they are.
const READ_STRETCH: usize = 256;

/// Rows that a plugin has open.
pub struct OpenRows(Arc<dyn TableRows>);

/// A run that a criterion looks at.
pub struct FinishedRun(pub(super) Arc<dyn RunView>);

/// Links all interfaces of the contract. Which of them a component may import
/// was checked when it was read.
pub(super) fn add_contract(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    log::add_to_linker::<_, HasSelf<Sandbox>>(linker, |sandbox| sandbox)?;
    tokenizer::add_to_linker::<_, HasSelf<Sandbox>>(linker, |sandbox| sandbox)?;
    table::add_to_linker::<_, HasSelf<Sandbox>>(linker, |sandbox| sandbox)?;
    media::add_to_linker::<_, HasSelf<Sandbox>>(linker, |sandbox| sandbox)?;
    results::add_to_linker::<_, HasSelf<Sandbox>>(linker, |sandbox| sandbox)
}

impl types::Host for Sandbox {}

impl log::Host for Sandbox {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
        };
        self.log(level, &message);
        Ok(())
    }
}

/// Answer of a service function: a trap, or what the contract says.
type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

/// Bytes that a list item counts beside its content: a text's place and length.
const ITEM_BYTES: u64 = 8;

/// What an argument or an answer of the tokenizer holds.
trait Batch {
    /// Its size, as it is in a plugin's memory.
    fn bytes(&self) -> u64;
}

impl Batch for Vec<String> {
    fn bytes(&self) -> u64 {
        self.iter().map(|text| text.len() as u64 + ITEM_BYTES).sum()
    }
}

impl Batch for Vec<u32> {
    fn bytes(&self) -> u64 {
        4 * self.len() as u64
    }
}

impl Batch for tokenizer::TokenLists {
    fn bytes(&self) -> u64 {
        4 * (self.ids.len() as u64 + self.ends.len() as u64)
    }
}

impl Batch for tokenizer::Round {
    fn bytes(&self) -> u64 {
        self.texts.bytes() + self.tokens.bytes()
    }
}

impl Batch for Vec<tokenizer::Chat> {
    fn bytes(&self) -> u64 {
        let bytes = |chat: &tokenizer::Chat| {
            (chat.messages.len() + chat.tools.as_ref().map_or(0, String::len)) as u64 + 2 * ITEM_BYTES
        };
        self.iter().map(bytes).sum()
    }
}

/// Runs `ask` on the run's tokenizer, off the plugin's time, for a batch of `bytes`.
/// A trap if that is more than it takes, or if the answer does not fit into the
/// plugin's memory.
fn with_tokenizer<T: Batch>(
    sandbox: &mut Sandbox,
    bytes: u64,
    ask: impl FnOnce(&dyn TokenizerService) -> Result<T, ContractError>,
) -> Answer<T> {
    if !sandbox.limiter.takes_batch(bytes) {
        wasmtime::bail!("the batch is larger than the tokenizer takes");
    }
    let answer: Result<T, types::Error> = sandbox
        .serve(|services| match &services.tokenizer {
            Some(tokenizer) => ask(tokenizer.as_ref()),
            None => Err(ContractError::new(
                Cause::Config,
                "this dataset needs a tokenizer, and the run has none (`--skip-tokenizer-init`)",
            )),
        })
        .map_err(Into::into);
    if let Ok(answer) = &answer
        && !sandbox.limiter.has_room(answer.bytes())
    {
        wasmtime::bail!("the tokenizer's answer does not fit into memory");
    }
    Ok(answer)
}

fn token_lists(lists: tokenizer::TokenLists) -> Result<TokenLists, ContractError> {
    let tokenizer::TokenLists { ids, ends } = lists;
    if ends.is_sorted() && ends.last().copied().unwrap_or(0) as usize == ids.len() {
        Ok(TokenLists { ids, ends })
    } else {
        Err(ContractError::new(
            Cause::Internal,
            "the ends of token lists have to ascend to the number of ids",
        ))
    }
}

fn given_back(lists: TokenLists) -> tokenizer::TokenLists {
    tokenizer::TokenLists { ids: lists.ids, ends: lists.ends }
}

impl tokenizer::Host for Sandbox {
    fn describe(&mut self) -> wasmtime::Result<Option<tokenizer::Info>> {
        Ok(self.serve(|services| services.tokenizer.as_ref().map(|tokenizer| tokenizer.describe())).map(
            |info| tokenizer::Info {
                name: info.name,
                vocab_size: info.vocab_size,
                full_vocab_size: info.full_vocab_size,
                special_ids: info.special_ids,
                added_special_ids: info.added_special_ids,
                specials_per_sequence: info.specials_per_sequence,
                has_chat_template: info.has_chat_template,
            },
        ))
    }

    fn vocabulary_ids(&mut self) -> Answer<Vec<u32>> {
        with_tokenizer(self, 0, |tokenizer| tokenizer.vocabulary_ids())
    }

    fn count(&mut self, texts: Vec<String>, add_special_tokens: bool) -> Answer<Vec<u32>> {
        with_tokenizer(self, texts.bytes(), |tokenizer| tokenizer.count(&texts, add_special_tokens))
    }

    fn encode(&mut self, texts: Vec<String>, add_special_tokens: bool) -> Answer<tokenizer::TokenLists> {
        with_tokenizer(self, texts.bytes(), |tokenizer| {
            tokenizer.encode(&texts, add_special_tokens).map(given_back)
        })
    }

    fn decode(&mut self, tokens: tokenizer::TokenLists, skip_special_tokens: bool) -> Answer<Vec<String>> {
        with_tokenizer(self, tokens.bytes(), |tokenizer| {
            tokenizer.decode(&token_lists(tokens)?, skip_special_tokens)
        })
    }

    fn round_trip(&mut self, tokens: tokenizer::TokenLists) -> Answer<tokenizer::Round> {
        with_tokenizer(self, tokens.bytes(), |tokenizer| {
            let round = tokenizer.round_trip(&token_lists(tokens)?)?;
            Ok(tokenizer::Round { texts: round.texts, tokens: given_back(round.tokens) })
        })
    }

    fn render_chat(
        &mut self,
        chats: Vec<tokenizer::Chat>,
        add_generation_prompt: bool,
        template_options: Option<String>,
    ) -> Answer<Vec<String>> {
        let bytes = chats.bytes() + template_options.as_ref().map_or(0, |options| options.len() as u64);
        let chats: Vec<_> =
            chats.into_iter().map(|chat| Chat { messages: chat.messages, tools: chat.tools }).collect();
        with_tokenizer(self, bytes, |tokenizer| {
            tokenizer.render_chat(&chats, add_generation_prompt, template_options.as_deref())
        })
    }
}

impl Sandbox {
    /// The rows behind a handle; a trap if the handle is not one.
    fn rows(&self, rows: &Resource<OpenRows>) -> wasmtime::Result<Arc<dyn TableRows>> {
        Ok(self.table.get(rows)?.0.clone())
    }

    fn run(&self, run: &Resource<FinishedRun>) -> wasmtime::Result<Arc<dyn RunView>> {
        Ok(self.table.get(run)?.0.clone())
    }
}

impl table::Host for Sandbox {}

impl table::HostRows for Sandbox {
    fn open(
        &mut self,
        config_key: String,
        member: Option<String>,
        format: table::Format,
    ) -> Answer<Resource<OpenRows>> {
        let format = match format {
            table::Format::Auto => TableFormat::Auto,
            table::Format::Json => TableFormat::Json,
            table::Format::Jsonl => TableFormat::Jsonl,
            table::Format::Csv => TableFormat::Csv,
            table::Format::Parquet => TableFormat::Parquet,
            table::Format::Lines => TableFormat::Lines,
        };
        let opened = self.serve(|services| match &services.tables {
            Some(tables) => tables.open(&config_key, member.as_deref(), format),
            None => Err(ContractError {
                config_key: Some(config_key.clone()),
                ..ContractError::new(Cause::Config, "no file was given")
            }),
        });
        Ok(match opened {
            Ok(rows) => Ok(self.table.push(OpenRows(rows))?),
            Err(error) => Err(error.into()),
        })
    }

    fn count(&mut self, rows: Resource<OpenRows>) -> wasmtime::Result<u64> {
        let rows = self.rows(&rows)?;
        Ok(self.serve(|_| rows.count()))
    }

    fn columns(&mut self, rows: Resource<OpenRows>) -> Answer<Vec<String>> {
        let rows = self.rows(&rows)?;
        Ok(self.serve(|_| rows.columns()).map_err(Into::into))
    }

    fn read(
        &mut self,
        rows: Resource<OpenRows>,
        indices: Vec<u64>,
        columns: Vec<String>,
    ) -> Answer<Vec<String>> {
        let rows = self.rows(&rows)?;
        let mut texts = Vec::new();
        let mut bytes = 0;
        // A stretch at a time: a short list of numbers may ask for any number of long rows.
        for stretch in indices.chunks(READ_STRETCH) {
            match self.serve(|_| rows.read(stretch, &columns)) {
                Ok(read) => {
                    bytes += read.iter().map(|text| text.len() as u64).sum::<u64>();
                    texts.extend(read);
                }
                Err(error) => return Ok(Err(error.into())),
            }
            if !self.limiter.has_room(bytes) {
                wasmtime::bail!("rows asked for do not fit into memory");
            }
        }
        Ok(Ok(texts))
    }

    fn lengths(&mut self, rows: Resource<OpenRows>, column: String) -> Answer<Vec<i64>> {
        let rows = self.rows(&rows)?;
        Ok(self.serve(|_| rows.lengths(&column)).map_err(Into::into))
    }

    fn locate(&mut self, rows: Resource<OpenRows>, index: u64) -> wasmtime::Result<types::Location> {
        let rows = self.rows(&rows)?;
        Ok(self.serve(|_| rows.locate(index)).into())
    }

    fn drop(&mut self, rows: Resource<OpenRows>) -> wasmtime::Result<()> {
        self.table.delete(rows)?;
        Ok(())
    }
}

impl From<media::Source> for MediaSource {
    fn from(source: media::Source) -> Self {
        match source {
            media::Source::Bytes(bytes) => Self::Bytes(bytes),
            media::Source::File(file) => Self::File { config_key: file.config_key, path: file.path },
            media::Source::Held(reference) => Self::Held(reference),
            media::Source::Pixels(pixels) => Self::Pixels {
                width: pixels.width,
                height: pixels.height,
                frames: pixels.frames,
                rgb: pixels.rgb,
            },
            media::Source::Samples(samples) => {
                Self::Samples { rate_hz: samples.rate_hz, channels: samples.channels, values: samples.values }
            }
        }
    }
}

impl From<media::Form> for MediaForm {
    fn from(form: media::Form) -> Self {
        match form {
            media::Form::Unchanged => Self::Unchanged,
            media::Form::Jpeg => Self::Jpeg,
            media::Form::Png => Self::Png,
            media::Form::Mp4 => Self::Mp4,
            media::Form::Wav => Self::Wav,
        }
    }
}

impl From<Medium> for media::Medium {
    fn from(medium: Medium) -> Self {
        let kind = match medium.kind {
            MediaKind::Image => types::MediaKind::Image,
            MediaKind::Video => types::MediaKind::Video,
            MediaKind::Audio => types::MediaKind::Audio,
        };
        Self {
            reference: medium.reference,
            kind,
            mime_type: medium.mime_type,
            size_bytes: medium.size_bytes,
            width: medium.width,
            height: medium.height,
            duration_s: medium.duration_s,
            details: medium.details,
        }
    }
}

impl media::Host for Sandbox {
    fn hold(
        &mut self,
        items: Vec<media::Item>,
    ) -> wasmtime::Result<Vec<Result<media::Medium, types::Error>>> {
        Ok(self.serve(|services| {
            let hold = |item: media::Item| {
                let Some(media) = &services.media else {
                    return Err(ContractError::new(Cause::Unsupported, "nothing holds media here"));
                };
                media.hold(item.source.into(), item.form.into())
            };
            items.into_iter().map(|item| hold(item).map(Into::into).map_err(Into::into)).collect()
        }))
    }
}

impl results::Host for Sandbox {}

impl results::HostRun for Sandbox {
    fn metric(&mut self, run: Resource<FinishedRun>, key: String) -> wasmtime::Result<Option<f64>> {
        let run = self.run(&run)?;
        Ok(self.serve(|_| run.metric(&key)))
    }

    fn column(&mut self, run: Resource<FinishedRun>, name: String) -> wasmtime::Result<Option<Vec<f64>>> {
        let run = self.run(&run)?;
        Ok(self.serve(|_| run.column(&name)))
    }

    fn requests(&mut self, run: Resource<FinishedRun>) -> wasmtime::Result<u32> {
        Ok(self.run(&run)?.requests())
    }

    fn drop(&mut self, run: Resource<FinishedRun>) -> wasmtime::Result<()> {
        self.table.delete(run)?;
        Ok(())
    }
}
