//! `/password/login`, `/password/second-factor` and `/password/change`: coming in by a password, and setting another (P05, X10, X11).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::forms::{CODE, Form as Shown, LOGIN, PASSWORD, new_password as new_fields, say};
use super::means::{Attempt, From, door, door_of, new_password, place_of, turned_away, welcome};
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::signin::browser::{Form, must_be_ours};
use crate::http::signin::login::{Wish, parameter};
use crate::http::signin::pages::{self, with_cookie};
use crate::ids::ResourceId;
use crate::roster::{
    Caller, Entered, KnownPassword, Live, NotProved, Refused, RosterError, SessionKey, SignInMethod, Whose,
};
use crate::signin::local::{Password, Tried};

/// Where somebody sets a password of their own.
const CHANGE: &str = "/password/change";
/// How long somebody may take for the second factor.
const SECOND_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// How often they may mistype it before they begin anew.
const SECOND_TRIES_MAX: u32 = 5;
/// The one sentence for whoever is not let in.
const NOT_LET_IN: &str = "That did not work. Check user name and password, or ask your administrator.";
const WRONG_CODE: &str = "That code is not right, or was used before. Wait for the next one.";

/// A password was right, and a second factor is awaited.
#[derive(Serialize, Deserialize)]
struct Half {
    person: ResourceId,
    epoch: u64,
    must_change: bool,
    tries: u32,
}

/// Shows the form.
pub async fn page(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let offer = edge.desk().offer();
    let query = request.uri().query();
    let wish =
        Wish::of(&offer, parameter(query, "return_to").as_deref(), parameter(query, "tenant").as_deref());
    ask(&edge, &wish, None)
}

fn ask(edge: &Edge, wish: &Wish, notice: Option<&str>) -> Result<Response, Problem> {
    let mails = edge.desk().own()?.mails;
    let mut links = vec![("/login", "Other ways to sign in")];
    if mails {
        links.push(("/magic-link", "Have a link mailed to you"));
        links.push(("/password/reset", "Forgotten your password?"));
    }
    let shown = Shown {
        title: "Sign in",
        notice,
        text: None,
        action: "/password/login",
        hidden: hidden(wish),
        fields: vec![LOGIN, PASSWORD],
        submit: "Sign in",
        links,
    };
    shown.answer()
}

fn hidden(wish: &Wish) -> Vec<(&'static str, &str)> {
    let mut hidden = vec![("return_to", wish.return_to.as_str())];
    hidden.extend(wish.tenant.as_deref().map(|tenant| ("tenant", tenant)));
    hidden
}

/// Tries a login and a password.
pub async fn login(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let wish = Wish::of(&edge.desk().offer(), form.get("return_to"), form.get("tenant"));
    let name = form.get("login").unwrap_or_default().to_owned();
    let attempt = Attempt::of(&edge, &arrival, &parts, name.clone());
    attempt.must_not_wait(own)?;
    let (tenant, id) = (wish.tenant.clone(), arrival.request_id);
    let found = edge.wait(move |roster| {
        let Some(door) = door(roster, tenant.as_deref(), id)? else { return Ok((None, None)) };
        let known = roster.password_of(&door, &name)?;
        Ok((Some(door), known))
    });
    let (door, known) = found.await?;
    // What cannot be a password costs what one costs.
    let typed = Password::read(form.get("password").unwrap_or_default());
    let stands_in = Password::read("no password").map_err(|_| Problem::internal("a constant"))?;
    let (password, kept) = match &typed {
        Ok(password) => (password, known.as_ref().map(|known| known.hash.as_str())),
        Err(_) => (&stands_in, None),
    };
    let tried = own.hasher.try_password(password, kept).await?;
    let (Tried::Right { dearer }, Some(door), Some(known)) = (tried, door.clone(), known.as_ref()) else {
        attempt.failed(own);
        note(&edge, door, known.map(|known| known.person));
        return ask(&edge, &wish, Some(NOT_LET_IN));
    };
    if let Some(dearer) = dearer {
        keep_dearer(&edge, door.clone(), known, dearer);
    }
    if known.second_factor {
        let half =
            Half { person: known.person, epoch: known.epoch, must_change: known.must_change, tries: 0 };
        return await_second(&edge, &parts, door, half, &wish, None).await;
    }
    let (from, person, epoch) = (From::of(&edge, &arrival, &parts), known.person, known.epoch);
    let entered = edge.wait(move |roster| {
        let whose = Whose::Password { person, epoch, second: None };
        from.enter(roster, &door, whose, &["pwd"])
    });
    match entered.await? {
        Ok(entered) => {
            attempt.came_in(own);
            come_in(&edge, &arrival, &parts, entered, known.must_change, &wish).await
        }
        Err(_) => {
            attempt.failed(own);
            ask(&edge, &wish, Some(NOT_LET_IN))
        }
    }
}

