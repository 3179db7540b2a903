//! Names of attributes: from what an operator and a plugin's manifest write to what the schemas have.
//!
//! Core, enterprise and PSA attributes go by their bare name, those of other schemas by their URN and name. `groups` and `shadow` are words of
//! their own. What is never returned can be granted to nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::show::{ENTERPRISE, is_secret};
use crate::ids::KindId;
use crate::psa::kinds;
use crate::psa::urn::USER as PSA;
use crate::roster::hooks::{Grant, Granted};
use crate::scim::schema::{Kind, Schema};

/// The schemas by which names are resolved.
#[derive(Debug, Clone)]
pub struct Names {
    user: Option<Arc<Kind>>,
    /// Schemas of the operator's own.
    own: Vec<Arc<Schema>>,
    /// Whether those are all that there are.
    complete: bool,
}

/// Why a name is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No schema has it.
    #[error(
        "there is no attribute {0:?}; core, enterprise and PSA attributes go by their name (title, department, costRates), others by their URN and name, and there are the words groups and shadow"
    )]
    Unknown(String),
    /// The schema has no such attribute.
    #[error("the schema {urn} has no attribute {name:?}")]
    UnknownOf {
        /// The schema.
        urn: String,
        /// The name.
        name: String,
    },
    /// There is no such schema.
    #[error("there is no schema {0}; rosterd schema list shows those of the operator's own")]
    NoSchema(String),
    /// It is shown to nobody.
    #[error("{0} is never shown to anybody, and cannot be granted")]
    Secret(String),
    /// It cannot be proposed.
    #[error("{0} is not for plugins to write: it is computed, or decided elsewhere")]
    ReadOnly(String),
}

impl Names {
    /// Takes the built-in schemas, and all that operators have added.
    pub fn new(own: Vec<Arc<Schema>>) -> Self {
        Self { complete: true, ..Self::built_in(own) }
    }

    /// Takes the built-in schemas only; a URN that is not among them is believed.
    pub fn without_own() -> Self {
        Self::built_in(Vec::new())
    }

    fn built_in(own: Vec<Arc<Schema>>) -> Self {
        let all = kinds::all();
        let user = all.by_id(KindId::USER).cloned();
        Self { user, own, complete: false }
    }

    /// Resolves what is read.
    pub fn reads(&self, names: &[String]) -> Result<BTreeSet<Granted>, NameError> {
        names.iter().map(|name| self.resolve(name)).collect()
    }

    /// Resolves what is written: neither what is computed, nor what decides who somebody is or whether they may come in.
    pub fn writes(&self, names: &[String]) -> Result<BTreeSet<Granted>, NameError> {
        names
            .iter()
            .map(|name| {
                let granted = self.resolve(name)?;
                let may = match &granted {
                    Granted::Attribute { urn, name } => {
                        let found = self.attribute(urn.as_deref(), name);
                        !found.is_some_and(|found| found.read_only)
                    }
                    Granted::Groups | Granted::Shadow => false,
                };
                if may { Ok(granted) } else { Err(NameError::ReadOnly(name.clone())) }
            })
            .collect()
    }

    fn resolve(&self, name: &str) -> Result<Granted, NameError> {
        match name {
            "groups" => return Ok(Granted::Groups),
            "shadow" => return Ok(Granted::Shadow),
            _ => {}
        }
        let has_urn = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        let (urn, found) = match name.rsplit_once(':') {
            Some((urn, bare)) if has_urn => {
                let known = self.schema(urn);
                match (known, self.attribute(Some(urn), bare)) {
                    (_, Some(found)) => (found.urn.clone(), Some(found)),
                    (true, None) => {
                        return Err(NameError::UnknownOf { urn: urn.to_owned(), name: bare.to_owned() });
                    }
                    (false, None) if self.complete => return Err(NameError::NoSchema(urn.to_owned())),
                    // A schema of the operator's own, which nobody here can look at.
                    (false, None) => {
                        return Ok(Granted::Attribute { urn: Some(urn.to_owned()), name: bare.to_owned() });
                    }
                }
            }
            _ => {
                let places = [None, Some(ENTERPRISE), Some(PSA)];
                let found = places.into_iter().find_map(|urn| self.attribute(urn, name));
                (found.as_ref().and_then(|found| found.urn.clone()), found)
            }
        };
        let Some(found) = found else { return Err(NameError::Unknown(name.to_owned())) };
        if found.secret {
            return Err(NameError::Secret(name.to_owned()));
        }
        Ok(Granted::Attribute { urn, name: found.name })
    }

    /// Tells whether a schema is known.
    fn schema(&self, urn: &str) -> bool {
        let built_in = || self.user.as_ref().is_some_and(|user| user.schema(urn).is_some());
        built_in() || self.own.iter().any(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    fn attribute(&self, urn: Option<&str>, name: &str) -> Option<Found> {
        let user = self.user.as_ref()?;
        let core = urn.is_some_and(|urn| urn.eq_ignore_ascii_case(&user.core.id));
        let Some(urn) = urn.filter(|_| !core) else {
            return user.attribute(name).map(|attribute| Found::of(None, attribute));
        };
        let own = self.own.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn)).map(AsRef::as_ref);
        let schema = user.extension(urn).or(own)?;
        schema.attribute(name).map(|attribute| Found::of(Some(schema.id.clone()), attribute))
    }

