//! Where log lines go and what they look like: readable ones or JSON, on standard error (X61).
//!
//! `docs/LOGGING.md` says how messages and fields are written. Whatever ends up in a line, one event is one line: control
//! characters, escape sequences and characters that turn the direction of text are shown as `\uXXXX`.

use std::io::{self, Write};

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, reload};

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogForm {
    /// For people.
    #[default]
    Readable,
    /// One JSON object per line, for machines.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("expected a log filter such as `info` or `info,rosterd::access=debug`, found `{found}`: {why}")]
    Filter {
        /// What was given.
        found: String,
        /// What the parser said.
        why: ParseError,
    },
    /// Somebody has set it up already.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Sets up logging for the whole process. Called once.
pub fn start(form: LogForm, filter: &str) -> Result<Volume, TelemetryError> {
    let (subscriber, volume) = subscriber(form, filter, io::stderr)?;
    tracing::Dispatch::from(subscriber).try_init()?;
    Ok(volume)
}

/// Turns the log up or down while it is written.
#[derive(Debug, Clone)]
pub struct Volume(reload::Handle<EnvFilter, Registry>);

impl Volume {
    /// Takes another filter; on an error the old one stays.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        let filter = parse_filter(filter)?;
        // The subscriber lives as long as the process, so there is always something to reload.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

fn parse_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|why| TelemetryError::Filter { found: filter.to_owned(), why })
}

/// A subscriber, ready to be set.
pub type AnySubscriber = Box<dyn tracing::Subscriber + Send + Sync>;

/// Makes a subscriber that writes to any sink; for [`start`] and for tests.
pub fn subscriber<W>(form: LogForm, filter: &str, sink: W) -> Result<(AnySubscriber, Volume), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse_filter(filter)?);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Plain(sink));
    let registry = tracing_subscriber::registry().with(filter);
    let subscriber: AnySubscriber = match form {
        LogForm::Readable => Box::new(registry.with(lines)),
        LogForm::Json => Box::new(registry.with(lines.json().flatten_event(true))),
    };
    Ok((subscriber, Volume(handle)))
}

/// A sink behind which a line is one line of plain characters.
struct Plain<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Plain<W> {
    type Writer = PlainWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        PlainWriter(self.0.make_writer())
    }
}

/// Escapes what it is given; the formatting layer hands over one event at a time, with one line end.
struct PlainWriter<W>(W);

impl<W: Write> Write for PlainWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if line.contains(is_unsafe) {
            let mut escaped = escape(line);
            escaped.push('\n');
            self.0.write_all(escaped.as_bytes())?;
        } else {
            self.0.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Tells whether a character could end a line, command a terminal, or turn or hide text.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Shows each unsafe character as `\uXXXX`, which is also what JSON would write.
pub fn escape(line: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(line.len().saturating_add(16));
    for character in line.chars() {
        if is_unsafe(character) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}