/// Writes down that somebody was not let in, after the answer: whether there is something to write is not to be seen from how long it takes.
fn note(edge: &Edge, door: Option<Caller>, person: Option<ResourceId>) {
    let Some(door) = door else { return };
    let edge = edge.clone();
    tokio::spawn(async move {
        let noted = edge.wait(move |roster| {
            let reason = "the login is unknown, the password is wrong, or the person is not let in";
            turned_away(roster, &door, "wrong_password", person, reason.to_owned())
        });
        if let Err(problem) = noted.await {
            tracing::warn!(status = problem.status().as_u16(), "a refused sign-in was not written down");
        }
    });
}

fn keep_dearer(edge: &Edge, door: Caller, known: &KnownPassword, dearer: String) {
    let edge = edge.clone();
    let known = KnownPassword { hash: known.hash.clone(), ..*known };
    tokio::spawn(async move {
        let kept = edge.wait(move |roster| roster.rehash_password(&door, &known, &dearer));
        if let Err(problem) = kept.await {
            tracing::warn!(status = problem.status().as_u16(), "a dearer hash was not kept");
        }
    });
}

async fn come_in(
    edge: &Edge,
    arrival: &Arrival,
    parts: &Parts,
    entered: Entered,
    must_change: bool,
    wish: &Wish,
) -> Result<Response, Problem> {
    let to = if must_change { CHANGE } else { wish.return_to.as_str() };
    welcome(edge, arrival, parts, entered, to).await
}

/// Remembers that the password was right, for the browser that knew it, and asks for the second factor.
async fn await_second(
    edge: &Edge,
    parts: &Parts,
    door: Caller,
    half: Half,
    wish: &Wish,
    notice: Option<&str>,
) -> Result<Response, Problem> {
    let desk = edge.desk();
    let cookies = desk.offer().cookies.clone();
    let hex = |bytes: [u8; 32]| crate::roster::hex(&bytes);
    let browser = cookies.browser(&parts.headers).map_or_else(|| hex(desk.chance.secret()), str::to_owned);
    let (cookie, state) = (cookies.set_browser(&browser), hex(desk.chance.secret()));
    let text = serde_json::to_string(&half).map_err(|error| Problem::internal(error.to_string()))?;
    let until = desk.now().checked_add(SECOND_WITHIN).unwrap_or_else(|_| desk.now());
    let kept = state.clone();
    edge.wait(move |roster| roster.keep_attempt(&door, &kept, &browser, &text, until)).await?;
    let mut hidden = hidden(wish);
    hidden.push(("state", &state));
    let shown = Shown {
        title: "Second factor",
        notice,
        text: Some("Type the six digits that your device shows, or one of your recovery codes."),
        action: "/password/second-factor",
        hidden,
        fields: vec![CODE],
        submit: "Sign in",
        links: vec![("/login", "Begin again")],
    };
    Ok(with_cookie(shown.answer()?, cookie))
}

