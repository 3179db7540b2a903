//! What the people and groups of a connection look like: signs of a mapping that will hurt later. Reads the latest few thousand.

use std::collections::HashMap;

use super::report::{Finding, Suggestion};
use crate::ids::{Address, ConnectionId, KindId, TenantId};
use crate::roster::{LOCAL, RosterError};
use crate::scim::{Document, fold};
use crate::store::{Snapshot, Stored};

/// Most people that are read, the latest.
pub(super) const USERS_MAX: u64 = 2000;
/// Most groups.
const GROUPS_MAX: u64 = 1000;
/// Most bytes of records that are read: a person may be a megabyte.
const BYTES_MAX: usize = 64 << 20;
/// Most e-mail addresses of one person that are compared.
const MAILS_MAX: usize = 10;
/// How many are named as examples.
const EXAMPLES_MAX: usize = 3;

/// What an `externalId` looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// The id of an object, which nobody will ever change.
    Id,
    /// An e-mail address or a user principal name.
    Mail,
    /// A short name of the person.
    Nickname,
    /// None of these.
    Other,
}

/// Tells what an `externalId` looks like, beside the person's other names.
pub(super) fn looks(external: &str, document: &Document) -> Looks {
    let is_guid = uuid::Uuid::try_parse(external).is_ok();
    if is_guid || is_okta_id(external) {
        return Looks::Id;
    }
    if external.contains('@') {
        return Looks::Mail;
    }
    let local = |name: &str| fold::same(name.split('@').next().unwrap_or_default(), external);
    let nickname = document.user_name().is_some_and(local)
        || document.values("emails").any(local)
        || document.text("nickName").is_some_and(|name| fold::same(name, external))
        || is_dotted_name(external, document);
    if nickname { Looks::Nickname } else { Looks::Other }
}

/// `00u` and seventeen letters and digits.
fn is_okta_id(text: &str) -> bool {
    text.len() == 20 && text.starts_with("00u") && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `ada.byron`, `byron_a`: letters only, with the family name or the given name in it.
fn is_dotted_name(text: &str, document: &Document) -> bool {
    let folded = fold::fold(text);
    let plain = folded.chars().all(|letter| letter.is_alphabetic() || matches!(letter, '.' | '_' | '-'));
    let part = |name: &str| {
        let part = document.get("name").and_then(|whole| whole.get(name)?.as_str()).map(fold::fold);
        part.is_some_and(|part| part.chars().count() > 1 && folded.contains(part.as_ref()))
    };
    plain && (part("familyName") || part("givenName"))
}

/// People of whom something is said: how many, and the first few by name.
#[derive(Debug, Default)]
struct Few {
    count: u64,
    examples: Vec<String>,
}

impl Few {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count = self.count.saturating_add(1);
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }

    fn examples(&self) -> String {
        self.examples.join(", ")
    }
}

/// What was seen among the people of a connection.
#[derive(Debug, Default)]
struct Seen {
    users: u64,
    mail_as_id: Few,
    nickname_as_id: Few,
    without_id: Few,
    unreachable: Few,
    without_family_name: Few,
    elsewhere: Few,
}

/// Looks at people and groups.
pub(super) fn findings(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    connection: ConnectionId,
    shared: &[Address],
    suggestion: Option<&Suggestion>,
) -> Result<Vec<Finding>, RosterError> {
    let mut seen = Seen::default();
    // Whose each address is: of this connection, of another.
    let mut mails: HashMap<String, (bool, bool)> = HashMap::new();
    each(snapshot, tenant, KindId::USER, USERS_MAX, |stored| {
        let document = Document::from_segments(stored.segments())
            .map_err(|error| RosterError::Broken(error.to_string()))?;
        let ours = stored.connection() == Some(connection);
        if stored.connection().is_some_and(|by| by != LOCAL) {
            for mail in document.values("emails").take(MAILS_MAX) {
                let (here, there) = mails.entry(fold::fold(mail).into_owned()).or_default();
                *here |= ours;
                *there |= !ours;
            }
        }
        if ours {
            seen.user(&document);
        }
        Ok(())
    })?;
    let mut both: Vec<String> =
        mails.into_iter().filter(|(_, (here, there))| *here && *there).map(|(mail, _)| mail).collect();
    both.sort();
    for mail in both {
        seen.elsewhere.add(|| mail);
    }
    let mut all = seen.findings(suggestion);
    all.extend(twice(snapshot, tenant, shared)?);
    all.extend(groups(snapshot, tenant, connection)?);
    Ok(all)
}

/// Hands over the latest records of a kind, the latest first.
fn each(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    kind: KindId,
    most: u64,
    mut take: impl FnMut(&Stored) -> Result<(), RosterError>,
) -> Result<(), RosterError> {
    let skip = snapshot.count(tenant, kind)?.saturating_sub(most);
    let ids = snapshot.ids(tenant, kind, None, skip, usize::try_from(most).unwrap_or(usize::MAX))?;
    let mut bytes = 0_usize;
    for id in ids.into_iter().rev() {
        if let Some(stored) = snapshot.get(tenant, Address { kind, id })? {
            bytes = stored.segments().fold(bytes, |sum, (_, json)| sum.saturating_add(json.len()));
            take(&stored)?;
        }
        if bytes > BYTES_MAX {
            break;
        }
    }
    Ok(())
}

fn name(document: &Document) -> String {
    document.user_name().or_else(|| document.display_name()).unwrap_or_default().to_owned()
}

