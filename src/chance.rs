//! The only source of randomness, and the maker of ids and secrets.
//!
//! A seeded source stands in for the operating system's in tests, so that a failing run can be played again.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

/// Makes random bytes. Cheap to call from any thread.
pub trait Chance: Send + Sync + fmt::Debug {
    /// Fills the buffer with bytes that nobody can guess.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Chance {
    /// Makes a version 7 UUID: the millisecond of `now`, then 74 random bits (RFC 9562 §5.7).
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0_u8; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Makes 256 random bits.
    pub fn secret(&self) -> [u8; 32] {
        let mut secret = [0_u8; 32];
        self.fill(&mut secret);
        secret
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[expect(
        clippy::disallowed_methods,
        clippy::expect_used,
        reason = "the one place; without randomness nothing is safe"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer)
            .expect("the operating system gave no random bytes, and nothing is safe without them");
    }
}

/// A generator that gives the same bytes for the same seed (SHA-256 in counter mode); never for secrets that count.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct SeededChance {
    seed: u64,
    counter: std::sync::atomic::AtomicU64,
}

#[cfg(any(test, feature = "testing"))]
impl SeededChance {
    /// Starts the sequence that belongs to a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: std::sync::atomic::AtomicU64::new(0) }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Chance for SeededChance {
    fn fill(&self, buffer: &mut [u8]) {
        use sha2::Digest;
        for chunk in buffer.chunks_mut(32) {
            let count = self.counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let block = sha2::Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(count.to_be_bytes())
                .finalize();
            for (out, byte) in chunk.iter_mut().zip(block) {
                *out = byte;
            }
        }
    }
}
