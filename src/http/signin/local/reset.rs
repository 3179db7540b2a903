//! `/password/reset…`: setting a new password by a mailed link and what its mail says is to be typed in (P05). It lets nobody in.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::forms::{Form as Shown, MAILED_CODE, new_password as new_fields, say};
use super::links::{ask_form, gone, look, order};
use super::means::new_password;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::signin::browser::{Form, must_be_ours};
use crate::roster::{LinkPurpose, NotProved};

const WRONG: &str =
    "Those are not the letters and digits from the mail. After five mistakes the link is dead.";

/// Shows the form by which somebody asks for a mail.
pub async fn ask_page(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    ask_form(&edge, &request, "Set a new password", "/password/reset")
}

/// Has a mail sent to whoever was named.
pub async fn ask(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    order(edge, arrival, request, LinkPurpose::Reset).await
}

/// Shows the form behind the link.
pub async fn show(
    State(edge): State<Edge>,
    Path(token): Path<String>,
    arrival: Arrival,
) -> Result<Response, Problem> {
    match look(&edge, &arrival, &token, LinkPurpose::Reset)? {
        Some(_) => form_of(&token, None),
        None => gone(),
    }
}

fn form_of(token: &str, notice: Option<&str>) -> Result<Response, Problem> {
    let action = format!("/password/reset/{token}");
    let mut fields = vec![MAILED_CODE];
    fields.extend(new_fields(true));
    let shown = Shown {
        title: "Set a new password",
        notice,
        text: None,
        action: &action,
        hidden: vec![],
        fields,
        submit: "Set it",
        links: vec![],
    };
    shown.answer()
}

/// Sets the new password.
pub async fn reset(
    State(edge): State<Edge>,
    Path(token): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let Some((door, key, looked)) = look(&edge, &arrival, &token, LinkPurpose::Reset)? else { return gone() };
    let code = form.get("mailed_code").unwrap_or_default().to_owned();
    let (at, typed) = (door.clone(), code.clone());
    // Counted before anything is said of the password: nobody learns for nothing whether a code is right.
    match edge.wait(move |roster| roster.check_code(&at, &key, &typed)).await? {
        Ok(()) => {}
        Err(NotProved::WrongCode) => return form_of(&token, Some(WRONG)),
        Err(_) => return gone(),
    }
    let typed = form.get("new_password").unwrap_or_default();
    let again = form.get("new_password_again").unwrap_or_default();
    let password = match new_password(edge.roster(), &door, looked.person, typed, again)? {
        Ok(password) => password,
        Err(flaw) => return form_of(&token, Some(&flaw.to_string())),
    };
    let hash = own.hasher.hash(&password).await?;
    match edge.wait(move |roster| roster.reset_password(&door, &key, &code, &hash)).await? {
        Ok(_) => say(StatusCode::OK, "Your password is set", "Sign in with it now."),
        Err(_) => gone(),
    }
}
