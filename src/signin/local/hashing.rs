//! Hashes of passwords: Argon2id, kept as PHC strings, and never more of them at a time than the machine can bear (X10).
//!
//! A hash takes 19 MiB and some hundredths of a second on purpose. So a fixed number is made at once, a bounded number waits, and whoever comes then is told
//! to come later: a flood of sign-ins starves nobody else. Who is not known costs a hash as well, so that nobody learns from the time who is (X11).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::strength::Password;
use crate::chance::Chance;

/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// How often that memory is gone over.
const PASSES: u32 = 2;
/// How many lanes it has.
const LANES: u32 = 1;
/// Bytes of salt.
const SALT_BYTES: usize = 16;
/// Hashes that are made at a time.
pub const AT_ONCE_MAX: usize = 2;
/// Hashes that wait for a turn; further ones are refused.
pub const WAITING_MAX: usize = 64;
/// Most memory that a hash from the store may ask for: one that somebody wrote there must not take the machine.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Most passes that a hash from the store may ask for.
const PASSES_MAX: u32 = 16;

/// Random bytes in the form of a hash of that cost: of no password that anybody knows.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$jaSssCeh5lPqJkDVPBvyzQ$0RdMBYJhn50q3nTL6lxw5PtuDLMdiW8I41Ks4juzMPI";

/// Why nothing was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// Too many wait already.
    #[error("too many sign-ins at a time; try again shortly")]
    Busy,
    /// It could not be done at all.
    #[error("a password could not be hashed")]
    Failed,
}

/// What came of trying a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It is not the one.
    Wrong,
    /// It is. `dearer` is another hash of it, where the kept one is cheaper than new ones are.
    Right {
        /// The hash to keep from now on.
        dearer: Option<String>,
    },
}

/// Makes hashes, and tries passwords against them. One for the whole daemon.
#[derive(Debug)]
pub struct Hasher {
    places: Semaphore,
    queue: Semaphore,
    chance: Arc<dyn Chance>,
    params: Params,
    /// A hash of nothing that anybody knows, tried where there is none.
    dummy: String,
    made: AtomicU64,
}

impl Hasher {
    /// Makes a hasher.
    pub fn new(chance: Arc<dyn Chance>) -> Result<Self, HashingError> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashingError::Failed)?;
        Ok(Self::of(chance, params, DUMMY.to_owned(), (AT_ONCE_MAX, WAITING_MAX)))
    }

    /// Makes one of another cost, and with other bounds.
    pub fn with(
        chance: Arc<dyn Chance>,
        (memory_kib, passes): (u32, u32),
        at_once_max: usize,
        waiting_max: usize,
    ) -> Result<Self, HashingError> {
        let params = Params::new(memory_kib, passes, LANES, None).map_err(|_| HashingError::Failed)?;
        let dummy = hash(&chance.secret(), &params, &chance)?;
        Ok(Self::of(chance, params, dummy, (at_once_max, waiting_max)))
    }

    fn of(
        chance: Arc<dyn Chance>,
        params: Params,
        dummy: String,
        (at_once_max, waiting_max): (usize, usize),
    ) -> Self {
        Self {
            places: Semaphore::new(at_once_max),
            queue: Semaphore::new(at_once_max.saturating_add(waiting_max)),
            chance,
            params,
            dummy,
            made: AtomicU64::new(0),
        }
    }

    /// Hashes a password that is to be kept.
    pub async fn hash(&self, password: &Password) -> Result<String, HashingError> {
        let (password, params, chance) = (password.clone(), self.params.clone(), Arc::clone(&self.chance));
        self.in_turn(move || hash(password.as_bytes(), &params, &chance)).await?
    }

    /// Tries a password against a hash that was kept; against none, it costs as much and is wrong.
    pub async fn try_password(&self, password: &Password, kept: Option<&str>) -> Result<Tried, HashingError> {
        let known = kept.is_some();
        let (kept, password) = (kept.unwrap_or(&self.dummy).to_owned(), password.clone());
        let (params, chance) = (self.params.clone(), Arc::clone(&self.chance));
        self.in_turn(move || {
            let right = verify(password.as_bytes(), &kept);
            if !(right && known) {
                return Ok(Tried::Wrong);
            }
            let dearer = is_cheaper(&kept, &params).then(|| hash(password.as_bytes(), &params, &chance));
            Ok(Tried::Right { dearer: dearer.transpose()? })
        })
        .await?
    }

    /// Says how many passwords were hashed or tried, for tests and metrics.
    pub fn count(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let _queued = self.queue.try_acquire().map_err(|_| HashingError::Busy)?;
        // Never closed; if it were, nothing would be bounded.
        let place = self.places.acquire().await.map_err(|_| HashingError::Failed)?;
        self.made.fetch_add(1, Ordering::Relaxed);
        let done = tokio::task::spawn_blocking(work).await;
        drop(place);
        done.map_err(|_| HashingError::Failed)
    }
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &[u8], params: &Params, chance: &Arc<dyn Chance>) -> Result<String, HashingError> {
    let mut salt = [0_u8; SALT_BYTES];
    chance.fill(&mut salt);
    let made: PasswordHash = argon2(params.clone())
        .hash_password_with_params(password, &salt, params.clone())
        .map_err(|_| HashingError::Failed)?;
    Ok(made.to_string())
}

