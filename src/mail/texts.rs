//! What mails say: a subject, a text and the same as HTML, from templates that are compiled in.
//!
//! A link begins with what the settings say (X37), and is the only one in its mail. Names are shown on one line and never without their end, so that nobody can write
//! a mail of their own into ours by what they call themselves.

use askama::Template;

/// Most characters of a name that a mail shows.
const NAME_CHARACTERS_MAX: usize = 80;

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// How to sign in through the firm's provider.
    Provider {
        /// The page to sign in at.
        url: String,
    },
    /// Coming in for the first time.
    Invitation {
        /// The link.
        url: String,
        /// Until when it is good.
        until: String,
    },
    /// Coming in.
    MagicLink {
        /// The link.
        url: String,
        /// Until when it is good.
        until: String,
    },
    /// Setting a new password.
    Reset {
        /// The link.
        url: String,
        /// What has to be typed in.
        code: String,
        /// Until when both are good.
        until: String,
    },
    /// That the password is another one.
    PasswordChanged {
        /// When.
        at: String,
    },
    /// That mails go elsewhere from now on.
    AddressChanged {
        /// When.
        at: String,
    },
}

/// What every mail says.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    /// What the person is called.
    pub name: &'a str,
    /// What they sign in with.
    pub login: &'a str,
    /// The firm.
    pub firm: &'a str,
    /// What it is about.
    pub about: About,
}

/// A mail, written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The subject.
    pub subject: String,
    /// The text.
    pub plain: String,
    /// The same as HTML.
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Plain<'a> {
    name: &'a str,
    login: &'a str,
    firm: &'a str,
    about: &'a About,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    name: &'a str,
    login: &'a str,
    firm: &'a str,
    about: &'a About,
}

impl Words<'_> {
    /// Writes the mail.
    pub fn write(&self) -> Result<Parts, askama::Error> {
        let [name, login, firm] = [self.name, self.login, self.firm].map(line);
        let (name, about) = (if name.is_empty() { &login } else { &name }, &self.about);
        Ok(Parts {
            subject: about.subject(&firm),
            plain: Plain { name, login: &login, firm: &firm, about }.render()?,
            html: Html { name, login: &login, firm: &firm, about }.render()?,
        })
    }
}

impl About {
    fn subject(&self, firm: &str) -> String {
        match self {
            Self::Provider { .. } => format!("How to sign in at {firm}"),
            Self::Invitation { .. } => format!("Your invitation to {firm}"),
            Self::MagicLink { .. } => format!("Your link to sign in at {firm}"),
            Self::Reset { .. } => format!("Set a new password at {firm}"),
            Self::PasswordChanged { .. } => format!("Your password at {firm} was changed"),
            Self::AddressChanged { .. } => format!("Your address at {firm} was changed"),
        }
    }
}

/// Writes a name as one line of a bounded length, without what turns the direction of writing.
fn line(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = text
        .chars()
        .filter(|c| !turns(*c))
        .map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c });
    let mut line: String = shown.take(NAME_CHARACTERS_MAX.saturating_add(1)).collect();
    if line.chars().count() > NAME_CHARACTERS_MAX {
        line.pop();
        line.push('…');
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> [About; 6] {
        let url = || "https://roster.test/x/1.ab".to_owned();
        let until = || "2026-03-01 08:30 UTC".to_owned();
        [
            About::Provider { url: url() },
            About::Invitation { url: url(), until: until() },
            About::MagicLink { url: url(), until: until() },
            About::Reset { url: url(), code: "ABCD2345".to_owned(), until: until() },
            About::PasswordChanged { at: until() },
            About::AddressChanged { at: until() },
        ]
    }

    #[test]
    fn every_mail_says_the_same_as_text_and_as_html() {
        for about in every() {
            let words = Words { name: "Ada & Co", login: "ada", firm: "acme", about: about.clone() };
            let Parts { subject, plain, html } = words.write().unwrap();
            assert!(subject.contains("acme"), "{subject}");
            assert!(
                plain.contains("Hello Ada & Co,") && html.contains("Hello Ada &#38; Co,"),
                "{plain}\n{html}"
            );
            let (url, code) = match &about {
                About::Provider { url } | About::Invitation { url, .. } | About::MagicLink { url, .. } => {
                    (Some(url), None)
                }
                About::Reset { url, code, .. } => (Some(url), Some(code)),
                _ => (None, None),
            };
            for wanted in url.into_iter().chain(code) {
                assert!(
                    plain.contains(wanted.as_str()) && html.contains(wanted.as_str()),
                    "{about:?}\n{plain}\n{html}"
                );
            }
            assert_eq!(plain.matches("http").count(), usize::from(url.is_some()), "{plain}");
            assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        }
    }

    #[test]
    fn nobody_writes_a_mail_of_their_own_by_what_they_call_themselves() {
        let name = "Ada\r\n\r\nYour bank: <a href=\"https://evil.test\">here</a>\u{202e}".to_owned()
            + &"x".repeat(500);
        let words = Words {
            name: &name,
            login: "ada",
            firm: "acme\r\nBcc: all@acme.test",
            about: every()[1].clone(),
        };
        let Parts { subject, plain, html } = words.write().unwrap();
        assert!(!subject.contains(['\r', '\n']), "{subject:?}");
        assert!(!html.contains("<a href=\"https://evil"), "{html}");
        let hello = plain.lines().find(|line| line.starts_with("Hello Ada")).unwrap();
        assert!(hello.chars().count() < 100 && hello.ends_with("…,"), "{hello}");
        assert!(!plain.contains('\u{202e}'));
    }
}
