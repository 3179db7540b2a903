//! What a column is about.

use crate::ids::KindId;
use crate::psa::urn;
use crate::scim::attr::{Resolved, resolve};
use crate::scim::schema::{Kind, Type};

/// The columns of an export, in their order. An import knows them, those of one entry of a history (`costRate.amount`…), and the path of any attribute with one value.
pub const PEOPLE_COLUMNS: [&str; 34] = [
    "userName",
    "externalId",
    "employeeNumber",
    "givenName",
    "middleName",
    "familyName",
    "displayName",
    "email",
    "title",
    "timezone",
    "locale",
    "preferredLanguage",
    "phone.work",
    "phone.mobile",
    "phone.other",
    "organization",
    "division",
    "department",
    "active",
    "kind",
    "company",
    "client",
    "userTypes",
    "overrides",
    "license",
    "employments",
    "financialVisibility",
    "integrations",
    "activateOn",
    "deactivateOn",
    "nickName",
    "userType",
    "costRates",
    "billingRates",
];

/// What a column is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An attribute with one value, or a part of one.
    Plain {
        /// The extension that defines it.
        extension: Option<String>,
        /// The attribute.
        name: String,
        /// Its part.
        sub: Option<String>,
        /// Of which type.
        data: Type,
        /// Whether it is for those only who may see money.
        money: bool,
    },
    /// The address that is the primary one.
    Email,
    /// A number of a type.
    Phone(&'static str),
    /// Something of the firm's, by name.
    Link(&'static str, KindId),
    /// `type@costCenter;…`, the primary one first.
    UserTypes,
    /// `permission@effect@level@costCenter;…`.
    Overrides,
    /// `template@startDate@overtimeBalanceStartDate@disabled;…`.
    Employments,
    /// A part of one employment, beside the others.
    Employment(&'static str),
    /// `amount currency@startDate;…`.
    Rates(&'static str),
    /// A part of one rate, beside the others.
    Rate(&'static str, &'static str),
    /// `system@id;…`.
    Integrations,
}

impl Target {
    /// Finds what a column is about; `None` for what an import does not know.
    pub fn of(kind: &Kind, column: &str) -> Option<Self> {
        let column = column.trim();
        let folded = column.to_ascii_lowercase();
        let path = match folded.as_str() {
            "email" => return Some(Self::Email),
            "phone.work" => return Some(Self::Phone("work")),
            "phone.mobile" => return Some(Self::Phone("mobile")),
            "phone.other" => return Some(Self::Phone("other")),
            "company" => return Some(Self::Link("company", KindId::COMPANY)),
            "client" => return Some(Self::Link("client", KindId::CLIENT)),
            "license" => return Some(Self::Link("license", KindId::LICENSE_POOL)),
            "usertypes" => return Some(Self::UserTypes),
            "overrides" => return Some(Self::Overrides),
            "employments" => return Some(Self::Employments),
            "employment.template" => return Some(Self::Employment("template")),
            "employment.startdate" => return Some(Self::Employment("startDate")),
            "employment.overtimebalancestartdate" => {
                return Some(Self::Employment("overtimeBalanceStartDate"));
            }
            "employment.hourbalancedisabled" => return Some(Self::Employment("hourBalanceDisabled")),
            "costrates" => return Some(Self::Rates("costRates")),
            "billingrates" => return Some(Self::Rates("billingRates")),
            "costrate.amount" => return Some(Self::Rate("costRates", "amount")),
            "costrate.currency" => return Some(Self::Rate("costRates", "currency")),
            "costrate.startdate" => return Some(Self::Rate("costRates", "startDate")),
            "billingrate.amount" => return Some(Self::Rate("billingRates", "amount")),
            "billingrate.currency" => return Some(Self::Rate("billingRates", "currency")),
            "billingrate.startdate" => return Some(Self::Rate("billingRates", "startDate")),
            "integrations" => return Some(Self::Integrations),
            "givenname" | "middlename" | "familyname" => format!("name.{folded}"),
            "kind" | "financialvisibility" => format!("{}:{folded}", urn::USER),
            "activateon" | "deactivateon" => format!("{}:schedule.{folded}", urn::USER),
            _ => column.to_owned(),
        };
        Self::plain(kind, &path)
    }

    fn plain(kind: &Kind, path: &str) -> Option<Self> {
        let Resolved::Attribute { extension, attribute, sub } = resolve(path, kind) else { return None };
        let last = sub.unwrap_or(attribute);
        let closed = [attribute, last]
            .iter()
            .any(|one| one.is_read_only() || one.is_secret() || one.multi_valued || one.names.is_some());
        if closed
            || last.kind == Type::Complex
            || matches!(attribute.name.as_str(), "id" | "schemas" | "meta")
        {
            return None;
        }
        Some(Self::Plain {
            extension: extension.map(str::to_owned),
            name: attribute.name.clone(),
            sub: sub.map(|sub| sub.name.clone()),
            data: last.kind,
            money: attribute.financial,
        })
    }

    /// Tells whether it is for those only who may see money.
    pub const fn is_money(&self) -> bool {
        matches!(self, Self::Rates(_) | Self::Rate(..) | Self::Plain { money: true, .. })
    }
}

/// Tells whether a column of [`PEOPLE_COLUMNS`] is about money.
pub fn is_money_column(column: &str) -> bool {
    matches!(column, "costRates" | "billingRates")
}
