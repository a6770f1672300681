//! The dataset `random-rerank`: one query, and in each request further
//! documents to rank by it.

use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::prelude::*;

use crate::lengths::{Bounds, DrawnVector, LengthBounds};
use crate::prompts::{MadePrompt, Prompts, Tokens, tokenizer_for};
use crate::range_ratio::RangeRatio;
use crate::sampling::Sampling;

/// Options of the dataset, of which those that `random` has too go by its flags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerankConfig {
    /// Tokens of a query and a document together, those included that the tokenizer adds; with --no-reranker of each.
    #[serde(default = "input_len")]
    #[schemars(range(min = 0), extend("x-flag" = "random-input-len", "x-general-flag" = "input-len"))]
    input_len: i64,
    /// Share by which lengths vary: a length L becomes L*(1-r) to L*(1+r), with r at least 0 and below 1. For different shares write {"input":r,"output":r}.
    #[serde(default)]
    #[schemars(extend("x-flag" = "random-range-ratio"))]
    range_ratio: RangeRatio,
    /// Documents in a request; with --no-reranker one of them is the query.
    #[serde(default = "batch_size")]
    #[schemars(range(min = 1), extend("x-flag" = "random-batch-size"))]
    batch_size: i64,
    /// The model embeds query and documents each by itself, instead of reading the query with every document.
    #[serde(default)]
    #[schemars(extend("x-flag" = "no-reranker"))]
    no_reranker: bool,
    /// How prompts are made: serial, those of vLLM 0.33; or parallel, others, sooner, on all cores.
    #[serde(default)]
    #[schemars(extend("x-flag" = "sampling"))]
    sampling: Sampling,
}

fn input_len() -> i64 {
    1024
}

fn batch_size() -> i64 {
    1
}

/// Random documents to rank by a random query.
pub struct RandomRerank {
    cx: DatasetContext,
    prompts: Prompts,
    query: MadePrompt,
    /// Tokens between query and document where the model reads them together;
    /// none where it does not.
    separators: Option<u64>,
    documents_each: usize,
    samples: u64,
}

impl Dataset for RandomRerank {
    type Config = RerankConfig;
    const NAME: &'static str = "random-rerank";
    const SUMMARY: &'static str = "A random query with random documents to rank.";

    fn open(cx: &DatasetContext, config: RerankConfig) -> Result<Self> {
        let info = tokenizer_for(Self::NAME)?;
        let ratios = config.range_ratio.ratios()?;
        let mut documents = u64::try_from(cx.count).map_err(|_| {
            Error::config(format!("dataset random-rerank cannot make {} documents", cx.count))
        })?;
        let mut documents_each = usize::try_from(config.batch_size).unwrap_or(usize::MAX);
        // The reference client lets a query or a document be empty.
        let bounds = |length| {
            let bounds = if cx.compat.is_reference() { LengthBounds::with_empty } else { LengthBounds::new };
            bounds(length, 0, 0, info.specials_per_sequence, ratios).map(|bounds| bounds.input)
        };
        let tokens = Tokens::of(&info)?;
        let mut generator = NumpyGenerator::new(cx.seed);
        let mut draw = |bounds: Bounds, count| DrawnVector::draw(&mut generator, bounds, count);

        let separators = (!config.no_reranker).then_some(1);
        let query_share = match separators {
            Some(separators) => config.input_len / 2 - separators,
            None => config.input_len,
        };
        let query_len = draw(bounds(query_share)?, 1)?.next()?;
        let query_offset = draw(tokens.offsets(), 1)?.next()?;
        let document_share = match separators {
            Some(separators) => config.input_len - query_len - separators,
            None => {
                // The query takes the place of one document of all, and of each request.
                if documents < 2 {
                    return Err(Error::config(
                        "with --no-reranker one of the prompts is the query, so --num-prompts has to be 2 or more",
                    ));
                }
                if documents_each < 2 {
                    return Err(Error::config(
                        "with --no-reranker one of the inputs of a request is the query, so 2 or more are needed",
                    )
                    .key("batch_size"));
                }
                documents -= 1;
                documents_each -= 1;
                config.input_len
            }
        };
        let document_lens = draw(bounds(document_share)?, documents)?;
        let document_offsets = draw(tokens.offsets(), documents)?;
        let mut prompts = Prompts::new(generator, tokens, document_lens, document_offsets, documents);
        let query = prompts.make_first(query_len as usize, query_offset)?;
        if config.sampling == Sampling::Parallel {
            prompts.draw_apart(cx.seed);
        }
        let separators = separators.map(i64::unsigned_abs);
        Ok(Self { cx: cx.clone(), prompts, query, separators, documents_each, samples: 0 })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        let mut texts = vec![self.query.text.clone()];
        let mut tokens = 0;
        // The last request may have fewer documents than the others.
        while texts.len() <= self.documents_each {
            let Some(document) = self.prompts.next()? else { break };
            texts.push(document.text);
            tokens += document.tokens;
        }
        let documents = texts.len() as u64 - 1;
        if documents == 0 {
            return Ok(None);
        }
        tokens += match self.separators {
            Some(separators) => (self.query.tokens + separators) * documents,
            None => self.query.tokens,
        };
        let id = self.cx.request_id(self.samples);
        self.samples += 1;
        Ok(Some(Sample::new(Turn::new(Prompt::Texts(texts), tokens, 0)).with_id(id)))
    }

    fn finish(&mut self) -> Result<Summary> {
        self.prompts.warn_of_mismatch();
        // Nothing is drawn from the reference client's process-wide generators.
        Ok(Summary::default())
    }
}
