//! The forms of the firm's own means: what is asked, and no more.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::problem::Problem;
use crate::http::signin::pages;

/// A form.
#[derive(Template)]
#[template(path = "form.html")]
pub(super) struct Form<'a> {
    pub title: &'a str,
    pub notice: Option<&'a str>,
    pub text: Option<&'a str>,
    pub action: &'a str,
    pub hidden: Vec<(&'static str, &'a str)>,
    pub fields: Vec<Field>,
    pub submit: &'a str,
    pub links: Vec<(&'a str, &'a str)>,
}

/// A field of one.
pub(super) struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: &'static str,
    pub autocomplete: &'static str,
    pub most: usize,
    pub required: bool,
}

/// Codes that are shown once.
#[derive(Template)]
#[template(path = "codes.html")]
pub(super) struct Codes<'a> {
    pub title: &'a str,
    pub text: &'a str,
    pub all: Vec<&'a str>,
}

/// Who somebody is.
pub(super) const LOGIN: Field = Field {
    name: "login",
    label: "User name or e-mail address",
    kind: "text",
    autocomplete: "username",
    most: 320,
    required: true,
};

/// The password that somebody has.
pub(super) const PASSWORD: Field = Field {
    name: "password",
    label: "Password",
    kind: "password",
    autocomplete: "current-password",
    most: 1024,
    required: true,
};

/// A code of the second factor.
pub(super) const CODE: Field = Field {
    name: "code",
    label: "Code of your second factor, or a recovery code",
    kind: "text",
    autocomplete: "one-time-code",
    most: 64,
    required: true,
};

/// What is to be typed in from a mail.
pub(super) const MAILED_CODE: Field = Field {
    name: "mailed_code",
    label: "The letters and digits from the mail",
    kind: "text",
    autocomplete: "off",
    most: 64,
    required: true,
};

/// The two fields of a new password.
pub(super) fn new_password(required: bool) -> [Field; 2] {
    let field = |name, label| Field {
        name,
        label,
        kind: "password",
        autocomplete: "new-password",
        most: 1024,
        required,
    };
    [field("new_password", "New password"), field("new_password_again", "New password again")]
}

impl Form<'_> {
    /// Answers the form.
    pub fn answer(&self) -> Result<Response, Problem> {
        let status = if self.notice.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
        pages::page(status, self)
    }
}

/// Says something, with a way on.
pub(super) fn say(status: StatusCode, title: &str, text: &str) -> Result<Response, Problem> {
    let link = Some(("/login", "Go to sign-in"));
    pages::page(status, &pages::Message { title, text, reference: None, link })
}
