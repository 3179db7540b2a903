//! Has mails sent while the daemon serves: what is due is opened, put into words and handed to the mail server, one at a time; what is not taken is tried
//! again later.
//!
//! Links begin with the public URL of the settings (X37). What a mail opens is in clear here alone, between the vault and the connection to the mail server.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::duty::Duty;
use crate::http::drain::Drain;
use crate::mail::{About, MailError, MailServer, Words};
use crate::roster::{Letter, LetterKind, Roster, RosterError, Sent, letter_place};
use crate::signin::vault::{Purpose, Vault};

/// How late a mail goes out that nobody rang for: one that is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who sends mails.
pub(super) struct Post {
    pub roster: Arc<Roster>,
    pub vault: Arc<Vault>,
    pub server: MailServer,
    /// Under which URL browsers find us, without a slash at its end.
    pub public_url: String,
    pub attempts_max: u32,
    /// Rung when something was committed.
    pub bell: Arc<Notify>,
}

/// What a sealed letter holds.
#[derive(Deserialize)]
struct Opens {
    token: String,
    #[serde(default)]
    code: Option<String>,
}

impl Post {
    /// Sends until the daemon stops. What is under way then is handed over first, within its time.
    pub(super) async fn keep(self, drain: Drain, duty: Duty) {
        loop {
            if duty.is_ours()
                && let Err(error) = self.send_due(&drain, &duty).await
            {
                tracing::warn!(%error, "mails could not be looked at; they are again shortly");
            }
            tokio::select! {
                () = drain.begun() => return,
                _ = timeout(LOOK_EVERY, self.bell.notified()) => {}
            }
        }
    }

    async fn send_due(&self, drain: &Drain, duty: &Duty) -> Result<(), RosterError> {
        loop {
            let roster = Arc::clone(&self.roster);
            let (letters, _) = wait(move || roster.letters_due()).await?;
            if letters.is_empty() {
                return Ok(());
            }
            for letter in letters {
                if drain.has_begun() || !duty.is_ours() {
                    return Ok(());
                }
                self.send(letter).await?;
            }
        }
    }

    async fn send(&self, letter: Letter) -> Result<(), RosterError> {
        let letter = Arc::new(letter);
        if letter.kind == LetterKind::Instructions && self.invite(&letter).await? {
            return Ok(());
        }
        let sent = match self.about(&letter) {
            Some(about) => self.hand_over(&letter, about).await,
            None => Sent::Never("what it opens cannot be unsealed".to_owned()),
        };
        if let Sent::Later(why) | Sent::Never(why) = &sent {
            tracing::warn!(letter = %letter.id, kind = letter.kind.name(), why, "a mail was not sent");
        }
        let (roster, attempts_max) = (Arc::clone(&self.roster), self.attempts_max);
        let dropped = wait(move || roster.letter_came_to(&letter, &sent, attempts_max, roster.request_id()));
        if dropped.await? {
            tracing::error!("a mail was given up; the history says to whom, and why");
        }
        Ok(())
    }

    async fn invite(&self, letter: &Arc<Letter>) -> Result<bool, RosterError> {
        let (roster, vault, letter) = (Arc::clone(&self.roster), Arc::clone(&self.vault), Arc::clone(letter));
        wait(move || roster.invite_by_letter(&letter, roster.request_id(), &seals(&vault))).await
    }

    async fn hand_over(&self, letter: &Letter, about: About) -> Sent {
        let words =
            Words { name: &letter.display_name, login: &letter.user_name, firm: &letter.tenant_name, about };
        let parts = match words.write() {
            Ok(parts) => parts,
            Err(error) => return Sent::Never(format!("the mail could not be written: {error}")),
        };
        match self.server.send(&letter.to, &letter.id.to_string(), parts).await {
            Ok(()) => Sent::Done,
            Err(MailError::Later(why)) => Sent::Later(why),
            Err(MailError::Never(why)) => Sent::Never(why),
        }
    }

    /// Says what a letter is about; `None` where what it opens is not to be had.
    fn about(&self, letter: &Letter) -> Option<About> {
        let minute = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let at = minute(letter.made);
        let kind = match letter.kind {
            LetterKind::Instructions => {
                let url = format!("{}/login?tenant={}", self.public_url, letter.tenant_name);
                return Some(About::Provider { url });
            }
            LetterKind::PasswordChanged => return Some(About::PasswordChanged { at }),
            LetterKind::AddressChanged => return Some(About::AddressChanged { at }),
            kind => kind,
        };
        let opened = self.open(letter)?;
        let until = minute(letter.until?);
        let below = match kind {
            LetterKind::Invitation => "invite",
            LetterKind::MagicLink => "magic-link",
            _ => "password/reset",
        };
        let url = format!("{}/{below}/{}", self.public_url, opened.token);
        Some(match (kind, opened.code) {
            (LetterKind::Invitation, _) => About::Invitation { url, until },
            (LetterKind::MagicLink, _) => About::MagicLink { url, until },
            (_, Some(code)) => About::Reset { url, code, until },
            (_, None) => return None,
        })
    }

    fn open(&self, letter: &Letter) -> Option<Opens> {
        let sealed = letter.sealed.as_deref()?;
        let place = letter_place(letter.tenant, letter.id);
        match self.vault.open(Purpose::Mail, &[&place], sealed) {
            Ok(plain) => serde_json::from_slice(&plain).ok(),
            Err(error) => {
                tracing::error!(%error, "a mail cannot be unsealed");
                None
            }
        }
    }
}

/// Seals what mails open.
pub(super) fn seals(vault: &Arc<Vault>) -> impl Fn(&[u8], &[u8]) -> Option<Vec<u8>> + use<> {
    let vault = Arc::clone(vault);
    move |place: &[u8], plain: &[u8]| {
        let sealed = vault.seal(Purpose::Mail, &[place], plain);
        sealed.inspect_err(|error| tracing::error!(%error, "a mail cannot be sealed")).ok()
    }
}

async fn wait<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RosterError> + Send + 'static,
) -> Result<T, RosterError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| RosterError::Broken("a task that looks at mails failed".to_owned()))?
}
