//! HTTP/1.1 as a client, as small as it can be: one request, one answer with a `Content-Length`, the connection kept.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is taken. A page of a thousand users fits many times.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const INBOX_BYTES: usize = 16 << 10;

/// An open connection.
pub(super) struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
}

/// An answer, as it lies in the connection's buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Answer<'_> {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Shows the beginning of the answer in a message.
    pub(super) fn excerpt(&self) -> String {
        let text: String = String::from_utf8_lossy(self.body).chars().take(300).collect();
        format!("{} {text}", self.status)
    }
}

impl Connection {
    pub(super) async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, inbox: Vec::with_capacity(INBOX_BYTES) })
    }

    /// Sends a request and waits for the whole answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.inbox.clear();
        let mut frame = None;
        loop {
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            if frame.is_none() {
                frame = Frame::read(&self.inbox)?;
            }
            if let Some(frame) = &frame
                && self.inbox.len() >= frame.body + frame.length
            {
                let body = self.inbox.get(frame.body..frame.body + frame.length).unwrap_or_default();
                return Ok(Answer { status: frame.status, body });
            }
        }
    }
}

/// Where the parts of an answer are.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    status: u16,
    body: usize,
    length: usize,
}

impl Frame {
    /// Reads an answer's head; `None` while it has not all come in.
    fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let strange = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = bytes.get(..end).unwrap_or_default();
        let mut lines = head.split(|byte| *byte == b'\n');
        let status = lines
            .next()
            .and_then(|line| number(line.get(9..12)?))
            .and_then(|status| u16::try_from(status).ok())
            .ok_or_else(|| strange("an answer that does not begin with a status line"))?;
        let mut length = 0;
        for line in lines {
            if let Some(value) = field(line, b"content-length:") {
                length = number(value).ok_or_else(|| strange("a Content-Length that is no number"))?;
            } else if field(line, b"transfer-encoding:").is_some() {
                return Err(strange("an answer in chunks, which this client does not read"));
            }
        }
        if length > ANSWER_BYTES_MAX {
            return Err(strange("an answer larger than this client takes"));
        }
        Ok(Some(Self { status, body: end + 4, length }))
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_framed_by_its_length() {
        let head = b"HTTP/1.1 201 Created\r\nContent-Type: x\r\ncontent-LENGTH:  3\r\n\r\n";
        let whole = [&head[..], b"abc"].concat();
        let expected = Frame { status: 201, body: head.len(), length: 3 };
        assert_eq!(Frame::read(&whole).unwrap(), Some(expected));
        assert_eq!(Frame::read(&head[..head.len() - 1]).unwrap(), None);
        let none = Frame::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((none.status, none.length), (204, 0));
    }

    #[test]
    fn what_this_client_does_not_understand_is_an_error_and_not_a_success() {
        for strange in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "hello\r\n\r\n",
        ] {
            assert!(Frame::read(strange.as_bytes()).is_err(), "{strange}");
        }
    }
}
