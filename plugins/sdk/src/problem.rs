//! What a plugin has to say about its input or itself, and what it finds, claims and notes.

use crate::{Claim, Finding, Note, Problem, ProblemKind, Severity};

impl Problem {
    fn of(kind: ProblemKind, path: Option<&str>, detail: String) -> Self {
        Self { kind, path: path.map(str::to_owned), detail }
    }

    /// An attribute has a value that cannot be: 400, told to the client.
    ///
    /// ```
    /// # use rosterd_plugin::Problem;
    /// let problem = Problem::invalid_value("title", "expected a title of the rate card, found \"Wizard\"");
    /// assert_eq!(problem.path.as_deref(), Some("title"));
    /// ```
    pub fn invalid_value(path: &str, detail: impl Into<String>) -> Self {
        Self::of(ProblemKind::InvalidValue, Some(path), detail.into())
    }

    /// An attribute is needed and absent: 400, told to the client.
    pub fn missing_data(path: &str, detail: impl Into<String>) -> Self {
        Self::of(ProblemKind::MissingData, Some(path), detail.into())
    }

    /// An attribute contradicts what is held: 409, told to the client.
    pub fn conflict(path: &str, detail: impl Into<String>) -> Self {
        Self::of(ProblemKind::Conflict, Some(path), detail.into())
    }

    /// This may not be: 403, told to the client.
    pub fn denied(detail: impl Into<String>) -> Self {
        Self::of(ProblemKind::Denied, None, detail.into())
    }

    /// A setting or a table is wrong; `at` names it. The plugin's policy decides what follows, and the detail is for rosterd's log.
    pub fn configuration(at: &str, detail: impl Into<String>) -> Self {
        Self::of(ProblemKind::Configuration, Some(at), detail.into())
    }

    /// The plugin itself is wrong. The plugin's policy decides what follows, and the detail is for rosterd's log.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::of(ProblemKind::Internal, None, detail.into())
    }
}

impl Finding {
    fn of(severity: Severity, path: &str, code: &str, detail: impl Into<String>) -> Self {
        Self { severity, path: Some(path.to_owned()), code: code.to_owned(), detail: detail.into() }
    }

    /// Something that refuses the request.
    pub fn error(path: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::of(Severity::Error, path, code, detail)
    }

    /// Something that goes to the history, and that somebody should look at.
    pub fn warning(path: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::of(Severity::Warning, path, code, detail)
    }

    /// Something that goes to the history.
    pub fn note(path: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::of(Severity::Note, path, code, detail)
    }
}

impl Claim {
    /// A claim whose value is a text.
    ///
    /// ```
    /// # use rosterd_plugin::Claim;
    /// assert_eq!(Claim::text("badge", "0042").json, r#""0042""#);
    /// ```
    pub fn text(name: &str, value: &str) -> Self {
        Self::value(name, &serde_json::Value::from(value))
    }

    /// A claim whose value is any JSON.
    pub fn value(name: &str, value: &serde_json::Value) -> Self {
        Self { name: name.to_owned(), json: value.to_string() }
    }
}

impl Note {
    /// A word for programs, and the same for people.
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into() }
    }
}
