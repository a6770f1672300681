//! The dataset `hf`: local copies of Hugging Face datasets.
//!
//! `--dataset-path` is the folder of the copy, or of the Hugging Face cache;
//! `--hf-name` says which dataset it is. Which rows are taken, in which order,
//! with which prompts and lengths follows the reference client, vLLM 0.33, and
//! `datasets` 5.

mod bfcl;
mod classes;
mod folder;
mod media;
mod readme;
mod rows;
mod sampling;
mod yaml;

use std::path::Path;

use vbench_plugin::dataset::Skip;
use vbench_plugin::options::{MediaChat, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Repeats};
use vbench_plugin::{log, tokenizer};

use bfcl::Calls;
use classes::{Class, LongestSpeech};
use rows::{OrderedRows, Shuffle};
use sampling::TextSampling;

vbench_plugin::export! { datasets: [HuggingFace] }

/// Options of the dataset.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Config {
    /// The dataset: a folder with its files, a file, or a folder of the Hugging
    /// Face cache.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: String,
    /// Which dataset the path holds, such as `openai/gsm8k`.
    #[serde(default)]
    name: Option<String>,
    /// Subset of the dataset, as its README names them.
    #[serde(default)]
    subset: Option<String>,
    /// Split of the dataset.
    #[serde(default)]
    split: Option<String>,
    /// Longest answer in tokens, in place of the dataset's own.
    #[serde(default)]
    #[schemars(extend("x-general-flag" = "output-len"))]
    output_len: Option<i64>,
    /// Shuffle the dataset as a whole, not as it streams by.
    #[serde(default)]
    #[schemars(extend("x-flag" = "no-stream"))]
    no_stream: bool,
    #[serde(flatten)]
    rows: RowChoice,
    /// Send prompts as they are, without the tokenizer's chat template.
    #[serde(default)]
    #[schemars(extend("x-flag" = "skip-chat-template"))]
    skip_chat_template: bool,
    /// Least normalised edit distance of Blazedit's changes.
    #[serde(default)]
    #[schemars(extend("x-flag" = "blazedit-min-distance"))]
    blazedit_min_distance: f64,
    /// Greatest normalised edit distance of Blazedit's changes.
    #[serde(default = "one")]
    #[schemars(extend("x-flag" = "blazedit-max-distance"))]
    blazedit_max_distance: f64,
    /// Categories of function calls, separated by commas.
    #[serde(default)]
    #[schemars(extend("x-flag" = "bfcl-categories"))]
    bfcl_categories: Option<String>,
    /// Shortest speech, in seconds.
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-flag" = "asr-min-audio-len-sec"))]
    asr_min_audio_len_sec: f64,
    /// Longest speech, in seconds; any without this, with inf and with 0.
    #[serde(default)]
    #[schemars(extend("x-flag" = "asr-max-audio-len-sec"))]
    asr_max_audio_len_sec: Option<LongestSpeech>,
    #[serde(flatten)]
    media: MediaChat,
    /// The dataset's folder of the Hugging Face cache, which is otherwise found by the dataset's id.
    #[serde(default)]
    #[schemars(extend("format" = "path", "x-hub-dataset" = true))]
    hub_folder: Option<String>,
    /// Column of the prompts, for a dataset that has no rules of its own.
    #[serde(default)]
    prompt_column: Option<String>,
    /// Column of the answers, or of their lengths in tokens, beside it.
    #[serde(default)]
    output_column: Option<String>,
}

fn one() -> f64 {
    1.0
}

impl Default for Config {
    /// What a command line without options asks for.
    fn default() -> Self {
        Self {
            path: String::new(),
            name: None,
            subset: None,
            split: None,
            output_len: None,
            no_stream: false,
            rows: RowChoice::default(),
            skip_chat_template: false,
            blazedit_min_distance: 0.0,
            blazedit_max_distance: one(),
            bfcl_categories: None,
            asr_min_audio_len_sec: 0.0,
            asr_max_audio_len_sec: None,
            media: MediaChat::default(),
            hub_folder: None,
            prompt_column: None,
            output_column: None,
        }
    }
}

impl Config {
    /// The dataset's id, as far as the user gave one.
    fn id(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.path)
    }
}

/// The option that names the folder.
const PATH: &str = "path";
/// The option that names the folder of the cache.
const HUB_FOLDER: &str = "hub_folder";