/// Takes the second factor after a password that was right.
pub async fn second_factor(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let offer = edge.desk().offer();
    let wish = Wish::of(&offer, form.get("return_to"), form.get("tenant"));
    let again = || ask(&edge, &wish, Some("That took too long, or was begun elsewhere. Begin again."));
    let (Some(state), Some(browser)) = (form.get("state"), offer.cookies.browser(&parts.headers)) else {
        return again();
    };
    let (tenant, id) = (wish.tenant.clone(), arrival.request_id);
    let (state, browser) = (state.to_owned(), browser.to_owned());
    let taken = edge.wait(move |roster| {
        let Some(door) = door(roster, tenant.as_deref(), id)? else { return Ok(None) };
        Ok(roster.take_attempt(&door, &state, &browser)?.map(|text| (door, text)))
    });
    let Some((door, text)) = taken.await? else { return again() };
    let half: Half = serde_json::from_str(&text).map_err(|error| Problem::internal(error.to_string()))?;
    let attempt = Attempt::anywhere(half.person);
    attempt.must_not_wait(own)?;
    let code = form.get("code").unwrap_or_default().to_owned();
    let (person, epoch) = (half.person, half.epoch);
    let (from, then) = (From::of(&edge, &arrival, &parts), edge.clone());
    let at = door.clone();
    let entered = edge.wait(move |roster| {
        let wrong = Refused::NotProved { person: Some(person), why: NotProved::SecondFactorWrong };
        let own = then.desk().own().map_err(|_| RosterError::Busy)?;
        let Some(factor) = roster.second_factor(&at, person)? else { return Ok(Err(wrong)) };
        let Some(second) = own.second(&factor.sealed, &place_of(&at, person), &code, at.now()) else {
            return Ok(Err(wrong));
        };
        let whose = Whose::Password { person, epoch, second: Some(second) };
        from.enter(roster, &at, whose, &["pwd", "otp"])
    });
    match entered.await? {
        Ok(entered) => {
            attempt.came_in(own);
            come_in(&edge, &arrival, &parts, entered, half.must_change, &wish).await
        }
        Err(Refused::NotProved { why: NotProved::SecondFactorWrong, .. })
            if half.tries.saturating_add(1) < SECOND_TRIES_MAX =>
        {
            attempt.failed(own);
            let half = Half { tries: half.tries.saturating_add(1), ..half };
            await_second(&edge, &parts, door, half, &wish, Some(WRONG_CODE)).await
        }
        Err(_) => {
            attempt.failed(own);
            ask(&edge, &wish, Some(NOT_LET_IN))
        }
    }
}

/// Finds who is signed in, also with a password that has to be changed first.
fn visitor(edge: &Edge, parts: &Parts) -> Result<Option<(SessionKey, Live)>, Problem> {
    let desk = edge.desk();
    let Some(key) = desk.offer().cookies.session(&parts.headers) else { return Ok(None) };
    let roster = edge.roster();
    let is_open = |provider: &str| edge.desk().is_open(provider);
    let lifetimes = roster.lifetimes(key.tenant)?;
    let looked = roster.look_at_session_to_change_password(&key, lifetimes, &is_open)?;
    Ok(looked.ok().map(|live| (key, live)))
}

/// Shows the form by which somebody changes their own password.
pub async fn change_page(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Some((key, live)) = visitor(&edge, &parts)? else {
        return pages::see_other("/password/login?return_to=/password/change");
    };
    change_form(&edge, key, &live, None)
}

fn change_form(edge: &Edge, key: SessionKey, live: &Live, notice: Option<&str>) -> Result<Response, Problem> {
    let roster = edge.roster();
    let door = door_of(roster, key.tenant, roster.request_id())?;
    let known = door.map(|door| roster.password_of_person(&door, live.person)).transpose()?.flatten();
    let Some(known) = known else {
        let text = "You sign in without a password of this server's. Your administrator can change that.";
        return say(StatusCode::OK, "There is no password to change", text);
    };
    let mut fields = vec![PASSWORD];
    fields.extend(new_fields(true));
    if known.second_factor {
        fields.push(CODE);
    }
    let text = live.must_change.then_some("Somebody else has set your password. Set one of your own first.");
    let shown = Shown {
        title: "Change your password",
        notice,
        text,
        action: CHANGE,
        hidden: vec![],
        fields,
        submit: "Change",
        links: vec![("/me", "My account")],
    };
    shown.answer()
}

