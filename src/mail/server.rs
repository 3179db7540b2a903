//! The firm's mail server: one mail, one connection, within a time.
//!
//! The connection is opened by `net`, so that it goes where requests may go and nowhere else (X52), and TLS is what requests speak. STARTTLS is done here and
//! not by the library: until TLS stands nothing is read ahead, so that nothing that was slipped in before it is taken for what the server said after it. A server
//! that does not offer it is sent nothing. The library speaks SMTP from then on.

use std::fmt;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::Message;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials as SmtpCredentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::texts::Parts;
use crate::net::{Client, NetError};

/// Longest answer to a command before TLS stands.
const LINE_BYTES_MAX: usize = 1024;
/// Most lines of one.
const LINES_MAX: usize = 64;
/// What we are called where nothing better is known: mail servers want a name or an address in brackets.
const HELLO: &str = "[127.0.0.1]";

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// From a command on.
    Starttls,
    /// From the first byte on.
    Tls,
    /// Not.
    None,
}

/// By what name we sign in there.
#[derive(Clone)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// How long a server may take to hear that nothing more comes.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It never will be: nobody has that address, or the mail is not to be written.
    #[error("the mail is refused for good: {0}")]
    Never(String),
    /// It may be later.
    #[error("the mail server did not take the mail: {0}")]
    Later(String),
}

impl From<NetError> for MailError {
    fn from(error: NetError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<lettre::transport::smtp::Error> for MailError {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        let code = error.status().map(u16::from);
        // What the server says may name the address: of its answer the code is told, and no more.
        match code {
            Some(code) if (500..600).contains(&code) && code != 530 && code != 535 && code != 538 => {
                Self::Never(format!("the server answered {code}"))
            }
            Some(code) => Self::Later(format!("the server answered {code}")),
            None if error.is_timeout() => Self::Later("the server took too long".to_owned()),
            None => Self::Later(
                "the connection broke off, or the server does not speak SMTP as expected".to_owned(),
            ),
        }
    }
}

/// The mail server of the settings.
#[derive(Debug)]
pub struct MailServer {
    net: Arc<Client>,
    host: String,
    port: u16,
    protection: Protection,
    from: Mailbox,
    credentials: Option<Credentials>,
    within: Duration,
}

impl MailServer {
    /// Makes one of settings.
    ///
    /// # Errors
    /// Says what is wrong with `from`.
    pub fn new(
        net: Arc<Client>,
        (host, port, protection): (&str, u16, Protection),
        from: &str,
        credentials: Option<Credentials>,
        within: Duration,
    ) -> Result<Self, String> {
        let from = from.parse().map_err(|error| {
            format!(
                "expected an address such as roster@example.com or \"Roster <roster@example.com>\": {error}"
            )
        })?;
        Ok(Self { net, host: host.to_owned(), port, protection, from, credentials, within })
    }

    /// Hands a mail over. Whether it arrives is for the server.
    pub async fn send(&self, to: &str, id: &str, parts: Parts) -> Result<(), MailError> {
        let message = self.write(to, id, parts)?;
        let sent = timeout(self.within, self.hand_over(&message)).await;
        sent.map_err(|_| MailError::Later(format!("it took longer than {:?}", self.within)))?
    }

    fn write(&self, to: &str, id: &str, parts: Parts) -> Result<Message, MailError> {
        let never = |what: &str| MailError::Never(what.to_owned());
        // An address alone: what stands beside one is no address.
        let to: lettre::Address =
            to.parse().map_err(|_| never("the address is none that mails are sent to"))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(parts.subject)
            // The same at each attempt, so that who gets it twice can tell.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(parts.plain, parts.html))
            .map_err(|_| never("the mail could not be put together"))
    }

