//! Datasets that misbehave.

use super::section::{Section, run};
use super::wat::{BEYOND, GUEST, Guest, TWO_GIB};
use super::{SOON, dataset, everywhere};

#[test]
fn in_every_call() {
    let mut section = Section::new("dataset-calls");
    for call in ["open", "next", "finish"] {
        for (what, deed, flags, says) in everywhere(&format!("dataset.{call}")) {
            let outcome = dataset(&format!("{call}:{deed}"), flags);
            section.case(&format!("{what} in `{call}`"), &outcome, 3, &says);
        }
    }
    section.finish();
}

#[test]
fn by_what_it_returns() {
    let mut section = Section::new("dataset-returns");
    let mut case = |what: &str, order: &str, code, says: &str| {
        section.case(what, &dataset(order, &["--request-rate", "inf"]), code, says);
    };
    case("does as it should", "", 0, "Successful requests:");
    case("gives more samples than asked for", "next:too-many", 3, "257 samples, more than 256");
    case("gives samples without end", "next:endless", 3, "did not end");
    case("gives large samples without end", "next:endless-large", 3, "did not end");
    case("gives a sample without a turn", "next:no-turns", 3, "at least one turn");
    case("gives every sample the same id", "next:duplicate-ids", 0, "have the id of another");
    case("gives an id with a header in it", "next:id-crlf", 3, "the id holds control characters");
    case("gives an id of a megabyte", "next:id-long", 3, "the id is longer than");
    case(
        "gives a session with a header in it",
        "next:session-crlf",
        3,
        "the session holds control characters",
    );
    case("gives a tag with escape sequences", "next:tag-escapes", 3, "a tag holds control characters");
    case("gives 1,001 tags", "next:tags", 3, "1001 tags, more than 1000");
    case("gives an arrival time that is no number", "next:arrival-nan", 3, "arrival-s is NaN");
    case("gives an infinite arrival time", "next:arrival-infinite", 3, "arrival-s is inf");
    case("gives a negative arrival time", "next:arrival-negative", 3, "arrival-s is -1, below 0");
    case("gives an arrival time of 10^300 seconds", "next:arrival-far", 3, "arrival-s is");
    case("gives a delay that is no number", "next:delay-nan", 3, "delay-ms is NaN");
    case("says that a prompt has 2^64 - 1 tokens", "next:tokens-huge", 3, "prompt-tokens");
    case("says that each prompt has 2^63 - 1 tokens", "next:tokens-large", 3, "prompt-tokens");
    case("gives overrides that are no object", "next:overrides-list", 3, "overrides has to be a JSON object");
    case("gives overrides of 100,000 levels", "next:overrides-deep", 3, "overrides is nested deeper than");
    case("gives overrides of 100 levels", "next:overrides-100", 0, "Successful requests:");
    case("gives messages that are no JSON", "next:messages-broken", 3, "messages is no JSON array");
    case("gives an object for parts", "next:parts-object", 3, "parts has to be a JSON array");
    case("gives an object of 100,000 levels", "next:object-deep", 3, "object is nested deeper than");
    case("gives a prompt with escape sequences", "next:prompt-escapes", 0, "Successful requests:");
    case("gives a prompt of 300 MiB", "next:prompt-300-mib", 3, "moved more than 256.0 MiB");
    case("gives the address of a picture with a line end", "next:media-crlf", 3, "control characters");
    let handed = "to the tokenizer in one call and may hand it 32.0 MiB";
    case("hands the tokenizer a text of 40 MiB", "open:tokenizer-text", 3, handed);
    case("hands the tokenizer five million empty texts", "open:tokenizer-empty-texts", 3, handed);
    case("hands the tokenizer ten million tokens", "open:tokenizer-ids", 3, handed);
    case("has a chat of 40 MiB rendered", "open:tokenizer-chat", 3, handed);
    case("gives a generator state that is too short", "finish:twister-short", 3, "624 words");
    case("gives a generator state that points outside", "finish:twister-position", 3, "624 words");
    case("gives a reason with escape sequences", "finish:skip-escapes", 3, "control characters");
    case("gives 1,001 reasons", "finish:skips", 3, "1001 skip reasons");
    case("blames an option with escape sequences in its name", "open:config-escapes", 2, "error: ");
    case("blames the user", "open:error-blames-user", 2, "it is all your fault");
    case("returns an error without a message", "open:error-empty", 3, "failed without a message");
    let small = dataset("open:tokenizer-2-mib", &["--plugin-batch-mib", "1"]);
    section.case("hands the tokenizer 2 MiB where 1 MiB is allowed", &small, 3, "may hand it 1.0 MiB");
    let soon = dataset("next:print", &SOON);
    section.case("prints without end", &soon, 3, "stopped after 0.3 s");
    let soon = dataset("next:log", &SOON);
    section.case("logs without end", &soon, 3, "stopped after 0.3 s");
    let logged = dataset("open:log-escapes", &[]);
    section.case("logs escape sequences", &logged, 0, "a message with hidden");
    let logged = dataset("open:log-long", &[]);
    section.case("logs a megabyte", &logged, 0, "long long");
    section.finish();
}

#[test]
fn by_lists_that_lie() {
    let mut section = Section::new("dataset-lists");
    let serve = [
        "serve",
        "--mock",
        "--model",
        "m",
        "--skip-tokenizer-init",
        "--disable-tqdm",
        "--dataset-name",
        "hello",
    ];
    let mut case = |what: &str, guest: Guest, code, says: &str| {
        section.case(what, &run(&guest.wasm(), &serve), code, says);
    };
    case("gives nothing", GUEST, 2, "gave no sample");
    case(
        "gives a list of sixteen million samples beyond its memory",
        Guest { samples: BEYOND, ..GUEST },
        3,
        "`dataset.next`",
    );
    case("gives a list of 2 GiB of samples", Guest { samples: TWO_GIB, ..GUEST }, 3, "`dataset.next`");
    case(
        "gives a result outside of its memory",
        Guest { samples: 0x7fff_fff0, ..GUEST },
        3,
        "`dataset.next`",
    );
    case(
        "logs text from outside of its memory",
        Guest { next: "(call $log (i32.const 1) (i32.const 0x7fffffff) (i32.const 4))", ..GUEST },
        3,
        "`dataset.next`",
    );
    case(
        "logs with a level that does not exist",
        Guest { next: "(call $log (i32.const 9) (i32.const 0) (i32.const 4))", ..GUEST },
        3,
        "`dataset.next`",
    );
    case(
        "logs what is no UTF-8",
        Guest {
            next: "(i32.store8 (i32.const 8192) (i32.const 0xff)) (call $log (i32.const 1) (i32.const 8192) (i32.const 1))",
            ..GUEST
        },
        3,
        "`dataset.next`",
    );
    section.finish();
}
