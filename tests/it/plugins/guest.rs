//! Plugins for tests, written as WAT and wrapped into components by the contract itself.
//!
//! A guest is a core module: a memory, an allocator, `describe` and `configure` that answer what is prepared here, and one hook whose body the test
//! writes. What a body answers is laid out in memory beforehand by [`Image`], as the canonical ABI of the component model has it, so that a
//! body is mostly `(i32.const …)`: the place of an answer.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../../../plugins/wit/rosterd.wit");
/// Where prepared data begin.
const DATA: u32 = 1024;
/// Where the allocator begins.
const HEAP: u32 = 256 << 10;

/// What lies in the memory of a guest from the beginning.
pub struct Image(Vec<u8>);

impl Image {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn put(&mut self, bytes: &[u8]) -> u32 {
        while !self.0.len().is_multiple_of(8) {
            self.0.push(0);
        }
        let at = DATA + u32::try_from(self.0.len()).unwrap();
        self.0.extend_from_slice(bytes);
        assert!(DATA as usize + self.0.len() < HEAP as usize, "the heap begins there");
        at
    }

    /// Puts words of 32 bits, and says where.
    pub fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    /// Puts a text: pointer and length.
    pub fn text(&mut self, text: &str) -> [u32; 2] {
        [self.put(text.as_bytes()), u32::try_from(text.len()).unwrap()]
    }

    fn texts(&mut self, texts: &[&str]) -> [u32; 2] {
        let words: Vec<u32> = texts.iter().flat_map(|text| self.text(text)).collect();
        [self.words(&words), u32::try_from(texts.len()).unwrap()]
    }

    /// Puts `ok` of a list of changes: each its number in the contract and the words of what it holds.
    pub fn changes(&mut self, changes: &[(u32, Vec<u32>)]) -> u32 {
        let mut words = Vec::new();
        for (case, held) in changes {
            let mut change = vec![*case];
            change.extend(held);
            change.resize(10, 0);
            words.extend(change);
        }
        let list = self.words(&words);
        self.words(&[0, list, u32::try_from(changes.len()).unwrap()])
    }

    /// Puts `err` of a problem: its kind's number and its detail.
    pub fn problem(&mut self, kind: u32, detail: &str) -> u32 {
        let [at, length] = self.text(detail);
        self.words(&[1, kind, 0, 0, 0, at, length])
    }
}

/// Numbers of changes in the contract.
pub const SET_KIND: u32 = 0;
pub const RELEASE_LICENSE: u32 = 2;
pub const ADD_COST_RATE: u32 = 7;
pub const SET_ATTRIBUTE: u32 = 13;

/// A guest in the making.
pub struct Guest {
    world: &'static str,
    hook: &'static str,
    params: &'static str,
    name: String,
    schema: String,
    reads: Vec<&'static str>,
    writes: Vec<&'static str>,
    memory: String,
    more: String,
    configure: Option<String>,
    image: Image,
    version: &'static str,
}

impl Guest {
    fn new(world: &'static str, hook: &'static str, params: &'static str) -> Self {
        Self {
            world,
            hook,
            params,
            name: "test".to_owned(),
            schema: "{}".to_owned(),
            reads: Vec::new(),
            writes: Vec::new(),
            memory: "16".to_owned(),
            more: String::new(),
            configure: None,
            image: Image::new(),
            version: "0.1.0",
        }
    }

    /// A mapping.
    pub fn mapper() -> Self {
        Self::new("mapping", "mapper@0.1.0#map-user", "(param $in i32)")
    }

    /// A gate.
    pub fn gate() -> Self {
        Self::new("gating", "gate@0.1.0#admit", "(param $in i32)")
    }

    /// A validation.
    pub fn validator() -> Self {
        Self::new("validation", "validator@0.1.0#validate", "(param $in i32)")
    }

    /// A reaction.
    pub fn reactor() -> Self {
        Self::new("reacting", "reactor@0.1.0#on-event", "(param $in i32)")
    }

    pub fn reads(mut self, names: &[&'static str]) -> Self {
        self.reads = names.to_vec();
        self
    }

    pub fn writes(mut self, names: &[&'static str]) -> Self {
        self.writes = names.to_vec();
        self
    }

    /// The schema of its settings.
    pub fn schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.schema);
        self
    }

    /// Its memory's limits as WAT has them.
    pub fn memory(mut self, limits: &str) -> Self {
        limits.clone_into(&mut self.memory);
        self
    }

    /// Further fields of the module.
    pub fn with(mut self, fields: &str) -> Self {
        self.more.push_str(fields);
        self
    }

    /// The body of `configure`, in place of one that agrees to everything.
    pub fn configure(mut self, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.configure = Some(body(&mut self.image));
        self
    }

    /// The version of the contract that it is built for.
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Gives its hook the body that is written: instructions that leave the place of the answer.
    pub fn does(mut self, body: impl FnOnce(&mut Image) -> String) -> Vec<u8> {
        let body = body(&mut self.image);
        let texts = [self.name.clone(), "1.2.3".to_owned(), self.schema.clone()];
        let mut manifest: Vec<u32> = texts.iter().flat_map(|text| self.image.text(text)).collect();
        manifest.extend(self.image.texts(&self.reads.clone()));
        manifest.extend(self.image.texts(&self.writes.clone()));
        let manifest = self.image.words(&manifest);
        let agreed = self.image.words(&[0; 8]);
        let configure = self.configure.take().unwrap_or_else(|| format!("(i32.const {agreed})"));
        let data = self.image.0.iter().fold(String::new(), |data, byte| data + &format!("\\{byte:02x}"));
        let Self { memory, more, hook, params, version, .. } = &self;
        let module = format!(
            r#"(module
              (import "rosterd:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))
              (import "rosterd:plugin/host@0.1.0" "lookup" (func $lookup (param i32 i32 i32 i32 i32)))
              (memory (export "memory") {memory})
              (data (i32.const {DATA}) "{data}")
              (global $top (mut i32) (i32.const {HEAP}))
              (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.set $top (i32.add (local.get $at) (local.get $size)))
                (block $fits (loop $more
                  (br_if $fits (i32.le_u (global.get $top) (i32.shl (memory.size) (i32.const 16))))
                  (drop (memory.grow (i32.const 1)))
                  (br $more)))
                (local.get $at))
              (func (export "rosterd:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const {manifest}))
              (func (export "rosterd:plugin/lifecycle@0.1.0#configure") (param $at i32) (param $length i32) (result i32) {configure})
              {more}
              (func (export "rosterd:plugin/{hook}") {params} (result i32) {body}))"#
        );
        wrap(&module.replace("0.1.0", version), &WIT.replace("0.1.0", version), self.world)
    }
}

/// Makes a component of a core module.
fn wrap(module: &str, wit: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("rosterd.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A mapping that proposes one rate and nothing else, whatever it is asked.
pub fn rate() -> Vec<u8> {
    Guest::mapper().writes(&["costRates"]).does(|image| {
        let mut held = Vec::new();
        for text in ["2026-03-01", "95.00", "EUR"] {
            held.extend(image.text(text));
        }
        let answer = image.changes(&[(ADD_COST_RATE, held)]);
        format!("(i32.const {answer})")
    })
}