    async fn hand_over(&self, message: &Message) -> Result<(), MailError> {
        let hello = self.hello();
        let stream = self.open(&hello.to_string()).await?;
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello).await?;
        if let Some(Credentials { username, password }) = &self.credentials {
            let credentials = SmtpCredentials::new(username.clone(), password.as_str().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        connection.send(message.envelope(), &message.formatted()).await?;
        // It has the mail, which is noted at once: a daemon that was killed before would send it again. Whether it hears us go is all the same.
        tokio::spawn(async move { timeout(GOODBYE, connection.quit()).await });
        Ok(())
    }

    fn hello(&self) -> ClientId {
        let domain = self.from.email.domain();
        if domain.is_ascii() {
            ClientId::Domain(domain.to_owned())
        } else {
            ClientId::Domain(HELLO.to_owned())
        }
    }

    async fn open(&self, hello: &str) -> Result<Box<dyn AsyncTokioStream>, MailError> {
        let plain = self.protection == Protection::None;
        let mut stream = self.net.dial(&self.host, self.port, plain).await?;
        let peer = stream.peer_addr().map_err(NetError::Connect)?;
        Ok(match self.protection {
            Protection::None => Box::new(stream),
            Protection::Tls => {
                let inner = self.net.secure(&self.host, stream).await?;
                Box::new(Secured { greeting: Cursor::new(b""), inner, peer })
            }
            Protection::Starttls => {
                begin_tls(&mut stream, hello).await?;
                let inner = self.net.secure(&self.host, stream).await?;
                // The library waits for a greeting, which came before TLS stood.
                Box::new(Secured { greeting: Cursor::new(b"220 ready\r\n"), inner, peer })
            }
        })
    }
}

/// Says that a program wrote it, so that nobody's absence is answered to us (RFC 3834 §5).
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Asks for TLS (RFC 3207), reading no byte beyond each answer.
async fn begin_tls(stream: &mut TcpStream, hello: &str) -> Result<(), MailError> {
    let later = |what: &str| MailError::Later(what.to_owned());
    let broken = |_: io::Error| later("the connection broke off before TLS stood");
    expect(stream, "220").await?;
    stream.write_all(format!("EHLO {hello}\r\n").as_bytes()).await.map_err(broken)?;
    let offers = expect(stream, "250").await?;
    if !offers.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(later("it does not offer STARTTLS, and nothing is sent without; see mail.tls"));
    }
    stream.write_all(b"STARTTLS\r\n").await.map_err(broken)?;
    expect(stream, "220").await.map(drop)
}

/// Reads one answer of a code; returns what its lines say.
async fn expect(stream: &mut TcpStream, code: &str) -> Result<Vec<String>, MailError> {
    let mut said = Vec::new();
    while said.len() < LINES_MAX {
        let line = line(stream).await?;
        let (found, rest) = line.split_at_checked(3).unwrap_or((&line, ""));
        if found != code {
            let found: String = found.chars().filter(char::is_ascii_digit).collect();
            return Err(MailError::Later(format!("expected the answer {code}, found {found}")));
        }
        said.push(rest.get(1..).unwrap_or_default().to_owned());
        if !rest.starts_with('-') {
            return Ok(said);
        }
    }
    Err(MailError::Later(format!("its answer has more than {LINES_MAX} lines")))
}

/// Reads one line, byte by byte: what follows it is not ours to read yet.
async fn line(stream: &mut TcpStream) -> Result<String, MailError> {
    let mut line = Vec::new();
    while line.len() < LINE_BYTES_MAX {
        match stream.read_u8().await {
            Ok(b'\n') => return Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()),
            Ok(byte) => line.push(byte),
            Err(_) => return Err(MailError::Later("the connection broke off before TLS stood".to_owned())),
        }
    }
    Err(MailError::Later(format!("a line of its answer has more than {LINE_BYTES_MAX} bytes")))
}

/// A connection on which TLS stands.
struct Secured {
    greeting: Cursor<&'static [u8]>,
    inner: tokio_rustls::client::TlsStream<TcpStream>,
    peer: SocketAddr,
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut some = [0_u8; 16];
        let most = some.len().min(buffer.remaining());
        let read = io::Read::read(&mut self.greeting, some.get_mut(..most).unwrap_or_default())?;
        if read > 0 {
            buffer.put_slice(some.get(..read).unwrap_or_default());
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
