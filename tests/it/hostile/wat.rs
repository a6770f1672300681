//! Plugins written by hand in WebAssembly's text format, around the templates of `tests/evil/wat`.

use std::fs;
use std::path::Path;

/// A role as the contract numbers it.
pub const DATASET: u32 = 0;
/// A role as the contract numbers it.
pub const BACKEND: u32 = 1;

/// What one offer of a [`Describer`] says.
#[derive(Clone)]
pub struct Offer {
    pub role: u32,
    pub name: String,
    pub aliases: Vec<String>,
    pub summary: String,
    pub schema: String,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            role: DATASET,
            name: "hello".into(),
            aliases: Vec::new(),
            summary: "Greets".into(),
            schema: r#"{"type":"object"}"#.into(),
        }
    }
}

/// A plugin `acme` that can be described but not opened.
pub struct Describer {
    /// Text of the component before its core module.
    pub imports: String,
    /// Imports given to the core module.
    pub with: &'static str,
    /// Text inside of the core module, before its functions.
    pub core: &'static str,
    /// Body of `describe`; the description is at address 0.
    pub describe: &'static str,
    pub name: String,
    pub version: &'static str,
    pub summary: String,
    pub offers: Vec<Offer>,
    /// Names under which the interfaces are exported.
    pub exports: Vec<&'static str>,
}

impl Default for Describer {
    fn default() -> Self {
        Self {
            imports: String::new(),
            with: "",
            core: "",
            describe: "i32.const 0",
            name: "acme".into(),
            version: "1.2.3",
            summary: "Says hello".into(),
            offers: vec![Offer::default()],
            exports: vec!["vbench:plugin/meta@0.1.0", "vbench:plugin/dataset@0.1.0"],
        }
    }
}

/// A memory that is filled from its beginning.
struct Memory {
    bytes: Vec<u8>,
}

impl Memory {
    /// Room for what has a fixed place.
    fn from(start: usize) -> Self {
        Self { bytes: vec![0; start] }
    }

    /// Appends a text; gives its address and length.
    fn text(&mut self, text: &str) -> [u32; 2] {
        let at = self.bytes.len() as u32;
        self.bytes.extend(text.as_bytes());
        [at, text.len() as u32]
    }

    /// Appends words at an aligned address, and gives it.
    fn words(&mut self, words: &[u32]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let at = self.bytes.len() as u32;
        self.bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        at
    }

    fn put(&mut self, at: usize, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
    }

    /// Pages that it takes, and its content as a data segment.
    fn data(&self) -> (String, String) {
        let text: String = self.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        (self.bytes.len().div_ceil(65_536).to_string(), format!("(data (i32.const 0) \"{text}\")"))
    }
}

impl Describer {
    /// A `describe` with this body.
    pub fn doing(describe: &'static str) -> Self {
        Self { describe, ..Self::default() }
    }

    /// One offer that is like this.
    pub fn offering(offer: Offer) -> Self {
        Self { offers: vec![offer], ..Self::default() }
    }

    /// One offer with this schema.
    pub fn with_schema(schema: impl Into<String>) -> Self {
        Self::offering(Offer { schema: schema.into(), ..Offer::default() })
    }

    /// The component.
    pub fn wasm(&self) -> Vec<u8> {
        let mut memory = Memory::from(32);
        let mut offers = Vec::new();
        for offer in &self.offers {
            let aliases: Vec<u32> = offer.aliases.iter().flat_map(|alias| memory.text(alias)).collect();
            let aliases = [memory.words(&aliases), offer.aliases.len() as u32];
            offers.push(offer.role);
            offers.extend(memory.text(&offer.name));
            offers.extend(aliases);
            offers.extend(memory.text(&offer.summary));
            offers.extend(memory.text(&offer.schema));
        }
        let offers = [memory.words(&offers), self.offers.len() as u32];
        let texts = [memory.text(&self.name), memory.text(self.version), memory.text(&self.summary), offers];
        memory.put(0, texts.as_flattened());
        let (pages, data) = memory.data();
        let exports: String = self
            .exports
            .iter()
            .map(|name| {
                let instance = if name.contains("/meta@") { "$meta" } else { "$dataset" };
                format!("(export \"{name}\" (instance {instance}))")
            })
            .collect();
        fill(
            "describer.wat",
            &[
                ("@IMPORTS@", &self.imports),
                ("@WITH@", self.with),
                ("@CORE@", self.core),
                ("@DESCRIBE@", self.describe),
                ("@PAGES@", &pages),
                ("@DATA@", &data),
                ("@EXPORTS@", &exports),
            ],
        )
    }
}

/// A plugin `acme` with the dataset `hello`, which gives no samples.
#[derive(Clone, Copy)]
pub struct Guest {
    /// Before what `source.next` returns.
    pub next: &'static str,
    /// Address of the result of `next`. From 2048 on there are zeros, which make an empty list.
    pub samples: u32,
}

/// One that does no harm.
pub const GUEST: Guest = Guest { next: "", samples: 2048 };
/// An address of a list of sixteen million samples that lie beyond the memory.
pub const BEYOND: u32 = 1024;
/// An address of a list of 2 GiB of samples.
pub const TWO_GIB: u32 = 1040;

impl Guest {
    /// The component.
    pub fn wasm(&self) -> Vec<u8> {
        let mut memory = Memory::from(4096);
        let name = memory.text("acme");
        let (version, summary) = (memory.text("1.2.3"), memory.text("Says hello"));
        let offer =
            [memory.text("hello"), [0, 0], memory.text("Greets"), memory.text(r#"{"type":"object"}"#)];
        memory.put(0, [name, version, summary, [64, 1]].as_flattened());
        memory.put(68, offer.as_flattened());
        memory.put(BEYOND as usize, &[0, 0, 65_536, 16_000_000]);
        memory.put(TWO_GIB as usize, &[0, 0, 8, 0x8000_0000]);
        let (_, data) = memory.data();
        let Self { next, samples } = self;
        let core = format!(
            r#"(core module $main
              (import "[export]vbench:plugin/dataset@0.1.0" "[resource-new]source" (func $new (param i32) (result i32)))
              (import "vbench:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))
              (memory (export "memory") 2)
              (global $free (mut i32) (i32.const 65536))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get 3))))
              (func $recurse (call $recurse))
              (func $describe (export "vbench:plugin/meta@0.1.0#describe") (result i32) (i32.const 0))
              (func $open (export "vbench:plugin/dataset@0.1.0#[static]source.open")
                (param i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (i32.store (i32.const 3080) (call $new (i32.const 1))) (i32.const 3072))
              (func $next (export "vbench:plugin/dataset@0.1.0#[method]source.next") (param i32 i32) (result i32)
                {next} (i32.const {samples}))
              (func $finish (export "vbench:plugin/dataset@0.1.0#[method]source.finish") (param i32) (result i32)
                (i32.const 2048))
              {data})"#
        );
        fill("dataset.wat", &[("@CORE@", &core)])
    }
}

/// A template with its marks replaced. The comment at its top, which names them, is left out.
fn fill(template: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/evil/wat").join(template);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, text) = text.split_once("\n(component").expect("a template is a component");
    let text = parts.iter().fold(format!("(component{text}"), |text, (mark, part)| text.replace(mark, part));
    parse(&text)
}

/// Text as a component or module.
pub fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}
