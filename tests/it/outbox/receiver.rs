//! A receiver of webhooks: answers as a test says, remembers everything, and checks signatures by itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// Longest wait for a delivery.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a delivery is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// With a status.
    Status(u16),
    /// With a status and one more field.
    With(u16, &'static str),
    /// Not at all: the connection is held until the other side gives up.
    Stalls,
}

/// Something that was delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub fields: Vec<(String, String)>,
    pub text: String,
    pub body: Value,
    pub mood: Mood,
}

impl Delivery {
    /// The number in the history.
    pub fn seq(&self) -> u64 {
        self.body["seq"].as_u64().unwrap()
    }

    /// Whose it is.
    pub fn resource(&self) -> String {
        self.body["resource"]["id"].as_str().unwrap().to_owned()
    }

    /// What it is.
    pub fn what(&self) -> String {
        self.body["type"].as_str().unwrap().to_owned()
    }

    /// Whether the receiver said that it has it.
    pub fn taken(&self) -> bool {
        matches!(self.mood, Mood::Status(200..=299))
    }

    /// Checks the signature as a receiver does: any of the given ones, by one secret, within five minutes of `now`.
    pub fn is_signed_by(&self, secret: &str, now: i64) -> bool {
        let key = match secret.strip_prefix("whsec_") {
            Some(coded) => STANDARD.decode(coded).unwrap(),
            None => secret.as_bytes().to_vec(),
        };
        let sent: i64 = self.timestamp.parse().unwrap();
        if (now - sent).abs() > 300 {
            return false;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", self.id, self.timestamp, self.text).as_bytes());
        let expected = STANDARD.encode(mac.finalize().into_bytes());
        self.signature.split(' ').any(|one| one.split_once(',') == Some(("v1", &expected)))
    }
}

type Choose = Box<dyn Fn(&Value) -> Mood + Send + Sync>;

struct Shared {
    choose: Mutex<Arc<Choose>>,
    deliveries: Mutex<Vec<Delivery>>,
    came: Condvar,
    stopped: AtomicBool,
}

/// A running receiver.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts one that chooses its answer by the body.
    pub fn start(choose: impl Fn(&Value) -> Mood + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            choose: Mutex::new(Arc::new(Box::new(choose))),
            deliveries: Mutex::default(),
            came: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A daemon that is killed in between is what the test is about.
                std::thread::spawn(move || stream.and_then(|stream| serve(&stream, &serving)));
            }
        });
        Self { port, shared, server: Some(server) }
    }

    /// Takes everything.
    pub fn willing() -> Self {
        Self::start(|_| Mood::Status(200))
    }

    /// Changes its mind.
    pub fn now(&self, choose: impl Fn(&Value) -> Mood + Send + Sync + 'static) {
        *self.shared.choose.lock().unwrap() = Arc::new(Box::new(choose));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in?x=1", self.port)
    }

    /// Everything that came, in the order in which it came.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.lock().unwrap().clone()
    }

    /// How many deliveries were taken.
    pub fn taken(&self) -> usize {
        self.shared.deliveries.lock().unwrap().iter().filter(|delivery| delivery.taken()).count()
    }

    /// Waits until what came fits, and returns it.
    #[track_caller]
    pub fn until(&self, fits: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let deadline = Instant::now() + PATIENCE;
        let mut deliveries = self.shared.deliveries.lock().unwrap();
        while !fits(&deliveries) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "this never came; what came: {deliveries:#?}");
            deliveries = self.shared.came.wait_timeout(deliveries, left).unwrap().0;
        }
        deliveries.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(());
    }
    assert_eq!(line, "POST /in?x=1 HTTP/1.1\r\n");
    let mut fields = Vec::new();
    loop {
        let mut field = String::new();
        if reader.read_line(&mut field)? == 0 {
            return Ok(());
        }
        let Some((name, value)) = field.trim_end().split_once(':') else { break };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let field = |name: &str| {
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut body = vec![0; field("content-length").parse().unwrap()];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8(body).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let choose = Arc::clone(&shared.choose.lock().unwrap());
    let mood = choose(&body);
    let delivery = Delivery {
        id: field("webhook-id"),
        timestamp: field("webhook-timestamp"),
        signature: field("webhook-signature"),
        mood: mood.clone(),
        fields: fields.clone(),
        text,
        body,
    };
    shared.deliveries.lock().unwrap().push(delivery);
    shared.came.notify_all();
    let mut stream = stream;
    match mood {
        Mood::Status(status) => write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"),
        Mood::With(status, more) => {
            write!(stream, "HTTP/1.1 {status} X\r\n{more}\r\nContent-Length: 0\r\n\r\n")
        }
        Mood::Stalls => {
            // Until the other side has had enough.
            let _ = reader.read(&mut [0]);
            Ok(())
        }
    }
}
