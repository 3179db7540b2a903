//! `/magic-link…` and `/invite/{token}`: coming in by a mailed link (T02, T03, T07). Looking at a link shows a button and changes nothing, because programs look through mails.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::forms::{CODE, Form as Shown, LOGIN, new_password as new_fields, say};
use super::means::{Attempt, From, door, door_of, new_password, place_of, welcome};
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::signin::browser::{Form, must_be_ours};
use crate::http::signin::login::{HOME, Wish, parameter};
use crate::roster::{
    Caller, FirstPassword, LinkPurpose, MailedKey, MailedView, NotProved, Refused, RosterError, Whose,
};
use crate::signin::vault::Purpose;

/// What is said whether there is somebody or not (X11).
const SENT: &str = "If there is somebody of that name here who signs in so, a mail is on its way. It arrives within minutes; another one is sent \
                    after five minutes at the earliest.";

/// Shows the form by which somebody asks for a link.
pub async fn ask_page(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    ask_form(&edge, &request, "Sign in by mail", "/magic-link")
}

/// The form of whoever asks for a mail.
pub(super) fn ask_form(
    edge: &Edge,
    request: &Request,
    title: &str,
    action: &str,
) -> Result<Response, Problem> {
    if !edge.desk().own()?.mails {
        return say(StatusCode::NOT_FOUND, title, "No mails are sent from here. Ask your administrator.");
    }
    let tenant = parameter(request.uri().query(), "tenant");
    let wish = Wish::of(&edge.desk().offer(), None, tenant.as_deref());
    let shown = Shown {
        title,
        notice: None,
        text: None,
        action,
        hidden: wish.tenant.as_deref().map(|tenant| ("tenant", tenant)).into_iter().collect(),
        fields: vec![LOGIN],
        submit: "Send the mail",
        links: vec![("/login", "Other ways to sign in")],
    };
    shown.answer()
}

/// Has a link mailed to whoever was named.
pub async fn ask(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    order(edge, arrival, request, LinkPurpose::MagicLink).await
}

/// Answers whoever asks for a mail, and makes the link afterwards: neither what is answered nor how long it takes says whether there is somebody.
pub(super) async fn order(
    edge: Edge,
    arrival: Arrival,
    request: Request<Body>,
    purpose: LinkPurpose,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let wish = Wish::of(&edge.desk().offer(), None, form.get("tenant"));
    let login = form.get("login").unwrap_or_default().to_owned();
    // Whoever asks often waits, whether there is somebody or not.
    let attempt = Attempt::of(&edge, &arrival, &parts, format!("mail to {login}"));
    attempt.must_not_wait(own)?;
    attempt.failed(own);
    let Ok(place) = std::sync::Arc::clone(&own.links).try_acquire_owned() else {
        return Err(Problem::busy(1));
    };
    let (then, id) = (edge.clone(), arrival.request_id);
    tokio::spawn(async move {
        let _held = place;
        let inner = then.clone();
        let made = then.patiently(move |edge| {
            let vault = std::sync::Arc::clone(&inner.desk().own().map_err(|_| RosterError::Busy)?.vault);
            let Some(door) = door(edge.roster(), wish.tenant.as_deref(), id)? else { return Ok(false) };
            let seal = |place: &[u8], plain: &[u8]| vault.seal(Purpose::Mail, &[place], plain).ok();
            edge.roster().issue_link_for_login(&door, &login, purpose, &seal)
        });
        match made.await {
            Ok(made) => tracing::info!(made, purpose = purpose.name(), "somebody asked for a mail"),
            Err(problem) => tracing::warn!(status = problem.status().as_u16(), "a mail was not made"),
        }
    });
    say(StatusCode::OK, "Look at your mail", SENT)
}

/// Finds what a link is for.
pub(super) fn look(
    edge: &Edge,
    arrival: &Arrival,
    token: &str,
    purpose: LinkPurpose,
) -> Result<Option<(Caller, MailedKey, MailedView)>, Problem> {
    let Some(key) = MailedKey::parse(token) else { return Ok(None) };
    let Some(door) = door_of(edge.roster(), key.tenant, arrival.request_id)? else { return Ok(None) };
    let looked = edge.roster().look_at_link(&door, &key, purpose)?;
    Ok(looked.map(|looked| (door, key, looked)))
}

/// What is said of every link that opens nothing.
pub(super) fn gone() -> Result<Response, Problem> {
    let text = "It was followed already, is too old, or was replaced by a newer one. Ask for another one.";
    say(StatusCode::NOT_FOUND, "This link is not good any more", text)
}

/// Shows the button.
pub async fn show(
    State(edge): State<Edge>,
    Path(token): Path<String>,
    arrival: Arrival,
) -> Result<Response, Problem> {
    match look(&edge, &arrival, &token, LinkPurpose::MagicLink)? {
        Some((_, _, looked)) => button(&token, &looked, None),
        None => gone(),
    }
}