/// Tells whether a password is the one of a hash. A hash that cannot be read, or asks for too much, is nobody's.
fn verify(password: &[u8], kept: &str) -> bool {
    let Ok(kept) = PasswordHash::new(kept) else { return false };
    let Ok(params) = Params::try_from(&kept) else { return false };
    if kept.algorithm.as_str() != "argon2id"
        || params.m_cost() > MEMORY_KIB_MAX
        || params.t_cost() > PASSES_MAX
    {
        return false;
    }
    argon2(params).verify_password(password, &kept).is_ok()
}

/// Tells whether a hash was cheaper than those that are made now.
fn is_cheaper(kept: &str, now: &Params) -> bool {
    let params = PasswordHash::new(kept).ok().and_then(|kept| Params::try_from(&kept).ok());
    params.is_none_or(|then| {
        then.m_cost() < now.m_cost() || then.t_cost() < now.t_cost() || then.p_cost() < now.p_cost()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    fn hasher(cost: (u32, u32)) -> Hasher {
        Hasher::with(Arc::new(SeededChance::new(7)), cost, 2, 2).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::read(text).unwrap()
    }

    #[tokio::test]
    async fn x10_a_password_is_kept_as_argon2id_with_a_salt_of_its_own_and_found_again() {
        let hasher = Hasher::new(Arc::new(SeededChance::new(7))).unwrap();
        let right = password("correct horse battery");
        let [one, other] = [hasher.hash(&right).await.unwrap(), hasher.hash(&right).await.unwrap()];
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert_eq!(hasher.try_password(&right, Some(&one)).await, Ok(Tried::Right { dearer: None }));
        let wrong = password("correct horse batterz");
        assert_eq!(hasher.try_password(&wrong, Some(&one)).await, Ok(Tried::Wrong));
    }

    #[tokio::test]
    async fn x10_of_long_passwords_every_character_counts() {
        let hasher = hasher((64, 1));
        let long = "long enough ".repeat(10) + "end";
        let kept = hasher.hash(&password(&long)).await.unwrap();
        let mut other = long.clone();
        other.pop();
        assert_eq!(hasher.try_password(&password(&other), Some(&kept)).await, Ok(Tried::Wrong));
        assert!(matches!(hasher.try_password(&password(&long), Some(&kept)).await, Ok(Tried::Right { .. })));
    }

    #[tokio::test]
    async fn x10_a_cheaper_hash_is_made_anew_at_the_next_sign_in() {
        let right = password("correct horse battery");
        let cheap = hasher((64, 1)).hash(&right).await.unwrap();
        let now = hasher((128, 2));
        let Ok(Tried::Right { dearer: Some(dearer) }) = now.try_password(&right, Some(&cheap)).await else {
            panic!("expected a dearer hash")
        };
        assert!(dearer.contains("m=128,t=2"), "{dearer}");
        assert_eq!(now.try_password(&right, Some(&dearer)).await, Ok(Tried::Right { dearer: None }));
        let wrong = password("incorrect horse");
        assert_eq!(now.try_password(&wrong, Some(&cheap)).await, Ok(Tried::Wrong));
    }

    #[tokio::test]
    async fn x11_who_is_not_known_costs_a_hash_and_is_never_let_in() {
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(7));
        let hasher = Hasher::with(Arc::clone(&chance), (64, 1), 2, 2).unwrap();
        assert_eq!(hasher.try_password(&password("anything at all"), None).await, Ok(Tried::Wrong));
        assert_eq!(hasher.count(), 1);
        // What is tried in the place of a hash costs what one costs.
        let hasher = Hasher::new(chance).unwrap();
        assert!(!is_cheaper(DUMMY, &hasher.params) && PasswordHash::new(DUMMY).is_ok());
        assert_eq!(hasher.try_password(&password("anything at all"), None).await, Ok(Tried::Wrong));
    }

    #[tokio::test]
    async fn x10_a_hash_that_asks_for_too_much_or_is_none_is_nobodys() {
        let hasher = hasher((64, 1));
        for kept in [
            "",
            "plain",
            "$argon2id$",
            "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$cjkH0S3hUHrV1JhVmAyNZQ",
            "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$cjkH0S3hUHrV1JhVmAyNZQ",
            "$argon2id$v=19$m=64,t=4000000,p=1$c2FsdHNhbHRzYWx0$cjkH0S3hUHrV1JhVmAyNZQ",
        ] {
            assert_eq!(
                hasher.try_password(&password("anything"), Some(kept)).await,
                Ok(Tried::Wrong),
                "{kept}"
            );
        }
    }

    #[tokio::test]
    async fn x10_more_sign_ins_than_may_wait_are_told_to_come_later() {
        let hasher = hasher((64, 1));
        let held = hasher.places.acquire_many(2).await.unwrap();
        let password = password("anything");
        let tries: Vec<_> = (0..7).map(|_| hasher.try_password(&password, None)).collect();
        let mut came = futures_of(tries, held).await;
        came.sort_by_key(Result::is_ok);
        assert_eq!(came.iter().filter(|one| **one == Err(HashingError::Busy)).count(), 3);
        assert_eq!(came.iter().filter(|one| **one == Ok(Tried::Wrong)).count(), 4);
        assert_eq!(hasher.count(), 4, "who is told to come later costs nothing");
    }

    /// Polls all until each waits or is done, then lets go of the places and finishes them.
    async fn futures_of<'a, F: Future<Output = Result<Tried, HashingError>> + 'a>(
        tries: Vec<F>,
        held: tokio::sync::SemaphorePermit<'a>,
    ) -> Vec<Result<Tried, HashingError>> {
        let mut tries: Vec<_> = tries.into_iter().map(Box::pin).collect();
        let mut done: Vec<Option<Result<Tried, HashingError>>> = tries.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            for (one, done) in tries.iter_mut().zip(&mut done) {
                if let std::task::Poll::Ready(tried) = one.as_mut().poll(context) {
                    *done = Some(tried);
                }
            }
            std::task::Poll::Ready(())
        })
        .await;
        drop(held);
        for (one, done) in tries.iter_mut().zip(&mut done) {
            if done.is_none() {
                *done = Some(one.as_mut().await);
            }
        }
        done.into_iter().flatten().collect()
    }
}