    /// Tells whether an attribute holds one value, so that two plugins cannot both have it their way.
    pub(super) fn is_single(&self, granted: &Granted) -> bool {
        match granted {
            Granted::Attribute { urn, name } => {
                self.attribute(urn.as_deref(), name).is_none_or(|found| !found.many)
            }
            Granted::Groups | Granted::Shadow => false,
        }
    }
}

/// What is to be known of an attribute here.
struct Found {
    urn: Option<String>,
    name: String,
    secret: bool,
    read_only: bool,
    many: bool,
}

impl Found {
    fn of(urn: Option<String>, attribute: &crate::scim::schema::Attribute) -> Self {
        Self {
            urn,
            name: attribute.name.clone(),
            secret: attribute.is_secret() || is_secret(&attribute.name),
            read_only: attribute.is_read_only(),
            many: attribute.multi_valued,
        }
    }
}

/// Lists what a manifest wants and a grant does not give, as the operator would write it.
pub fn lacking(wanted: &BTreeSet<Granted>, given: &BTreeSet<Granted>) -> Vec<String> {
    wanted.difference(given).map(spelled).collect()
}

/// Writes a granted attribute as an operator would.
pub fn spelled(granted: &Granted) -> String {
    match granted {
        Granted::Groups => "groups".to_owned(),
        Granted::Shadow => "shadow".to_owned(),
        Granted::Attribute { urn: None, name } => name.clone(),
        Granted::Attribute { urn: Some(urn), name } if urn == ENTERPRISE || urn == PSA => name.clone(),
        Granted::Attribute { urn: Some(urn), name } => format!("{urn}:{name}"),
    }
}

/// Two plugins that may both set one single value for the same requests, and which value.
pub fn clash(names: &Names, one: &Grant, other: &Grant) -> Option<String> {
    let both = one.writes.intersection(&other.writes);
    both.into_iter().find(|granted| names.is_single(granted)).map(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Result<Granted, NameError> {
        Names::new(Vec::new()).reads(&[name.to_owned()]).map(|all| all.into_iter().next().unwrap())
    }

    fn attribute(urn: Option<&str>, name: &str) -> Granted {
        Granted::Attribute { urn: urn.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn a_bare_name_is_of_the_core_the_enterprise_or_the_psa_schema() {
        assert_eq!(read("title"), Ok(attribute(None, "title")));
        assert_eq!(read("TITLE"), Ok(attribute(None, "title")));
        assert_eq!(read("department"), Ok(attribute(Some(ENTERPRISE), "department")));
        assert_eq!(read("costRates"), Ok(attribute(Some(PSA), "costRates")));
        assert_eq!(read("urn:ietf:params:scim:schemas:core:2.0:User:title"), Ok(attribute(None, "title")));
        assert_eq!(read("externalId"), Ok(attribute(None, "externalId")));
        assert_eq!(read("groups"), Ok(Granted::Groups));
        assert_eq!(read("shadow"), Ok(Granted::Shadow));
    }

    #[test]
    fn x57_what_is_never_returned_cannot_be_granted() {
        assert_eq!(read("password"), Err(NameError::Secret("password".into())));
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User:password";
        assert_eq!(read(urn), Err(NameError::Secret(urn.into())));
    }

    #[test]
    fn a_name_that_no_schema_has_is_refused() {
        assert_eq!(read("cost-rates"), Err(NameError::Unknown("cost-rates".into())));
        assert_eq!(read("urn:example:x:badge"), Err(NameError::NoSchema("urn:example:x".into())));
        let wrong = format!("{PSA}:rates");
        assert_eq!(read(&wrong), Err(NameError::UnknownOf { urn: PSA.into(), name: "rates".into() }));
        let names = Names::without_own();
        let all = names.reads(&["urn:example:x:badge".to_owned()]).unwrap();
        assert!(all.contains(&attribute(Some("urn:example:x"), "badge")));
    }

    #[test]
    fn what_is_computed_cannot_be_proposed() {
        let names = Names::new(Vec::new());
        for name in ["groups", "shadow", "id", "meta", "lifecycle", "accountOwner"] {
            let refused = names.writes(&[name.to_owned()]);
            assert_eq!(refused, Err(NameError::ReadOnly(name.into())), "{name}");
        }
        assert!(names.writes(&["costRates".to_owned(), "title".to_owned()]).is_ok());
    }

    #[test]
    fn two_writers_clash_about_a_single_value_only() {
        let names = Names::new(Vec::new());
        let grant = |writes: &[&str]| {
            let writes: Vec<String> = writes.iter().map(|&name| name.to_owned()).collect();
            Grant { writes: names.writes(&writes).unwrap(), ..Grant::default() }
        };
        assert_eq!(
            clash(&names, &grant(&["license", "title"]), &grant(&["license"])),
            Some("license".into())
        );
        assert_eq!(clash(&names, &grant(&["costRates"]), &grant(&["costRates"])), None);
        assert_eq!(clash(&names, &grant(&["license"]), &grant(&["kind"])), None);
    }
}
