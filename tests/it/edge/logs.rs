//! X61, X62: one event is one plain line, and a line shows neither a query nor a credential nor a path with an id.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use rosterd::telemetry::{LogForm, subscriber};

use super::support::Edge;

/// A sink to look into.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn listen(form: LogForm, filter: &str) -> (Sink, tracing::subscriber::DefaultGuard) {
    let sink = Sink::default();
    let writer = sink.clone();
    let (subscriber, _) = subscriber(form, filter, move || writer.clone()).unwrap();
    (sink, tracing::subscriber::set_default(subscriber))
}

#[test]
fn x61_whatever_is_logged_one_event_is_one_line_of_plain_characters() {
    let hostile = "a\r\nb\x1b[31mc\u{202e}d\u{2028}e\u{7f}f\u{9b}g\u{200b}h\0";
    for form in [LogForm::Readable, LogForm::Json] {
        let (sink, _guard) = listen(form, "info");
        tracing::info!(field = hostile, shown = %hostile, "{hostile}");
        let text = sink.text();
        assert_eq!(text.matches('\n').count(), 1, "{form:?}: {text:?}");
        let line = text.strip_suffix('\n').unwrap();
        assert!(
            !line.contains(|each: char| each.is_control() || "\u{202e}\u{2028}\u{200b}".contains(each)),
            "{line:?}"
        );
        if form == LogForm::Json {
            let parsed: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(parsed["field"], hostile);
            assert_eq!(parsed["message"], hostile);
        }
    }
}

#[test]
fn a_filter_that_is_none_is_named() {
    let error = subscriber(LogForm::Readable, "info,=,", io::sink).err().unwrap();
    assert!(error.to_string().contains("found `info,=,`"), "{error}");
}

// One thread, so that the subscriber set for it hears what the server's tasks say.
#[tokio::test]
async fn x62_an_access_line_has_the_template_and_neither_query_nor_id_nor_credential() {
    let (sink, _guard) = listen(LogForm::Json, "debug");
    let edge = Edge::start().await;
    for request in [
        "GET /scim/v2/Users/canary-path?filter=canary-query HTTP/1.1\r\nHost: canary-host\r\nAuthorization: Bearer canary-token\r\nX-Request-Id: mine-1",
        "GET /canary-path/canary?canary HTTP/1.1\r\nHost: a\r\nX-Request-Id: canary id",
        "CANARY /scim/v2/Users HTTP/1.1\r\nHost: a\r\nCookie: canary=1",
        "GET /panic?canary HTTP/1.1\r\nHost: a\r\nX-Request-Id: canary\u{2028}",
        "GET http://canary/%2f HTTP/1.1\r\nHost: canary",
    ] {
        let reply = edge.ask(format!("{request}\r\n\r\n").as_bytes()).await;
        let id = reply.field("x-request-id").unwrap().to_owned();
        let text = sink.text();
        let line = text
            .lines()
            .rfind(|line| line.contains(&id))
            .unwrap_or_else(|| panic!("no line for {request}: {text}"));
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["message"], "request answered");
        assert_eq!(line["status"], reply.status);
    }
    let text = sink.text();
    assert!(!text.to_ascii_lowercase().contains("canary"), "{text}");
    assert!(
        text.contains(r#""route":"/scim/v2/Users/{id}""#) && text.contains(r#""client_request_id":"mine-1""#),
        "{text}"
    );
}

#[tokio::test]
async fn r33_the_cause_of_an_error_and_a_panic_are_in_the_log_with_the_requests_id() {
    let (sink, _guard) = listen(LogForm::Json, "info");
    let edge = Edge::start().await;
    let reply = edge.ask(b"GET /problem HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let id = reply.field("x-request-id").unwrap().to_owned();
    let text = sink.text();
    let line: serde_json::Value =
        serde_json::from_str(text.lines().find(|line| line.contains(&id)).unwrap()).unwrap();
    assert_eq!((&line["cause"], &line["level"]), (&"canary-cause".into(), &"ERROR".into()));

    let reply = edge.ask(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let id = reply.field("x-request-id").unwrap().to_owned();
    assert!(sink.text().lines().any(|line| line.contains(&id) && line.contains("a handler panicked")));
}

#[tokio::test]
async fn an_ordinary_request_leaves_no_line_at_the_level_of_production() {
    let (sink, _guard) = listen(LogForm::Readable, "info");
    let edge = Edge::start().await;
    assert_eq!(edge.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    assert_eq!(sink.text(), "");
}
