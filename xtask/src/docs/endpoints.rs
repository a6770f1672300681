//! Where the built-in backends send to, asked of the backends themselves.

use vbench_plugin::backend::{Backend, Endpoint, Framing, Task};
use vbench_plugin::testing::{BackendArgs, TestBackend};

/// What a page says of a backend's endpoint.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The path without `--endpoint`.
    pub path: String,
    /// What its answers are.
    pub task: &'static str,
    /// How answers come.
    pub framing: &'static str,
    /// Whether answers can be asked for in one piece with `"stream": false`.
    pub whole: bool,
    /// Who reads answers.
    pub reader: &'static str,
}

macro_rules! backends {
    ($($backend:ty),* $(,)?) => {
        /// The facts of a backend, by its name.
        pub fn facts(name: &str) -> Option<Facts> {
            $(
                if name == <$backend as Backend>::NAME {
                    return facts_of::<$backend>();
                }
            )*
            None
        }
    };
}

backends! {
    vbench_plugin_anthropic_messages::Messages,
    vbench_plugin_embeddings::ChatEmbeddings,
    vbench_plugin_embeddings::ClipEmbeddings,
    vbench_plugin_embeddings::Embeddings,
    vbench_plugin_embeddings::InfinityClipEmbeddings,
    vbench_plugin_embeddings::InfinityEmbeddings,
    vbench_plugin_embeddings::Vlm2VecEmbeddings,
    vbench_plugin_generate::LlamaCpp,
    vbench_plugin_generate::Sglang,
    vbench_plugin_generate::TensorRtLlm,
    vbench_plugin_generate::Tgi,
    vbench_plugin_ollama::Ollama,
    vbench_plugin_openai::Completions,
    vbench_plugin_openai_audio::Audio,
    vbench_plugin_openai_chat::Chat,
    vbench_plugin_openai_responses::Responses,
    vbench_plugin_pooling::AnyPooling,
    vbench_plugin_pooling::Rerank,
}

fn facts_of<B: Backend>() -> Option<Facts> {
    let endpoint = |extra_body: &str| -> Option<Endpoint> {
        let args = BackendArgs { extra_body: extra_body.into(), ..BackendArgs::default() };
        TestBackend::<B>::open("{}", args).and_then(|backend| backend.endpoint()).ok()
    };
    let usual = endpoint("{}")?;
    let whole = endpoint(r#"{"stream":false}"#);
    Some(Facts {
        task: match usual.task {
            Task::Generation => "tokens one after another",
            Task::Pooling => "one result",
        },
        framing: match usual.framing {
            Framing::Sse => "server-sent events",
            Framing::Ndjson => "a JSON text a line",
            Framing::WholeBody => "one body",
        },
        whole: usual.framing != Framing::WholeBody
            && whole.is_some_and(|whole| whole.framing == Framing::WholeBody),
        reader: if usual.plan.is_some() { "the host, by an extraction plan" } else { "the plugin" },
        path: usual.path,
    })
}