/// Rows that are read again at once.
const REPEATED_AT_ONCE: usize = 256;

/// Samples from a Hugging Face dataset.
pub struct HuggingFace {
    cx: DatasetContext,
    config: Config,
    class: Class,
    /// None before the first call.
    drawing: Option<Box<dyn Drawing>>,
    /// None as long as there are rows that were not asked.
    repeats: Option<Repeats>,
    /// Samples that have been given out.
    given: usize,
}

/// Rows that become samples, page by page, so that what is held does not grow
/// with what the rows say.
trait Drawing {
    /// The next samples, at most `max`, of rows that were not asked before; none
    /// when there are no more.
    fn next_page(&mut self, max: usize) -> Result<Vec<Sample>>;

    /// Samples of rows that were asked before, by the places of their samples.
    /// They have no ids.
    fn again(&mut self, places: &[usize]) -> Result<Vec<Sample>>;

    /// How many rows have been asked.
    fn found(&self) -> usize;

    /// Whether an id of these rows is also that of a sample that follows, up to
    /// `wanted` in all. Ids that count samples are all different.
    fn ids_collide(&self, _wanted: usize) -> bool {
        false
    }

    /// What was passed over.
    fn skips(&self) -> Vec<Skip>;
}

impl Dataset for HuggingFace {
    type Config = Config;
    const NAME: &'static str = "hf";
    const SUMMARY: &'static str = "Prompts of a local copy of a Hugging Face dataset.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        let class = classes::find(&config, cx.compat)?;
        if tokenizer::describe().is_none() {
            return Err(Error::config("dataset hf counts tokens, which needs a tokenizer"));
        }
        if config.output_column.is_some() && config.prompt_column.is_none() {
            return Err(Error::config("needs --hf-prompt-column beside it").key("output_column"));
        }
        if !cx.compat.is_reference() {
            refuse_without_effect(&config, class)?;
        }
        Ok(Self { cx: cx.clone(), config, class, drawing: None, repeats: None, given: 0 })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let mut drawing = match self.drawing.take() {
            Some(drawing) => drawing,
            None => self.begin()?,
        };
        let mut page = Vec::new();
        if self.repeats.is_none() {
            page = drawing.next_page(max)?;
        }
        if page.is_empty() {
            page = self.repeat(drawing.as_mut(), max)?;
        }
        self.drawing = Some(drawing);
        self.given += page.len();
        Ok(page)
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary {
            python_random: self.repeats.as_ref().map(|repeats| rules::python_state(repeats.random())),
            skipped: self.drawing.as_ref().map(|drawing| drawing.skips()).unwrap_or_default(),
            ..Summary::default()
        })
    }
}

/// Refuses options of other classes. The reference client takes no notice of them.
fn refuse_without_effect(config: &Config, class: Class) -> Result<()> {
    let usual = Config::default();
    let given = [
        (
            "blazedit_min_distance",
            config.blazedit_min_distance != usual.blazedit_min_distance,
            classes::BLAZEDIT,
        ),
        (
            "blazedit_max_distance",
            config.blazedit_max_distance != usual.blazedit_max_distance,
            classes::BLAZEDIT,
        ),
        ("bfcl_categories", config.bfcl_categories.is_some(), classes::BFCL),
        ("asr_min_audio_len_sec", config.asr_min_audio_len_sec != usual.asr_min_audio_len_sec, classes::ASR),
        ("asr_max_audio_len_sec", config.asr_max_audio_len_sec.is_some(), classes::ASR),
    ];
    match given.iter().find(|(_, is_given, of)| *is_given && *of != class.name()) {
        None => Ok(()),
        Some((key, _, of)) => {
            Err(Error::config(format!("is for datasets of class {of}, not {}", class.name())).key(*key))
        }
    }
}

