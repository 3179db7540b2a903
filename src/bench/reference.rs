//! The servers that the daemon is compared with: as little as an HTTP server in this language can do.
//!
//! Same library, same number of threads, same socket options as the daemon; no routing, no checks, no time-outs. Each runs in a process of its
//! own, writes its address as the first line of its output, and ends when its input does.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What a reference does with a request.
#[derive(Debug, Clone)]
pub enum Reference {
    /// Answers with these bytes, whatever was asked.
    Get(Bytes),
    /// Parses the body as JSON, serialises it, and sends it back.
    Echo,
}

impl Reference {
    /// A body of so many bytes.
    pub fn get(bytes: usize) -> Self {
        Self::Get(Bytes::from(vec![b' '; bytes]))
    }
}

/// Serves until standard input ends.
pub fn serve(reference: &Reference, out: &mut dyn Write) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(out, "{}", listener.local_addr()?)?;
        out.flush()?;
        tokio::select! {
            ended = accept(listener, reference.clone()) => ended,
            () = input_ended() => Ok(()),
        }
    })
}

/// Answers whoever connects, until it is dropped.
pub(super) async fn accept(listener: TcpListener, reference: Reference) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let reference = reference.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(reference.clone(), request));
            // A connection that fails is the client's to count.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    reference: Reference,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
    let mut response = match reference {
        Reference::Get(body) => Response::new(Full::new(body)),
        Reference::Echo => match echo(request).await {
            Some(body) => Response::new(Full::new(body.into())),
            None => {
                let mut refused = Response::new(Full::default());
                *refused.status_mut() = StatusCode::BAD_REQUEST;
                refused
            }
        },
    };
    response.headers_mut().insert(CONTENT_TYPE, SCIM_JSON);
    Ok(response)
}

async fn echo(request: Request<Incoming>) -> Option<Vec<u8>> {
    let bytes = request.into_body().collect().await.ok()?.to_bytes();
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    serde_json::to_vec(&value).ok()
}

/// Returns when whoever started this process has gone.
async fn input_ended() {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut sink = [0; 64];
        while matches!(io::stdin().read(&mut sink), Ok(1..)) {}
        let _ = tell.send(());
    });
    let _ = told.await;
}