/// Changes somebody's own password: the old one is shown, and where there is a second factor, that as well (H11).
pub async fn change(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let own = edge.desk().own()?;
    let Some((key, live)) = visitor(&edge, &parts)? else { return pages::see_other("/password/login") };
    let attempt = Attempt::of(&edge, &arrival, &parts, live.person.to_string());
    attempt.must_not_wait(own)?;
    let (id, person) = (arrival.request_id, live.person);
    let found = edge.wait(move |roster| {
        let Some(door) = door_of(roster, key.tenant, id)? else { return Err(RosterError::NotFound) };
        let known = roster.password_of_person(&door, person)?;
        Ok((door, known))
    });
    let (door, Some(known)) = found.await? else { return change_form(&edge, key, &live, None) };
    let typed = Password::read(form.get("password").unwrap_or_default());
    let right = match &typed {
        Ok(password) => own.hasher.try_password(password, Some(&known.hash)).await? != Tried::Wrong,
        Err(_) => false,
    };
    if !right {
        attempt.failed(own);
        return change_form(&edge, key, &live, Some("The old password is not right."));
    }
    let (new, again) =
        (form.get("new_password").unwrap_or_default(), form.get("new_password_again").unwrap_or_default());
    let new = match new_password(edge.roster(), &door, person, new, again)? {
        Ok(new) if Ok(&new) == typed.as_ref() => {
            return change_form(&edge, key, &live, Some("That is the old password. Choose another one."));
        }
        Ok(new) => new,
        Err(flaw) => return change_form(&edge, key, &live, Some(&flaw.to_string())),
    };
    let code = form.get("code").unwrap_or_default().to_owned();
    let hash = own.hasher.hash(&new).await?;
    let (from, then) = (From::of(&edge, &arrival, &parts), edge.clone());
    let by_password = live.session.method == SignInMethod::Password;
    let changed = edge.wait(move |roster| {
        let own = then.desk().own().map_err(|_| RosterError::Busy)?;
        let factor = roster.second_factor(&door, person)?.filter(|factor| factor.confirmed);
        let amr: &[&str] = if factor.is_some() { &["pwd", "otp"] } else { &["pwd"] };
        let second =
            factor.and_then(|factor| own.second(&factor.sealed, &place_of(&door, person), &code, door.now()));
        let Ok(changed) = roster.change_password(&door, person, (known.epoch, second), &hash)? else {
            return Ok(Change::NoCode);
        };
        if !by_password {
            return Ok(Change::Done);
        }
        // The session began with the old one, and is dead: a new one takes its place.
        let entered = from.enter(roster, &door, Whose::Changed(changed), amr)?;
        Ok(entered.map_or(Change::SignInAgain, Change::Entered))
    });
    let changed = changed.await?;
    if matches!(changed, Change::NoCode) {
        attempt.failed(own);
        return change_form(&edge, key, &live, Some(WRONG_CODE));
    }
    attempt.came_in(own);
    match changed {
        Change::Entered(entered) => welcome(&edge, &arrival, &parts, entered, "/me").await,
        Change::SignInAgain | Change::NoCode => pages::see_other("/password/login"),
        Change::Done => pages::see_other("/me"),
    }
}

/// What a change of a password came to.
enum Change {
    /// The second factor was not shown; nothing was changed.
    NoCode,
    /// The session goes on: it did not begin with a password.
    Done,
    /// A new session takes its place.
    Entered(Entered),
    /// The session is dead, and no new one could be made.
    SignInAgain,
}