impl HuggingFace {
    /// Asks at most `max` of the rows again, if there were too few.
    fn repeat(&mut self, drawing: &mut dyn Drawing, max: usize) -> Result<Vec<Sample>> {
        let wanted = usize::try_from(self.cx.count).unwrap_or(0);
        let count = wanted.saturating_sub(self.given).min(max).min(REPEATED_AT_ONCE);
        if self.config.rows.no_oversample || count == 0 {
            return Ok(Vec::new());
        }
        let repeats = match &mut self.repeats {
            Some(repeats) => repeats,
            none => {
                let found = drawing.found();
                let repeats = Repeats::new(self.cx.seed, found, wanted)?;
                if drawing.ids_collide(wanted) {
                    return Err(Error::internal("two samples have the same request id"));
                }
                log::info(format!("{found} rows can be asked; {} are asked again", wanted - found));
                none.insert(repeats)
            }
        };
        let samples = drawing.again(&repeats.draw(count)?)?;
        let numbered = |(number, sample): (usize, Sample)| sample.with_id(self.cx.request_id(number));
        Ok((self.given..).zip(samples).map(numbered).collect())
    }

    /// Opens the files.
    fn begin(&self) -> Result<Box<dyn Drawing>> {
        let (cx, config) = (&self.cx, &self.config);
        let (key, root) = self.root();
        Ok(match (self.class, root) {
            (Class::Text(class), root) => {
                let rows = match root {
                    Some(root) => OrderedRows::of_folder(key, self.files(class, root)?, self.shuffle())?,
                    None => self.rows_of_file()?,
                };
                let media = media::RowMedia { key, folder: self.copy() };
                Box::new(TextSampling::new(cx, config, class, rows, media)?)
            }
            (Class::Bfcl, Some(root)) => Box::new(Calls::new(cx, config, key, root)?),
            (Class::Bfcl, None) => return Err(self.no_copy()),
        })
    }

    /// The folder of the dataset, and the option that names it: the path, else
    /// what the cache has of an id.
    fn root(&self) -> (&'static str, Option<&Path>) {
        let at = |key: &str| self.cx.path(key).map(Path::new);
        let is_file = folder::is_data(&self.config.path);
        match (at(PATH), at(HUB_FOLDER)) {
            (None, Some(cached)) if !is_file => (HUB_FOLDER, Some(cached)),
            (named, _) => (PATH, named),
        }
    }

    /// Where the dataset's own files are by the user's paths: in the cache, if
    /// it has them, else where the rows are.
    fn copy(&self) -> String {
        let of = |key: &str, path: &str| {
            let inner = self.cx.path(key).map(|root| folder::snapshot(Path::new(root), self.config.id()));
            let inner = inner.unwrap_or_default();
            format!("{}/{inner}", path.trim_end_matches('/')).trim_end_matches('/').to_owned()
        };
        match &self.config.hub_folder {
            Some(cached) => of(HUB_FOLDER, cached),
            None => of(PATH, &self.config.path),
        }
    }

    fn shuffle(&self) -> Shuffle {
        match (self.config.rows.disable_shuffle, self.config.no_stream) {
            (true, _) => Shuffle::None,
            (false, true) => Shuffle::Whole(self.cx.seed),
            (false, false) => Shuffle::Streamed(self.cx.seed),
        }
    }

    fn files(&self, class: &classes::TextClass, root: &Path) -> Result<Vec<folder::DataFile>> {
        let given = self.config.split.as_deref().or(class.split);
        let split = match given {
            Some(split) => split,
            None if self.cx.compat.is_reference() => {
                return Err(
                    Error::config(format!("datasets of class {} need a split", class.name)).key("split")
                );
            }
            None => "train",
        };
        let selection =
            folder::Selection { subset: self.config.subset.as_deref(), usual_subset: class.subset, split };
        folder::find(root, self.config.id(), selection)
    }

    /// The rows of a path that is no folder.
    fn rows_of_file(&self) -> Result<OrderedRows> {
        let choice = [("subset", &self.config.subset), ("split", &self.config.split)];
        let rows = OrderedRows::of_file(self.shuffle()).map_err(|error| {
            // A path that looks like an id, and is neither file nor folder.
            if Path::new(&self.config.path).extension().is_some() { error } else { self.no_copy() }
        })?;
        match choice.iter().find(|(_, value)| value.is_some()) {
            Some((key, _)) => {
                Err(Error::config("a single file has no subsets or splits; name its folder").key(*key))
            }
            None => Ok(rows),
        }
    }

    /// The host has looked for an id in the cache, and on the hub if it may.
    fn no_copy(&self) -> Error {
        Error::config(format!(
            "`{}` is no folder, and the Hugging Face cache has no such dataset: give the folder of a local copy, \
             and the dataset's id with --hf-name",
            self.config.path
        ))
        .key(PATH)
    }
}
