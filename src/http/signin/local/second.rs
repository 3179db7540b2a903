//! `/me/second-factor`: setting up a second factor, and turning it off (H11, T13).

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::forms::{CODE, Codes, Field, Form as Shown};
use super::means::{Attempt, place_of};
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::signin::browser::{Form, must_be_ours};
use crate::http::signin::pages;
use crate::http::signin::visit::{self, Visit};
use crate::roster::RosterError;
use crate::signin::local::{RecoveryCodes, TotpSecret};
use crate::signin::vault::Purpose;

const WRONG: &str = "That code is not right, or was used before. Wait for the next one.";

/// Shows how a second factor is set up; each look makes another secret, until one is confirmed.
pub async fn show(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    if visit::find(&edge, &parts)?.is_none() {
        return pages::see_other("/login?return_to=/me/second-factor");
    }
    let visit = Visit::from_request_parts(&mut parts, &edge).await?;
    let factor = edge.roster().second_factor(&visit.caller, visit.live.person)?;
    if factor.is_some_and(|factor| factor.confirmed) {
        return off(None);
    }
    begin(&edge, &visit).await
}

fn off(notice: Option<&str>) -> Result<Response, Problem> {
    let shown = Shown {
        title: "Your second factor is on",
        notice,
        text: Some("To turn it off, or to set it up on another device, type a code of it."),
        action: "/me/second-factor",
        hidden: vec![("do", "off")],
        fields: vec![CODE],
        submit: "Turn it off",
        links: vec![("/me", "My account")],
    };
    shown.answer()
}

async fn begin(edge: &Edge, visit: &Visit) -> Result<Response, Problem> {
    let own = edge.desk().own()?;
    let secret = TotpSecret::new(edge.desk().chance.as_ref());
    let person = visit.live.person;
    let place = place_of(&visit.caller, person);
    let sealed = own.vault.seal(Purpose::SecondFactor, &[&place], secret.as_bytes());
    let sealed = sealed.map_err(|error| Problem::internal(error.to_string()))?;
    let kept = sealed.clone();
    edge.run(visit.caller.clone(), move |roster, caller| roster.begin_second_factor(caller, person, &kept))
        .await?;
    on(&secret, None)
}

fn on(secret: &TotpSecret, notice: Option<&str>) -> Result<Response, Problem> {
    let text = format!(
        "Add an account to your authenticator app with this key: {}. Then type the six digits that it shows.",
        secret.shown().as_str()
    );
    let shown = Shown {
        title: "Set up a second factor",
        notice,
        text: Some(&text),
        action: "/me/second-factor",
        hidden: vec![("do", "on")],
        // There are no recovery codes yet.
        fields: vec![Field { label: "The six digits that the app shows", ..CODE }],
        submit: "Turn it on",
        links: vec![("/me", "My account")],
    };
    shown.answer()
}

/// Turns it on or off, for a code.
pub async fn change(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let visit = Visit::from_request_parts(&mut parts, &edge).await?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let person = visit.live.person;
    let attempt = Attempt::anywhere(person);
    attempt.must_not_wait(own)?;
    let Some(factor) = edge.roster().second_factor(&visit.caller, person)? else {
        return pages::see_other("/me/second-factor");
    };
    let code = form.get("code").unwrap_or_default();
    let place = place_of(&visit.caller, person);
    let now = edge.desk().now();
    if factor.confirmed {
        let (then, code) = (edge.clone(), code.to_owned());
        let dropped = edge.run(visit.caller, move |roster, caller| {
            let own = then.desk().own().map_err(|_| RosterError::Busy)?;
            match own.second(&factor.sealed, &place, &code, now) {
                Some(second) => Ok(roster.drop_second_factor(caller, person, second)?.is_ok()),
                None => Ok(false),
            }
        });
        if dropped.await? {
            attempt.came_in(own);
            return pages::see_other("/me");
        }
        attempt.failed(own);
        return off(Some(WRONG));
    }
    let secret = own.vault.open(Purpose::SecondFactor, &[&place], &factor.sealed);
    let secret = TotpSecret::from_bytes(secret.map_err(|error| Problem::internal(error.to_string()))?);
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let Some(step) = secret.step_of(code, seconds) else {
        attempt.failed(own);
        return on(&secret, Some(WRONG));
    };
    let codes = RecoveryCodes::new(edge.desk().chance.as_ref());
    let kept = codes.0.clone();
    let confirmed = edge.run(visit.caller, move |roster, caller| {
        let kept: Vec<&str> = kept.iter().map(|code| code.as_str()).collect();
        roster.confirm_second_factor(caller, person, (&factor.sealed, step), &kept)
    });
    confirmed.await?;
    let shown = Codes {
        title: "Your second factor is on",
        text: "Keep these recovery codes where nobody else finds them. Each opens your account once when your device is lost. They are not shown again.",
        all: codes.0.iter().map(|code| code.as_str()).collect(),
    };
    pages::page(StatusCode::OK, &shown)
}
