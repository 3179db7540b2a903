//! A folder with plugins, and a host that loads them from there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rosterd::clock::FixedClock;
use rosterd::ids::{RequestId, ResourceId};
use rosterd::plugins::loaded::Loaded;
use rosterd::plugins::{Done, Host, HostError, Limits, Names, Options, Spec};
use rosterd::roster::hooks::{About, Held, OnFailure, Operation, Series, Subject};
use rosterd::scim::Document;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder and a host.
pub struct Home {
    pub folder: TempDir,
    pub clock: Arc<FixedClock>,
    pub host: Host,
    pub options: Options,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at("2026-03-01T09:00:00Z"));
        let host = Host::new(Arc::clone(&clock) as Arc<_>);
        let options = Options {
            folder: folder.path().to_owned(),
            slots: 2,
            allow_unpinned: false,
            signing_keys: Vec::new(),
        };
        Self { folder, clock, host, options }
    }

    /// Writes a component and says how it is to be loaded: pinned, and granted everything.
    pub fn spec(&self, name: &str, component: &[u8]) -> Spec {
        let file = format!("{name}.wasm");
        std::fs::write(self.folder.path().join(&file), component).unwrap();
        let grant = ["title", "costRates", "license", "kind"].map(str::to_owned).to_vec();
        Spec {
            name: name.to_owned(),
            path: file.into(),
            sha256: Some(sha256(component)),
            sources: Vec::new(),
            hooks: None,
            reads: grant.clone(),
            writes: grant,
            overrides: BTreeSet::new(),
            overwrite_manual: false,
            policy: OnFailure::default(),
            limits: Limits { deadline: Duration::from_millis(400), ..Limits::default() },
            required: true,
            tables: Vec::new(),
            settings: json!({}),
            tests: Vec::new(),
        }
    }

    pub fn load(&self, specs: &[Spec]) -> Result<Done, HostError> {
        self.host.load(&self.options, specs, &Names::new(Vec::new()))
    }

    /// Loads one plugin.
    pub fn one(&self, component: &[u8]) -> Arc<Loaded> {
        self.load(&[self.spec("test", component)]).unwrap();
        self.host.find("test").unwrap()
    }

    /// Says why a plugin is refused.
    pub fn refusal(&self, spec: Spec) -> String {
        let error = self.load(&[spec]).unwrap_err();
        assert!(self.host.plugins().is_empty(), "nothing is loaded of what is refused");
        error.to_string()
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    rosterd::roster::hex(&Sha256::digest(bytes))
}

/// A request in which nobody is dry.
pub fn about() -> About {
    About {
        tenant: "main".into(),
        source: "okta".into(),
        operation: Operation::Create,
        request: RequestId::from_bytes([7; 16]),
        now: Timestamp::from_second(1_772_355_600).unwrap(),
        today: "2026-03-01".parse().unwrap(),
        dry_run: false,
        series: Series::Alone,
    }
}

/// Somebody with a title.
pub fn anna() -> Subject {
    let core: Value = json!({ "userName": "anna@example.com", "title": "Senior", "active": true });
    let document = Document { core: core.as_object().unwrap().clone(), extensions: Vec::new() };
    Subject { id: ResourceId::from_bytes([1; 16]), document, groups: Vec::new(), shadow: Map::new() }
}

pub fn nothing() -> Held {
    Held::default()
}
