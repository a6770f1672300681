//! The backends against what the reference client sent, and what they refuse.

use serde_json::json;
use vbench_plugin::backend::Body;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, RecordedRequest, TestBackend, request};
use vbench_plugin_embeddings::{
    ChatEmbeddings, ClipEmbeddings, Embeddings, InfinityClipEmbeddings, InfinityEmbeddings, Vlm2VecEmbeddings,
};

fn images(urls: &[String]) -> Attachments {
    let mut media: Vec<Media> = urls.iter().map(|url| Media::new(MediaKind::Image, url)).collect();
    match media.len() {
        0 => Attachments::None,
        1 => Attachments::One(media.remove(0)),
        _ => Attachments::Many(media),
    }
}

fn args(extra_body: &str, compat: Compat) -> BackendArgs {
    BackendArgs { extra_body: extra_body.into(), compat, ..BackendArgs::default() }
}

fn written<B: Backend>(request: &RequestIn, extra_body: &str, compat: Compat) -> Result<RequestOut> {
    TestBackend::<B>::open("{}", args(extra_body, compat))?.build(request)
}

fn build(backend: &str, request: &RequestIn, extra_body: &str, compat: Compat) -> Result<(String, u32)> {
    let write = match backend {
        "openai-embeddings" => written::<Embeddings>,
        "openai-embeddings-chat" => written::<ChatEmbeddings>,
        "openai-embeddings-clip" => written::<ClipEmbeddings>,
        "openai-embeddings-vlm2vec" => written::<Vlm2VecEmbeddings>,
        "infinity-embeddings" => written::<InfinityEmbeddings>,
        "infinity-embeddings-clip" => written::<InfinityClipEmbeddings>,
        other => panic!("no backend {other}"),
    };
    let out = write(request, extra_body, compat)?;
    let Body::Bytes(body) = out.body else { panic!("not bytes") };
    Ok((String::from_utf8(body).unwrap(), out.input_sequences))
}

fn body(backend: &str, turn: Turn, compat: Compat) -> Result<String> {
    build(backend, &request(turn), "{}", compat).map(|(body, _)| body)
}

#[test]
fn requests_are_those_of_the_reference_client() {
    let recorded: Vec<RecordedRequest> =
        serde_json::from_str(include_str!("fixtures/requests.json")).unwrap();
    assert!(recorded.len() > 20);
    for request in recorded {
        match request.backend.as_str() {
            "openai-embeddings" => request.assert_written_by::<Embeddings>(),
            "openai-embeddings-chat" => request.assert_written_by::<ChatEmbeddings>(),
            "openai-embeddings-clip" => request.assert_written_by::<ClipEmbeddings>(),
            "openai-embeddings-vlm2vec" => request.assert_written_by::<Vlm2VecEmbeddings>(),
            "infinity-embeddings" => request.assert_written_by::<InfinityEmbeddings>(),
            "infinity-embeddings-clip" => request.assert_written_by::<InfinityClipEmbeddings>(),
            other => panic!("no backend {other}"),
        }
    }
}

