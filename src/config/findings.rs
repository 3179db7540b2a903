//! What the topics find wrong with their values. Where a value was written is not known here: `load` adds it.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// One wrong value.
pub(super) struct Finding {
    pub(super) key: Cow<'static, str>,
    pub(super) what: String,
    pub(super) remedy: Option<String>,
}

/// The wrong values of a configuration.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// Notes a wrong value.
    pub(super) fn wrong(&mut self, key: impl Into<Cow<'static, str>>, what: impl Into<String>, remedy: &str) {
        self.0.push(Finding { key: key.into(), what: what.into(), remedy: Some(remedy.to_owned()) });
    }

    /// Notes a number that is out of range.
    pub(super) fn range<N: PartialOrd + Display>(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        value: N,
        range: RangeInclusive<N>,
    ) {
        if !range.contains(&value) {
            let what = format!("expected {} to {}, found {value}", range.start(), range.end());
            self.0.push(Finding { key: key.into(), what, remedy: None });
        }
    }
}
