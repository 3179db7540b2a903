//! A transcript as a file: a header, then requests and the answers they must get. The form is described in `conformance/README.md`.

use std::path::{Path, PathBuf};

use rosterd::idp::Profile;
use toml_edit::{DocumentMut, Item};

/// Stands for every profile but `strict`.
const LENIENT: &str = "lenient";

/// A transcript as it was read.
#[derive(Debug)]
pub struct Transcript {
    /// Where it was read from.
    pub path: PathBuf,
    /// The profiles it is played with, one after the other.
    pub profiles: Vec<String>,
    /// Fields that every request sends.
    pub send: Vec<(String, String)>,
    /// Files with schemas that the connection is given, in the transcript's folder.
    pub schemas: Vec<PathBuf>,
    /// Which requirements it shows.
    pub rows: Vec<String>,
    /// The requests and their answers.
    pub steps: Vec<Step>,
}

/// One request, and what must come back.
#[derive(Debug, Default)]
pub struct Step {
    /// Where the request stands in the file.
    pub line: usize,
    /// The section it belongs to; empty before the first one.
    pub section: String,
    /// The method.
    pub method: String,
    /// Path and query, as they are sent.
    pub target: String,
    /// Fields of the request.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte but for captured names.
    pub body: String,
    /// Where the answer stands in the file.
    pub answer_line: usize,
    /// The expected status.
    pub status: u16,
    /// Fields that must be there.
    pub answer_headers: Vec<(String, String)>,
    /// The expected body; empty for an answer without one.
    pub answer_body: String,
}

impl Transcript {
    /// Reads a file below `conformance/`.
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let short = PathBuf::from("conformance").join(name);
        Self::parse(&short, &text).unwrap_or_else(|(line, what)| panic!("{}:{line}: {what}", short.display()))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, (usize, String)> {
        let header: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#:")).collect();
        let header: DocumentMut =
            header.join("\n").parse().map_err(|error| (1, format!("the header is no TOML: {error}")))?;
        let known = ["source", "rows", "why", "profile", "send", "schemas"];
        if let Some((key, _)) = header.iter().find(|(key, _)| !known.contains(key)) {
            return Err((1, format!("unknown key {key:?}; expected one of {}", known.join(", "))));
        }
        let list = |key: &str| -> Vec<String> {
            let texts = header.get(key).and_then(Item::as_array).into_iter().flatten();
            texts.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        for key in ["source", "why"] {
            if header.get(key).and_then(Item::as_str).is_none_or(str::is_empty) {
                return Err((1, format!("the header must say {key} = \"...\"")));
            }
        }
        let rows = list("rows");
        if rows.is_empty() {
            return Err((1, "the header must say which rows this shows: rows = [\"...\"]".to_owned()));
        }
        let profiles = match header.get("profile").and_then(Item::as_str) {
            Some(LENIENT) => lenient(),
            Some(one) => vec![one.to_owned()],
            None if header.contains_key("profile") => list("profile"),
            None => vec!["auto".to_owned()],
        };
        if let Some(unknown) = profiles.iter().find(|name| Profile::by_name(name).is_none()) {
            return Err((1, format!("there is no profile {unknown:?}")));
        }
        if profiles.is_empty() {
            return Err((1, "a list of profiles that names none".to_owned()));
        }
        let send = list("send")
            .iter()
            .map(|line| field(line).ok_or((1, format!("no field: {line}"))))
            .collect::<Result<_, _>>()?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path.parent().unwrap_or(path));
        let schemas = list("schemas").iter().map(|file| folder.join(file)).collect();
        let steps = steps(text)?;
        if steps.is_empty() {
            return Err((1, "a transcript without a request".to_owned()));
        }
        Ok(Self { path: path.to_owned(), profiles, send, schemas, rows, steps })
    }
}

/// Lists every profile but `strict`.
fn lenient() -> Vec<String> {
    let names = Profile::ALL.into_iter().map(|profile| profile.name);
    names.filter(|name| *name != "strict").map(str::to_owned).collect()
}

/// Reads the paragraphs: requests and answers in turn.
fn steps(text: &str) -> Result<Vec<Step>, (usize, String)> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
    let mut asked: Option<Step> = None;
    let mut section = String::new();
    while let Some((at, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("#= ") {
            name.trim().clone_into(&mut section);
        }
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut headers = Vec::new();
        let mut body = String::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            match field(line) {
                Some(field) if body.is_empty() => headers.push(field),
                _ => {
                    if !body.is_empty() {
                        body.push('\n');
                    }
                    body.push_str(line);
                }
            }
        }
        match (asked.take(), line.trim().parse::<u16>()) {
            (Some(step), Ok(status)) => {
                steps.push(Step {
                    answer_line: at,
                    status,
                    answer_headers: headers,
                    answer_body: body,
                    ..step
                });
            }
            (None, Err(_)) => {
                let (method, target) = line
                    .split_once(' ')
                    .ok_or((at, format!("expected a request such as GET /scim/v2/Users, found {line:?}")))?;
                let (method, target) = (method.to_owned(), target.to_owned());
                let section = section.clone();
                asked = Some(Step { line: at, section, method, target, headers, body, ..Step::default() });
            }
            (Some(_), Err(_)) => {
                return Err((at, format!("expected the status of an answer, found {line:?}")));
            }
            (None, Ok(_)) => return Err((at, "an answer without a request".to_owned())),
        }
    }
    match asked {
        Some(step) => Err((step.line, "a request without an answer".to_owned())),
        None => Ok(steps),
    }
}

/// Reads `Name: value`; `None` where the line is part of a body.
fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(": ")?;
    let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    named.then(|| (name.to_owned(), value.trim().to_owned()))
}

#[test]
fn a_transcript_is_played_under_each_profile_that_it_names_and_says_which_it_does_not_know() {
    let read = |profile: &str| {
        let header = "#: source = \"x\"\n#: rows = [\"S1\"]\n#: why = \"y\"\n";
        let text = format!("{header}#: profile = {profile}\n\nGET /x\n\n200\n\n#= second\nGET /y\n\n204\n");
        Transcript::parse(Path::new("x.http"), &text).map_err(|(_, what)| what)
    };
    assert_eq!(read(r#"["auto", "onelogin"]"#).unwrap().profiles, ["auto", "onelogin"]);
    let lenient = read(r#""lenient""#).unwrap().profiles;
    assert_eq!(lenient.len(), Profile::ALL.len() - 1);
    assert!(lenient.contains(&"okta".to_owned()) && !lenient.contains(&"strict".to_owned()));
    assert_eq!(read(r#"["auto", "onelogon"]"#).unwrap_err(), "there is no profile \"onelogon\"");
    assert!(read("[]").is_err());
    let steps = read(r#""auto""#).unwrap().steps;
    assert_eq!(steps.iter().map(|step| step.section.as_str()).collect::<Vec<_>>(), ["", "second"]);
}