#[test]
fn vlm2vec_takes_turns_by_the_number_of_the_request() {
    for (id, asks) in
        [(None, false), (Some("x"), false), (Some("r-10"), false), (Some("r-7"), true), (Some("7-r"), false)]
    {
        let turn = Turn::text("why?", 1, 1).with_attachments(images(&["a".into()]));
        let mut request = request(turn);
        request.id = id.map(Into::into);
        let (body, _) = build("openai-embeddings-vlm2vec", &request, "{}", Compat::Vbench).unwrap();
        assert_eq!(body.contains("with the following question: why?"), asks, "{id:?}");
        assert!(body.find("image_url").unwrap() < body.find("Represent the given image").unwrap());
    }
    let plain = body("openai-embeddings-vlm2vec", Turn::text("why?", 1, 1), Compat::Vbench).unwrap();
    assert!(plain.contains(r#"[{"type":"text","text":"why?"}]"#));
}

#[test]
fn infinity_embeds_one_medium_by_its_kind() {
    let media = |kind, url: &str| Media::new(kind, url);
    let turn = |attachments| Turn::text("", 0, 1).with_attachments(attachments);
    let video = turn(Attachments::One(media(MediaKind::Video, "v")));
    assert_eq!(
        body("infinity-embeddings", video, Compat::V0_33).unwrap(),
        r#"{"model":"mock-model","input":"v","modality":"video"}"#
    );
    let one = turn(Attachments::Many(vec![media(MediaKind::Image, "i")]));
    assert!(body("infinity-embeddings", one.clone(), Compat::Vbench).is_ok());
    assert!(body("infinity-embeddings", one, Compat::V0_33).is_err());
    let two = turn(Attachments::Many(vec![media(MediaKind::Image, "i"), media(MediaKind::Image, "j")]));
    assert!(body("infinity-embeddings", two, Compat::Vbench).is_err());
    assert!(body("infinity-embeddings", turn(Attachments::None), Compat::Vbench).is_err());
}

#[test]
fn tokens_are_inputs_too() {
    let lists = Turn::new(Prompt::TokenIdLists(vec![vec![1, 2], vec![3]]), 3, 1);
    let (body, sequences) = build("openai-embeddings", &request(lists), "{}", Compat::Vbench).unwrap();
    assert_eq!(
        (body.as_str(), sequences),
        (r#"{"model":"mock-model","input":[[1,2],[3]],"truncate_prompt_tokens":-1}"#, 2)
    );
    let ids = Turn::new(Prompt::TokenIds(vec![1, 2]), 2, 1);
    assert_eq!(build("infinity-embeddings", &request(ids), "{}", Compat::Vbench).unwrap().1, 1);
}

#[test]
fn media_that_would_be_left_out_are_refused() {
    let turn = Turn::text("a", 1, 1).with_attachments(images(&["a".into()]));
    for backend in ["openai-embeddings", "infinity-embeddings"] {
        assert!(body(backend, turn.clone(), Compat::Vbench).is_err());
        assert!(body(backend, turn.clone(), Compat::V0_33).unwrap().contains(r#""input":"a""#));
    }
    let chat = Turn::new(Prompt::Messages("[]".into()), 1, 1);
    assert!(body("openai-embeddings", chat.clone(), Compat::Vbench).is_err());
    assert!(body("openai-embeddings-chat", chat, Compat::Vbench).is_ok());
}

#[test]
fn the_users_fields_win_and_the_endpoint_is_checked() {
    let extra = r#"{"truncate_prompt_tokens":8,"dimensions":4}"#;
    let (body, _) =
        build("openai-embeddings-chat", &request(Turn::text("a", 1, 1)), extra, Compat::Vbench).unwrap();
    assert!(body.ends_with(r#""truncate_prompt_tokens":8,"dimensions":4}"#), "{body}");

    let open = |endpoint: Option<&str>| {
        let args = BackendArgs { endpoint: endpoint.map(Into::into), ..BackendArgs::default() };
        TestBackend::<InfinityEmbeddings>::open("{}", args).and_then(|backend| backend.endpoint())
    };
    assert!(open(Some("/v1/completions")).is_err());
    let endpoint = open(None).unwrap();
    assert_eq!((endpoint.path.as_str(), endpoint.task), ("/embeddings", Task::Pooling));
}

#[test]
fn answers_are_read_by_the_plan_or_as_the_reference_client_does() {
    let answer = json!({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 9}}).to_string();
    let mut response = Response::from_events([&answer]);
    response.headers.push(Header::new("content-type", "application/json"));
    for compat in [Compat::Vbench, Compat::V0_33] {
        let backend = TestBackend::<Embeddings>::open("{}", args("{}", compat)).unwrap();
        assert_eq!(backend.endpoint().unwrap().plan.is_some(), compat == Compat::Vbench);
        let parsed = backend.read(&response).unwrap();
        assert_eq!((parsed.usage.unwrap().prompt_tokens, parsed.error), (Some(9), None));
    }
}

#[test]
fn the_description_names_the_offers() {
    let names: Vec<String> =
        vbench_plugin_embeddings::describe().offers.into_iter().map(|offer| offer.name).collect();
    assert_eq!(
        names,
        [
            "openai-embeddings",
            "openai-embeddings-chat",
            "openai-embeddings-clip",
            "openai-embeddings-vlm2vec",
            "infinity-embeddings",
            "infinity-embeddings-clip"
        ]
    );
}
