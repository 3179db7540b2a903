//! `/sso/{idp}/start`, `/callback` and `/initiate`: to a provider and back (X43 to X46, X51, R30).

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use tokio::time::Instant;

use super::browser::{self, address, agent};
use super::desk::{Desk, Opened};
use super::login::{Wish, parameter};
use super::pages::{self, with_cookie};
use super::visit;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::roster::{Caller, Entered, Seal, SignInEntry, SignInMethod, Turned, Whose, hex};
use crate::signin::rp::{Ask, Callback, Demand, Prompt, Refusal, ReturnTo, ThirdParty, Verified};
use crate::signin::vault::Purpose;

/// Longest ID token that is kept for signing out: it goes back within a URL.
const ID_TOKEN_KEPT_BYTES_MAX: usize = 6 * 1024;

/// What a sign-in is begun for.
#[derive(Debug)]
pub struct Start<'a> {
    /// Where the browser goes afterwards.
    pub return_to: ReturnTo,
    /// Who it may be.
    pub login_hint: Option<&'a str>,
    /// Seconds that the proof may be old, where this sign-in asks for less than the provider's settings do.
    pub max_age: Option<u32>,
    /// Whether the provider shall ask anew.
    pub anew: bool,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self { return_to: ReturnTo::root(), login_hint: None, max_age: None, anew: false }
    }
}

/// What came of beginning a sign-in.
pub enum Begun {
    /// The browser goes there, with its cookie.
    There(String, Option<axum::http::HeaderValue>),
    /// It did not work; that is the page.
    Not(Response),
}

impl Begun {
    /// Answers a link.
    fn redirect(self) -> Result<Response, Problem> {
        match self {
            Self::There(url, cookie) => Ok(with_cookie(pages::see_other(&url)?, cookie)),
            Self::Not(page) => Ok(page),
        }
    }

    /// Answers a form.
    pub fn onward(self, opened: &Opened) -> Result<Response, Problem> {
        match self {
            Self::There(url, cookie) => {
                let title = format!("Going to {} …", opened.title);
                Ok(with_cookie(pages::onward(&title, &url)?, cookie))
            }
            Self::Not(page) => Ok(page),
        }
    }
}

/// Sends a browser to its provider.
pub async fn start(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Some(opened) = edge.desk().provider(&name) else { return pages::refused(arrival.request_id) };
    let query = parts.uri.query();
    let wish = Wish::of(&edge.desk().offer(), parameter(query, "return_to").as_deref(), None);
    let start = Start {
        return_to: wish.return_to,
        login_hint: None,
        max_age: parameter(query, "max_age").and_then(|age| age.parse().ok()),
        anew: parameter(query, "prompt").as_deref() == Some("login"),
    };
    begin(&edge, &arrival, &parts.headers, &opened, start).await?.redirect()
}

/// Sends a browser to the provider at which somebody chose us (OpenID Connect Core §4).
pub async fn initiate(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let Some(opened) = edge.desk().provider(&name) else { return pages::refused(arrival.request_id) };
    let form = said(&arrival, &parts, body).await?;
    let third = match ThirdParty::parse(&opened.provider, &form, &edge.desk().public_url) {
        Ok(third) => third,
        Err(refusal) => return turned_away(&edge, &arrival, &opened, &refusal).await,
    };
    let start =
        Start { return_to: third.return_to, login_hint: third.login_hint.as_deref(), ..Start::default() };
    begin(&edge, &arrival, &parts.headers, &opened, start).await?.redirect()
}

/// Counts who begins a sign-in, or tries which address leads to one; refuses whose address does so too often.
pub(super) fn must_not_wait(edge: &Edge, arrival: &Arrival, headers: &HeaderMap) -> Result<(), Problem> {
    let desk = edge.desk();
    let address = address(desk, arrival, headers);
    match address.and_then(|address| desk.starts.count(address, Instant::now())) {
        Some(seconds) => Err(Problem::too_many_requests(seconds)),
        None => Ok(()),
    }
}

