//! What comes of a template.

use serde_json::{Value, json};
use vbench_plugin::backend::Body;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, TestBackend, request};
use vbench_plugin_template::FromTemplate;

fn open(template: Value, args: BackendArgs) -> Result<TestBackend<FromTemplate>> {
    TestBackend::open(&json!({"file": template}).to_string(), args)
}

/// A template with this body and plan.
fn template(body: Value, plan: Value) -> Value {
    json!({"path": "/x", "framing": "sse", "body": body, "plan": plan})
}

fn written(body: Value, turn: Turn, args: BackendArgs) -> Result<String> {
    let mut request = request(turn);
    request.id = Some("r-1".into());
    request.overrides = Some(r#"{"own":1}"#.into());
    let Body::Bytes(body) = open(template(body, json!({})), args)?.build(&request)?.body else {
        panic!("not bytes")
    };
    Ok(String::from_utf8(body).expect("a body is UTF-8"))
}

#[test]
fn places_become_values_and_the_rest_stays_as_it_is() {
    let body = json!({
        "model": "{{model}}",
        "in": {"text": "{{ prompt }}", "fixed": [1.50, null], "ids": ["{{request_id}}", "x"]},
        "max": "{{output_tokens}}",
        "note": "<{{model}}|{{prompt}}|{{prompt_tokens}}>",
        "n": 1,
    });
    let args = BackendArgs {
        sampling: r#"{"temperature":0.5}"#.into(),
        extra_body: r#"{"n":2}"#.into(),
        ignore_eos: true,
        ..BackendArgs::default()
    };
    assert_eq!(
        written(body, Turn::text("a \"b\"", 3, 7), args).unwrap(),
        r#"{"model":"mock-model","in":{"text":"a \"b\"","fixed":[1.5,null],"ids":["r-1","x"]},"max":7,"note":"<mock-model|a \"b\"|3>","n":2,"ignore_eos":true,"temperature":0.5,"own":1}"#
    );
}

#[test]
fn prompts_keep_their_form() {
    let prompt = |turn| written(json!({"p": "{{prompt}}"}), turn, BackendArgs::default());
    let messages = |turn| written(json!({"m": "{{messages}}"}), turn, BackendArgs::default());
    let ids = || Turn::new(Prompt::TokenIds(vec![1, 2]), 2, 1);
    let chat = || Turn::new(Prompt::Messages(r#"[{"role":"user","content":"u"}]"#.into()), 1, 1);
    assert_eq!(prompt(ids()).unwrap(), r#"{"p":[1,2],"own":1}"#);
    assert_eq!(messages(chat()).unwrap(), r#"{"m":[{"role":"user","content":"u"}],"own":1}"#);
    assert!(messages(Turn::text("a", 1, 1)).unwrap().contains(r#"[{"type":"text","text":"a"}]"#));
    assert!(prompt(chat()).unwrap_err().message.contains("needs {{messages}}"));
    assert!(messages(ids()).is_err());
    let image = Attachments::One(Media::new(MediaKind::Image, "https://a"));
    assert!(prompt(Turn::text("a", 1, 1).with_attachments(image)).is_err());
    assert!(written(json!({"p": "say {{prompt}}"}), ids(), BackendArgs::default()).is_err());
}

#[test]
fn a_plan_is_the_hosts_unless_texts_repeat_themselves() {
    let plan = |cumulative: bool| {
        json!({
            "cumulative_text": cumulative,
            "errors": [{"when": [{"at": "/error", "is": "truthy"}], "message": "/error"}],
            "tokens": [
                {"when": [{"at": "/kind", "equals": "thought"}], "kind": "reasoning"},
                {"when": [{"at": "/text", "is": "present"}, {"at": "/end", "is": "absent"}], "text": "/text"},
            ],
            "usage": [{"output_tokens": "/count"}],
            "terminal": [{"when": [{"at": "/end", "equals": null}]}],
            "finish_reason": "/why",
        })
    };
    let events = [
        r#"{"kind":"thought"}"#,
        r#"{"text":" a"}"#,
        r#"{"text":" a b"}"#,
        r#"{"end":null,"count":3,"why":"stop"}"#,
    ];
    for (cumulative, text) in [(false, " a a b"), (true, " a b")] {
        let backend =
            open(template(json!({"p": "{{prompt}}"}), plan(cumulative)), BackendArgs::default()).unwrap();
        assert_eq!(backend.endpoint().unwrap().plan.is_some(), !cumulative);
        let parsed = backend.read(&Response::from_events(events)).unwrap();
        let kinds: Vec<_> = parsed.tokens.iter().map(|token| (token.event, token.kind)).collect();
        assert_eq!(kinds, [(0, TokenKind::Reasoning), (1, TokenKind::Content), (2, TokenKind::Content)]);
        assert_eq!((parsed.text.as_str(), parsed.error), (text, None));
        assert_eq!(
            (parsed.usage.unwrap().output_tokens, parsed.finish_reason.as_deref()),
            (Some(3), Some("stop"))
        );
        let short = backend.read(&Response::from_events(&events[..2])).unwrap();
        assert!(short.error.unwrap().contains("`terminal`"));
        let failed = backend.read(&Response::from_events([r#"{"error":"boom"}"#])).unwrap();
        assert_eq!(failed.error.as_deref(), Some("boom"));
    }
}

#[test]
fn the_endpoint_is_the_files() {
    let file = json!({
        "$schema": "x", "description": "mine", "task": "pooling", "method": "PUT", "path": "/p", "framing": "ndjson",
        "headers": {"Content-Type": "application/x", "x-a": "b"},
        "body": {"p": "{{prompt}}"}, "plan": {},
    });
    let endpoint = open(file.clone(), BackendArgs::default()).unwrap().endpoint().unwrap();
    assert_eq!((endpoint.path.as_str(), endpoint.method.as_str()), ("/p", "PUT"));
    assert_eq!((endpoint.task, endpoint.framing), (Task::Pooling, Framing::Ndjson));
    let headers: Vec<_> = endpoint.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    assert_eq!(headers, [("Content-Type", "application/x"), ("x-a", "b")]);
    let args = BackendArgs { endpoint: Some("/q".into()), ..BackendArgs::default() };
    assert_eq!(open(file, args).unwrap().endpoint().unwrap().path, "/q");
    let texts = Turn::new(Prompt::Texts(vec!["a".into(), "b".into()]), 2, 1);
    let backend = open(template(json!({"p": "{{prompt}}"}), json!({})), BackendArgs::default()).unwrap();
    assert_eq!(backend.build(&request(texts)).unwrap().input_sequences, 2);
}

#[test]
fn what_is_wrong_with_a_file_is_named_by_its_place() {
    for (body, plan, place, said) in [
        (json!({"p": "x"}), json!({}), "/body", "neither {{prompt}} nor {{messages}}"),
        (
            json!({"p": "{{prompt}}", "a/b": [1, {"c": "{{ pormpt }}"}]}),
            json!({}),
            "/body/a~1b/1/c",
            "there is no place `{{pormpt}}`; between double braces can stand prompt, messages, model, \
             output_tokens, prompt_tokens, request_id",
        ),
        (json!({"p": "{{prompt"}), json!({}), "/body/p", "never closes it"),
        (
            json!({"p": "{{prompt}}"}),
            json!({"tokens": [{}, {"when": [{"at": "/a"}]}]}),
            "/plan/tokens/1/when/0",
            "the condition at `/a` has to say either `is` (present, absent or truthy) or `equals`",
        ),
        (
            json!({"p": "{{prompt}}"}),
            json!({"terminal": [{"when": [{"at": "/a", "is": "absent", "equals": 1}]}]}),
            "/plan/terminal/0/when/0",
            "has to say either",
        ),
    ] {
        let Err(error) = open(template(body, plan), BackendArgs::default()) else {
            panic!("accepted: {said}")
        };
        assert!(error.message.contains(said), "{}", error.message);
        assert_eq!(error.config_key.as_deref(), Some("file"));
        assert_eq!(error.location.unwrap().column.as_deref(), Some(place));
    }
}

#[test]
fn what_cannot_be_sent_is_named_by_its_place() {
    for (field, value, place) in [
        ("method", json!("GE T"), "/method"),
        ("headers", json!({"Authorization": "Bearer x"}), "/headers/Authorization"),
        ("headers", json!({"x y": "z"}), "/headers/x y"),
        ("headers", json!({"x": "a\nb"}), "/headers/x"),
    ] {
        let mut file = template(json!({"p": "{{prompt}}"}), json!({}));
        file[field] = value;
        let Err(error) = open(file, BackendArgs::default()) else { panic!("accepted: {place}") };
        assert_eq!(error.config_key.as_deref(), Some("file"));
        assert_eq!(error.location.unwrap().column.as_deref(), Some(place));
    }
}

/// That a sample does not fit shows only when it is written.
#[test]
fn a_place_that_a_sample_does_not_fit_is_named() {
    let body = json!({"in": [{"text": "say {{prompt}}"}]});
    let backend = open(template(body, json!({})), BackendArgs::default()).unwrap();
    let error = backend.build(&request(Turn::new(Prompt::TokenIds(vec![1]), 1, 1))).unwrap_err();
    assert_eq!(error.config_key.as_deref(), Some("file"));
    assert_eq!(error.location.unwrap().column.as_deref(), Some("/body/in/0/text"));
}

#[test]
fn closed_sets_list_what_they_hold() {
    let valid = || {
        template(json!({"p": "{{prompt}}"}), json!({"tokens": [{"when": [{"at": "/a", "is": "present"}]}]}))
    };
    for (pointer, known) in [
        ("/framing", "expected one of `sse`, `ndjson`, `whole-body`"),
        ("/task", "`generation` or `pooling`"),
        ("/plan/tokens/0/kind", "expected one of `content`, `reasoning`, `tool-call`"),
        ("/plan/tokens/0/when/0/is", "expected one of `present`, `absent`, `truthy`"),
    ] {
        let mut file = valid();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[key] = json!("ssl");
        let Err(error) = open(file, BackendArgs::default()) else { panic!("accepted: {pointer}") };
        assert!(error.message.contains(known), "{}", error.message);
    }
}