fn button(token: &str, looked: &MailedView, notice: Option<&str>) -> Result<Response, Problem> {
    let (action, text) = (format!("/magic-link/{token}"), format!("You sign in as {}.", looked.user_name));
    let shown = Shown {
        title: "Sign in",
        notice,
        text: Some(&text),
        action: &action,
        hidden: vec![],
        fields: looked.second_factor.then_some(CODE).into_iter().collect(),
        submit: "Sign in",
        links: vec![],
    };
    shown.answer()
}

/// Lets somebody in by a link.
pub async fn follow(
    State(edge): State<Edge>,
    Path(token): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    come_in(&edge, &arrival, request, &token, LinkPurpose::MagicLink).await
}

/// Shows an invitation.
pub async fn show_invitation(
    State(edge): State<Edge>,
    Path(token): Path<String>,
    arrival: Arrival,
) -> Result<Response, Problem> {
    match look(&edge, &arrival, &token, LinkPurpose::Invitation)? {
        Some((_, _, looked)) => invitation(&edge, &token, &looked, None),
        None => gone(),
    }
}

fn invitation(
    edge: &Edge,
    token: &str,
    looked: &MailedView,
    notice: Option<&str>,
) -> Result<Response, Problem> {
    let mails = edge.desk().own()?.mails;
    let action = format!("/invite/{token}");
    let text = match (looked.takes_password, mails) {
        (true, true) => {
            "Choose a password. You can also leave it out, and have a link mailed to you each time."
        }
        (true, false) => "Choose a password.",
        (false, _) => "Your account is ready.",
    };
    let text = format!("Your user name is {}. {text}", looked.user_name);
    // Without mails nobody comes in a second time without a password.
    let mut fields: Vec<_> = if looked.takes_password { new_fields(!mails).into() } else { vec![] };
    fields.extend(looked.second_factor.then_some(CODE));
    let shown = Shown {
        title: "Welcome",
        notice,
        text: Some(&text),
        action: &action,
        hidden: vec![],
        fields,
        submit: "Open my account",
        links: vec![],
    };
    shown.answer()
}

/// Lets somebody in by an invitation.
pub async fn accept(
    State(edge): State<Edge>,
    Path(token): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    come_in(&edge, &arrival, request, &token, LinkPurpose::Invitation).await
}

async fn come_in(
    edge: &Edge,
    arrival: &Arrival,
    request: Request<Body>,
    token: &str,
    purpose: LinkPurpose,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let Some((door, key, looked)) = look(edge, arrival, token, purpose)? else { return gone() };
    let again = |notice: &str| match purpose {
        LinkPurpose::Invitation => invitation(edge, token, &looked, Some(notice)),
        _ => button(token, &looked, Some(notice)),
    };
    let attempt = Attempt::anywhere(looked.person);
    if looked.second_factor {
        attempt.must_not_wait(own)?;
    }
    let typed = form.get("new_password");
    let sets = match typed.filter(|_| purpose == LinkPurpose::Invitation && looked.takes_password) {
        Some(typed) => {
            let twice = form.get("new_password_again").unwrap_or_default();
            match new_password(edge.roster(), &door, looked.person, typed, twice)? {
                Ok(password) => Some(own.hasher.hash(&password).await?),
                Err(flaw) => return again(&flaw.to_string()),
            }
        }
        None if purpose == LinkPurpose::Invitation && looked.takes_password && !own.mails => {
            return again("Choose a password: without one you could not come in again.");
        }
        None => None,
    };
    let code = form.get("code").unwrap_or_default().to_owned();
    let (from, then, person) = (From::of(edge, arrival, &parts), edge.clone(), looked.person);
    let asked = looked.second_factor;
    let entered = edge.wait(move |roster| {
        let own = then.desk().own().map_err(|_| RosterError::Busy)?;
        let factor = if asked { roster.second_factor(&door, person)? } else { None };
        let second =
            factor.and_then(|factor| own.second(&factor.sealed, &place_of(&door, person), &code, door.now()));
        let sets = sets.as_deref().map(|hash| FirstPassword { hash });
        let whose = Whose::Mailed { key: &key, purpose, second, sets };
        from.enter(roster, &door, whose, &[])
    });
    match entered.await? {
        Ok(entered) => {
            attempt.came_in(own);
            welcome(edge, arrival, &parts, entered, HOME).await
        }
        Err(Refused::NotProved { why: NotProved::SecondFactor | NotProved::SecondFactorWrong, .. }) => {
            attempt.failed(own);
            again("That code is not right, or was used before. Wait for the next one.")
        }
        Err(_) => gone(),
    }
}