/// Begins a sign-in, and remembers it for the browser that began it.
pub async fn begin(
    edge: &Edge,
    arrival: &Arrival,
    headers: &HeaderMap,
    opened: &Opened,
    start: Start<'_>,
) -> Result<Begun, Problem> {
    must_not_wait(edge, arrival, headers)?;
    let desk = edge.desk();
    let ask = Ask {
        return_to: start.return_to,
        demand: demanded(&opened.demand, start.max_age, start.anew),
        login_hint: start.login_hint,
    };
    let started = match desk.party.begin(&opened.provider, ask, desk.chance.as_ref(), desk.now()).await {
        Ok(started) => started,
        Err(refusal) => return Ok(Begun::Not(turned_away(edge, arrival, opened, &refusal).await?)),
    };
    let cookies = desk.offer().cookies.clone();
    // A value that a browser brings is kept where it can be one of ours, so that several tabs work; it opens nothing by itself.
    let browser = cookies.browser(headers).map_or_else(|| hex(&desk.chance.secret()), str::to_owned);
    let cookie = cookies.set_browser(&browser);
    let text = serde_json::to_string(&started.pending)
        .map_err(|error| Problem::internal(format!("a sign-in that was begun: {error}")))?;
    let (tenant, id, until) = (opened.tenant.clone(), arrival.request_id, started.pending.expires);
    let state = started.state;
    let kept = edge.wait(move |roster| {
        let door = roster.doorkeeper(&tenant, id)?;
        roster.keep_attempt(&door, &state, &browser, &text, until)
    });
    kept.await?;
    Ok(Begun::There(started.url, cookie))
}

/// Adds what one sign-in asks to what its provider's settings ask: never less.
fn demanded(settings: &Demand, max_age: Option<u32>, anew: bool) -> Demand {
    let max_age = match (settings.max_age, max_age) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let prompt = if anew { Some(Prompt::Login) } else { settings.prompt };
    Demand { max_age, prompt, ..settings.clone() }
}

/// Takes what a browser brings back by redirect.
pub async fn callback(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().as_bytes().to_vec();
    come_back(&edge, &name, &arrival, &parts, &query).await
}

/// Takes what a browser brings back as a form (`response_mode=form_post`).
pub async fn posted(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let form = browser::bytes(&arrival, &parts.headers, body).await?;
    come_back(&edge, &name, &arrival, &parts, &form).await
}

async fn come_back(
    edge: &Edge,
    name: &str,
    arrival: &Arrival,
    parts: &Parts,
    form: &[u8],
) -> Result<Response, Problem> {
    let desk = edge.desk();
    let Some(opened) = desk.provider(name) else { return pages::refused(arrival.request_id) };
    match finish(edge, &opened, arrival, parts, form).await? {
        Ok(verified) => enter(edge, &opened, arrival, parts, &verified).await,
        Err(refusal) => turned_away(edge, arrival, &opened, &refusal).await,
    }
}

/// Takes the attempt away, then asks the provider who it was: whatever comes of that, the attempt is used up.
async fn finish(
    edge: &Edge,
    opened: &Opened,
    arrival: &Arrival,
    parts: &Parts,
    form: &[u8],
) -> Result<Result<Verified, Refusal>, Problem> {
    let desk = edge.desk();
    let callback = match Callback::parse(form) {
        Ok(callback) => callback,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let offer = desk.offer();
    let Some(browser) = offer.cookies.browser(&parts.headers).map(str::to_owned) else {
        return Ok(Err(Refusal::State));
    };
    let (tenant, id, state) = (opened.tenant.clone(), arrival.request_id, callback.state.clone());
    let taken = edge.wait(move |roster| {
        let door = roster.doorkeeper(&tenant, id)?;
        roster.take_attempt(&door, &state, &browser)
    });
    let Some(text) = taken.await? else { return Ok(Err(Refusal::State)) };
    let pending = serde_json::from_str(&text)
        .map_err(|error| Problem::internal(format!("a sign-in that was begun cannot be read: {error}")))?;
    Ok(desk.party.finish(&opened.provider, pending, &callback, desk.now()).await)
}

/// Makes a session for whoever it was, in the place of any that the browser had.
async fn enter(
    edge: &Edge,
    opened: &Opened,
    arrival: &Arrival,
    parts: &Parts,
    verified: &Verified,
) -> Result<Response, Problem> {
    let desk = edge.desk();
    // It may have been switched off while somebody was there (X46).
    if !desk.is_open(opened.name()) {
        return pages::refused(arrival.request_id);
    }
    let address =
        address(desk, arrival, &parts.headers).map(|address| address.to_string()).unwrap_or_default();
    let work = Work {
        opened: desk.provider(opened.name()),
        verified: verified.clone(),
        address,
        agent: agent(&parts.headers).to_owned(),
    };
    let (tenant, id, then) = (opened.tenant.clone(), arrival.request_id, edge.clone());
    let entered = edge.wait(move |roster| {
        let door = roster.doorkeeper(&tenant, id)?;
        let lifetimes = roster.lifetimes(door.tenant())?;
        let seal = |place: &[u8], token: &[u8]| seal_id_token(then.desk(), place, token);
        let Some((entry, opened)) = work.entry(&seal) else { return Ok(None) };
        let entered = roster.sign_in(&door, &entry, lifetimes)?;
        if let Err(refused) = &entered {
            let (name, code) = (work.name(), refused.code());
            tracing::info!(provider = name, code, request_id = %id, "a sign-in was refused");
            let connection = opened.connection.as_deref();
            let reason = refused.to_string();
            let turned = Turned { by: name, connection, code, person: refused.person(), reason };
            roster.turned_away(&door, &turned)?;
        }
        Ok(entered.ok())
    });
    let Some(entered) = entered.await? else { return pages::refused(arrival.request_id) };
    let offer = desk.offer();
    if let Some(old) = offer.cookies.session(&parts.headers) {
        visit::end(edge, old, &opened.tenant, arrival).await?;
    }
    let Entered { cookie, expires, .. } = entered;
    let cookie = offer.cookies.set_session(&cookie, expires, desk.now());
    Ok(with_cookie(pages::see_other(verified.return_to.as_str())?, cookie))
}

/// What a thread that may wait needs for a session.
struct Work {
    opened: Option<std::sync::Arc<Opened>>,
    verified: Verified,
    address: String,
    agent: String,
}

impl Work {
    fn name(&self) -> &str {
        &self.verified.idp
    }

    fn entry<'a>(&'a self, seal: Seal<'a>) -> Option<(SignInEntry<'a>, &'a Opened)> {
        let opened = self.opened.as_deref()?;
        let verified = &self.verified;
        let entry = SignInEntry {
            whose: Whose::Identity(opened.identity(verified)),
            method: SignInMethod::Oidc,
            at: verified.auth_time,
            sid: verified.sid.as_deref(),
            acr: verified.acr.as_deref(),
            amr: &verified.amr,
            address: &self.address,
            agent: &self.agent,
            id_token: for_the_way_out(verified).map(|token| (token, seal)),
        };
        Some((entry, opened))
    }
}