impl Seen {
    fn user(&mut self, document: &Document) {
        self.users = self.users.saturating_add(1);
        match document.external_id().map(|external| (external, looks(external, document))) {
            None => self.without_id.add(|| name(document)),
            Some((external, Looks::Mail)) => self.mail_as_id.add(|| external.to_owned()),
            Some((external, Looks::Nickname)) => self.nickname_as_id.add(|| external.to_owned()),
            Some((_, Looks::Id | Looks::Other)) => {}
        }
        let has_mail = document.values("emails").next().is_some();
        if !has_mail && !document.user_name().is_some_and(|name| name.contains('@')) {
            self.unreachable.add(|| name(document));
        }
        let family = document.get("name").and_then(|name| name.get("familyName"));
        if family.is_none() {
            self.without_family_name.add(|| name(document));
        }
    }

    fn findings(&self, suggestion: Option<&Suggestion>) -> Vec<Finding> {
        let mut all = Vec::new();
        let id_of = match suggestion.map(|suggestion| suggestion.profile.as_str()) {
            Some("entra") => {
                "in Entra's attribute mapping set externalId to objectId (the default is mailNickname), and restart provisioning"
            }
            Some("okta") => {
                "in Okta set the external id to the user's Okta id (user.getInternalProperty(\"id\"))"
            }
            _ => "in the provider's attribute mapping set externalId to the id of the person's object",
        };
        for (found, what) in
            [(&self.mail_as_id, "an e-mail address or a login"), (&self.nickname_as_id, "a short name")]
        {
            if found.count > 0 {
                all.push(Finding::problem(
                    format!(
                        "externalId is {what} for {} of {} people, such as {}",
                        found.count,
                        self.users,
                        found.examples()
                    ),
                    "names change and are given to others later; then the provider finds nobody, or somebody else",
                    id_of,
                ));
            }
        }
        if self.without_id.count > 0 {
            all.push(Finding::advice(
                format!(
                    "{} of {} people have no externalId, such as {}",
                    self.without_id.count,
                    self.users,
                    self.without_id.examples()
                ),
                "without it a person is only recognised by userName, which changes with the name",
                id_of,
            ));
        }
        if self.unreachable.count > 0 {
            all.push(Finding::problem(
                format!(
                    "{} of {} people have no e-mail address, and a userName that is none: {}",
                    self.unreachable.count,
                    self.users,
                    self.unreachable.examples()
                ),
                "nothing can be sent to them, and nobody can match them by address",
                "map the address to emails[type eq \"work\"].value, or the login to userName",
            ));
        }
        if self.without_family_name.count > 0 {
            all.push(Finding::advice(
                format!(
                    "{} of {} people have no name.familyName, such as {}",
                    self.without_family_name.count,
                    self.users,
                    self.without_family_name.examples()
                ),
                "lists sort by it, and Okta's own test of the connection wants a user who has one",
                "map the surname to name.familyName and the first name to name.givenName",
            ));
        }
        if self.elsewhere.count > 0 {
            all.push(Finding::problem(
                format!(
                    "{} e-mail addresses belong to people of this connection and to people of another, such as {}",
                    self.elsewhere.count,
                    self.elsewhere.examples()
                ),
                "two connections seem to send the same people under different logins; each is there twice",
                "let one provider send them, and remove them from the other's assignment",
            ));
        }
        all
    }
}

/// Says who is changed by more than one connection.
fn twice(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    shared: &[Address],
) -> Result<Option<Finding>, RosterError> {
    let mut found = Few::default();
    for at in shared {
        let stored = if found.examples.len() < EXAMPLES_MAX { snapshot.get(tenant, *at)? } else { None };
        found.add(|| stored.map_or_else(|| at.id.to_string(), |stored| stored.display().to_owned()));
    }
    Ok((found.count > 0).then(|| {
        Finding::problem(
            format!(
                "{} people were changed by this connection and by another: {}",
                found.count,
                found.examples()
            ),
            "what one of them sets the other overwrites, again and again",
            "decide which provider a person comes from, and take them out of the other's scope",
        )
    }))
}

fn groups(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Option<Finding>, RosterError> {
    let (mut empty, mut all) = (Few::default(), 0_u64);
    each(snapshot, tenant, KindId::GROUP, GROUPS_MAX, |stored| {
        if stored.connection() == Some(connection) {
            all = all.saturating_add(1);
            if snapshot.touched(tenant, stored.at().id)?.is_none_or(|edges| edges.count == 0) {
                empty.add(|| stored.display().to_owned());
            }
        }
        Ok(())
    })?;
    Ok((empty.count > 0).then(|| {
        Finding::advice(
            format!("{} of {all} groups have no members, such as {}", empty.count, empty.examples()),
            "providers create a group first and send its members afterwards; if they do not come, the people are not assigned",
            "assign the group's people to the application as well, and look for failed PATCH requests on /Groups",
        )
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_external_id_is_told_from_the_names_of_a_person() {
        let document = Document::from_segments([(
            "core",
            json!({"userName": "ada@acme.test", "name": {"givenName": "Ada", "familyName": "Byron"},
                   "emails": [{"value": "a.king@acme.test"}]})
            .to_string()
            .as_str(),
        )])
        .unwrap();
        for (external, expected) in [
            ("3c1f1f7e-2a8e-4e53-9a51-0d6f2f0f9b11", Looks::Id),
            ("3C1F1F7E-2A8E-4E53-9A51-0D6F2F0F9B11", Looks::Id),
            ("00u1a2b3c4d5e6f7g8h9", Looks::Id),
            ("ada@acme.test", Looks::Mail),
            ("someone@else.test", Looks::Mail),
            ("ADA", Looks::Nickname),
            ("a.king", Looks::Nickname),
            ("Ada.Byron", Looks::Nickname),
            ("byron_a", Looks::Nickname),
            ("701984", Looks::Other),
            ("e-1", Looks::Other),
        ] {
            assert_eq!(looks(external, &document), expected, "{external}");
        }
    }
}
