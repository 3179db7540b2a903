//! HTTP/1.1 as a client, as small as it can be: one request, one answer with a `Content-Length` or in chunks, the connection kept.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is taken. A group of 100,000 members fits several times.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const INBOX_BYTES: usize = 16 << 10;
/// Longest line in front of a chunk: sixteen digits, and what little anybody adds.
const CHUNK_LINE_MAX: usize = 32;

/// An open connection.
pub(super) struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
    /// The body of an answer in chunks, put together.
    joined: Vec<u8>,
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
        Ok(Self { stream, inbox: Vec::with_capacity(INBOX_BYTES), joined: Vec::new() })
    }

    /// Sends a request and waits for the whole answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.inbox.clear();
        self.joined.clear();
        let mut frame = None;
        loop {
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            if frame.is_none() {
                frame = Frame::read(&self.inbox)?;
            }
            let Some(frame) = &mut frame else { continue };
            let whole = match frame.length {
                Some(length) => self.inbox.len() >= frame.body + length,
                None => frame.join(&mut self.inbox, &mut self.joined)?,
            };
            if whole {
                let sized = frame.length.and_then(|length| self.inbox.get(frame.body..frame.body + length));
                return Ok(Answer { status: frame.status, body: sized.unwrap_or(&self.joined) });
            }
        }
    }
}

/// Where the parts of an answer are.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    status: u16,
    /// Where the body begins; of one in chunks, where the next chunk does.
    body: usize,
    /// `None` when it comes in chunks.
    length: Option<usize>,
}

impl Frame {
    /// Reads an answer's head; `None` while it has not all come in.
    fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = bytes.get(..end).unwrap_or_default();
        let mut lines = head.split(|byte| *byte == b'\n');
        let status = lines
            .next()
            .and_then(|line| number(line.get(9..12)?))
            .and_then(|status| u16::try_from(status).ok())
            .ok_or_else(|| strange("an answer that does not begin with a status line"))?;
        let mut length = Some(0);
        for line in lines {
            if let Some(value) = field(line, b"content-length:") {
                let value = number(value).ok_or_else(|| strange("a Content-Length that is no number"))?;
                length = Some(value);
            } else if let Some(coding) = field(line, b"transfer-encoding:") {
                if !coding.eq_ignore_ascii_case(b"chunked") {
                    return Err(strange("a Transfer-Encoding that this client does not read"));
                }
                length = None;
            }
        }
        if length.is_some_and(|length| length > ANSWER_BYTES_MAX) {
            return Err(strange("an answer larger than this client takes"));
        }
        Ok(Some(Self { status, body: end + 4, length }))
    }

    /// Takes the chunks that have come in whole out of the inbox; tells whether the last one was among them.
    fn join(&mut self, inbox: &mut Vec<u8>, joined: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let rest = inbox.get(self.body..).unwrap_or_default();
            let Some(line) = rest.windows(2).take(CHUNK_LINE_MAX).position(|two| two == b"\r\n") else {
                let unread = rest.len() <= CHUNK_LINE_MAX;
                return if unread { Ok(false) } else { Err(strange("a chunk that does not tell its size")) };
            };
            let size = rest
                .get(..line)
                .and_then(|digits| usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
                .filter(|size| joined.len() + size <= ANSWER_BYTES_MAX)
                .ok_or_else(|| strange("a chunk whose size is no number, or too large a one"))?;
            let Some(chunk) = rest.get(line + 2..line + 2 + size + 2) else {
                // What was taken makes room, so that an inbox holds a chunk and no whole answer.
                inbox.drain(..self.body);
                self.body = 0;
                return Ok(false);
            };
            let Some(chunk) = chunk.strip_suffix(b"\r\n") else {
                return Err(strange("a chunk that is not as long as it says, or fields behind the last one"));
            };
            joined.extend_from_slice(chunk);
            self.body += line + 2 + size + 2;
            if size == 0 {
                return Ok(true);
            }
        }
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
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
        let expected = Frame { status: 201, body: head.len(), length: Some(3) };
        assert_eq!(Frame::read(&whole).unwrap(), Some(expected));
        assert_eq!(Frame::read(&head[..head.len() - 1]).unwrap(), None);
        let none = Frame::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((none.status, none.length), (204, Some(0)));
    }

    #[test]
    fn an_answer_in_chunks_is_put_together_however_it_comes_in() {
        let whole =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        for piece in [1, 2, 7, whole.len()] {
            let (mut inbox, mut joined, mut frame, mut over) = (Vec::new(), Vec::new(), None, false);
            for bytes in whole.chunks(piece) {
                assert!(!over);
                inbox.extend_from_slice(bytes);
                if frame.is_none() {
                    frame = Frame::read(&inbox).unwrap();
                }
                if let Some(frame) = &mut frame {
                    over = frame.join(&mut inbox, &mut joined).unwrap();
                }
            }
            assert!(over, "{piece}");
            assert_eq!(joined, b"abc0123456789");
        }
    }

    #[test]
    fn a_chunk_that_is_not_what_it_says_is_an_error() {
        for strange in ["x\r\n", "3\r\nabcd\r\n", "FFFFFFFFFF\r\n", &"1".repeat(40)] {
            let mut frame = Frame { status: 200, body: 0, length: None };
            assert!(frame.join(&mut strange.into(), &mut Vec::new()).is_err(), "{strange}");
        }
    }

    #[test]
    fn what_this_client_does_not_understand_is_an_error_and_not_a_success() {
        for strange in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "hello\r\n\r\n",
        ] {
            assert!(Frame::read(strange.as_bytes()).is_err(), "{strange}");
        }
    }
}