/// Returns the ID token that a provider takes back when somebody signs out (OpenID Connect RP-Initiated Logout §2; Okta ends no session without it). `None` where it
/// would be of no use, or is too long to go back.
fn for_the_way_out(verified: &Verified) -> Option<&str> {
    let token = verified.id_token.expose();
    (verified.signs_out && token.len() <= ID_TOKEN_KEPT_BYTES_MAX).then_some(token)
}

/// Seals an ID token. Where that cannot be done, nobody is kept from coming in.
fn seal_id_token(desk: &Desk, place: &[u8], token: &[u8]) -> Option<Vec<u8>> {
    let sealed = desk.own().ok()?.vault.seal(Purpose::IdToken, &[place], token);
    let odd = |error: &_| tracing::warn!(%error, "an ID token cannot be sealed; signing out at the provider goes without it");
    sealed.inspect_err(odd).ok()
}

/// Says no to a browser: why is for the log, and, where it is the provider's doing, for the history.
async fn turned_away(
    edge: &Edge,
    arrival: &Arrival,
    opened: &Opened,
    refusal: &Refusal,
) -> Result<Response, Problem> {
    let (name, code, cure) = (opened.name().to_owned(), refusal.code(), refusal.cure());
    tracing::warn!(provider = name, code, cure, request_id = %arrival.request_id, "signing in did not work: {refusal}");
    if is_for_history(refusal) {
        let (tenant, id) = (opened.tenant.clone(), arrival.request_id);
        let (reason, connection) = (format!("{refusal}; {cure}"), opened.connection.clone());
        let noted = edge.wait(move |roster| {
            let door: Caller = roster.doorkeeper(&tenant, id)?;
            roster.turned_away(
                &door,
                &Turned { by: &name, connection: connection.as_deref(), code, person: None, reason },
            )
        });
        noted.await?;
    }
    if refusal.is_outage() {
        pages::unreachable(arrival.request_id)
    } else {
        pages::refused(arrival.request_id)
    }
}

/// Anybody can come with a state of their own making: that is no news. What the provider did or said is.
const fn is_for_history(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::State | Refusal::Callback(_) | Refusal::Expired | Refusal::NoCode)
}

async fn said(arrival: &Arrival, parts: &Parts, body: Body) -> Result<Vec<u8>, Problem> {
    if parts.method == axum::http::Method::POST {
        return Ok(browser::bytes(arrival, &parts.headers, body).await?.to_vec());
    }
    Ok(parts.uri.query().unwrap_or_default().as_bytes().to_vec())
}
