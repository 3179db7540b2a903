//! `POST /access/v1/evaluation` and `/evaluations`: may this person do that? The form is that of the OpenID AuthZEN Authorization API 1.0.
//!
//! The subject is a person, `{"type": "user", "id": "…"}`; the action's name is a permission of the catalogue; the resource may say in its
//! properties to which cost centre it belongs (`costCenter`, an id), and what the person has to do with it (`relation`: `own`, `assigned` or
//! `other`; `other` where absent, but a person is their own). A subject that acts for somebody says for whom in its properties (`onBehalfOf`, an id; P07): then the answer is
//! about what the other may do, as far as it is handed over today, relations are the other's, and the history has both. Who asks needs the scope `kinds:read`, which no
//! identity provider has unless it is given to it.

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::auth::Bearer;
use super::edge::Edge;
use super::problem::Problem;
use super::scim::json;
use crate::ids::ResourceId;
use crate::psa::permission::{Effective, Relation};
use crate::roster::{Caller, Roster, RosterError, Scope};

/// Where one question is asked.
pub const EVALUATION: &str = "/access/v1/evaluation";
/// Where several are.
pub const EVALUATIONS: &str = "/access/v1/evaluations";
const JSON: &str = "application/json";
/// Most questions in one request.
const EVALUATIONS_MAX: usize = 1000;

/// One question, or what several have in common.
#[derive(Debug, Clone, Default, Deserialize)]
struct Question {
    subject: Option<Entity>,
    action: Option<Action>,
    resource: Option<Entity>,
}

/// A subject or a resource.
#[derive(Debug, Clone, Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Action {
    name: String,
}

/// Several questions.
#[derive(Debug, Deserialize)]
struct Questions {
    #[serde(flatten)]
    common: Question,
    #[serde(default)]
    evaluations: Vec<Question>,
    #[serde(default)]
    options: Options,
}

#[derive(Debug, Default, Deserialize)]
struct Options {
    #[serde(default)]
    evaluations_semantic: Semantic,
}

/// How many of the questions are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Decision {
    decision: bool,
    context: Context,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    reason: &'static str,
    /// Who acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<String>,
}

impl Decision {
    const fn no(reason: &'static str) -> Self {
        Self::of(false, reason)
    }

    const fn of(decision: bool, reason: &'static str) -> Self {
        Self { decision, context: Context { reason, actor: None, on_behalf_of: None } }
    }

    /// Names both.
    fn between(mut self, actor: &str, on_behalf_of: &str) -> Self {
        (self.context.actor, self.context.on_behalf_of) =
            (Some(actor.to_owned()), Some(on_behalf_of.to_owned()));
        self
    }
}

/// Answers one question.
pub async fn evaluation(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    let body = json::read_message(&edge, &bearer.caller, request).await?;
    let question: Question = read(body)?;
    let decision = edge
        .run_in_turn(bearer.caller, move |roster, caller| {
            needs(caller)?;
            decide(roster, caller, &Question::default(), &question)
        })
        .await?;
    answer(&decision.map_err(Problem::bad_request)?)
}

/// Answers several. What they have in common stands beside them; without any, it is one question.
pub async fn evaluations(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    let body = json::read_message(&edge, &bearer.caller, request).await?;
    let asked: Questions = read(body)?;
    if asked.evaluations.len() > EVALUATIONS_MAX {
        let found = asked.evaluations.len();
        return Err(Problem::bad_request(format!(
            "evaluations: expected at most {EVALUATIONS_MAX} questions, found {found}; send them in several requests"
        )));
    }
    let decided = edge
        .run_in_turn(bearer.caller, move |roster, caller| {
            needs(caller)?;
            let Questions { common, evaluations, options } = asked;
            let alone = evaluations.is_empty();
            let each = if alone { vec![Question::default()] } else { evaluations };
            let mut decisions = Vec::with_capacity(each.len());
            for question in &each {
                let decision = match decide(roster, caller, &common, question)? {
                    Ok(decision) => decision,
                    Err(mistake) => return Ok(Err(format!("evaluations[{}]: {mistake}", decisions.len()))),
                };
                let last = match options.evaluations_semantic {
                    Semantic::ExecuteAll => false,
                    Semantic::DenyOnFirstDeny => !decision.decision,
                    Semantic::PermitOnFirstPermit => decision.decision,
                };
                decisions.push(decision);
                if last {
                    break;
                }
            }
            Ok(Ok((decisions, alone)))
        })
        .await?;
    let (decisions, alone) = decided.map_err(Problem::bad_request)?;
    match decisions.first() {
        Some(only) if alone => answer(only),
        _ => answer(&serde_json::json!({ "evaluations": decisions })),
    }
}

fn needs(caller: &Caller) -> Result<(), RosterError> {
    caller.needs(Scope::KindsRead)
}

fn read<T: for<'de> Deserialize<'de>>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|error| {
        Problem::bad_request(format!(
            "expected an AuthZEN question such as {{\"subject\": {{\"type\": \"user\", \"id\": \"…\"}}, \"action\": {{\"name\": \"users.view\"}}, \
             \"resource\": {{\"type\": \"user\", \"id\": \"…\"}}}}; found: {error}"
        ))
    })
}

/// Decides a question; the inner error says what is wrong with it. What is not known is refused: a permission, a person, a cost centre.
fn decide(
    roster: &Roster,
    caller: &Caller,
    common: &Question,
    question: &Question,
) -> Result<Result<Decision, String>, RosterError> {
    let Some(subject) = question.subject.as_ref().or(common.subject.as_ref()) else {
        return Ok(Err("subject is required".to_owned()));
    };
    let Some(action) = question.action.as_ref().or(common.action.as_ref()) else {
        return Ok(Err("action is required".to_owned()));
    };
    let Some(resource) = question.resource.as_ref().or(common.resource.as_ref()) else {
        return Ok(Err("resource is required".to_owned()));
    };
    if !subject.kind.eq_ignore_ascii_case("user") {
        return Ok(Err("subject.type: expected user".to_owned()));
    }
    let principal = match subject.properties.get("onBehalfOf").map(Value::as_str) {
        None => None,
        Some(Some(id)) => Some(id),
        Some(None) => {
            return Ok(Err("subject.properties.onBehalfOf: expected the id of a person".to_owned()));
        }
    };
    let whose = principal.unwrap_or(&subject.id);
    let relation = match (resource.properties.get("relation").map(Value::as_str), &resource.kind) {
        (None, kind) if kind.eq_ignore_ascii_case("user") && resource.id == whose => Relation::Own,
        (None | Some(Some("other")), _) => Relation::Other,
        (Some(Some("own")), _) => Relation::Own,
        (Some(Some("assigned")), _) => Relation::Assigned,
        _ => return Ok(Err("resource.properties.relation: expected own, assigned or other".to_owned())),
    };
    let cost_center = match resource.properties.get("costCenter") {
        None => None,
        Some(value) => match value.as_str().and_then(|id| ResourceId::parse(id).ok()) {
            Some(id) => Some(id),
            None => {
                return Ok(
                    Err("resource.properties.costCenter: expected the id of a cost centre".to_owned()),
                );
            }
        },
    };
    let asked = Asked { permission: &action.name, relation, cost_center };
    if let Some(principal) = principal {
        return Ok(Ok(on_behalf(roster, caller, (&subject.id, principal), &asked)?));
    }
    let rights = match ResourceId::parse(&subject.id) {
        Ok(id) => roster.rights(caller, id)?,
        Err(_) => None,
    };
    let Some(rights) = rights else { return Ok(Ok(Decision::no("there is no such person"))) };
    if !rights.active {
        return Ok(Ok(Decision::no("the person is locked")));
    }
    Ok(Ok(asked.of(&rights.effective)))
}

/// Decides what somebody wants to do for another (P07). A yes is written down.
fn on_behalf(
    roster: &Roster,
    caller: &Caller,
    (actor, principal): (&str, &str),
    asked: &Asked<'_>,
) -> Result<Decision, RosterError> {
    let both = ResourceId::parse(actor).ok().zip(ResourceId::parse(principal).ok());
    let effective = match both {
        Some((proxy, of)) => roster.rights_on_behalf(caller, proxy, of)?,
        None => None,
    };
    let Some(effective) = effective else {
        return Ok(Decision::no("the person is not the other's proxy today, or one of them is kept out")
            .between(actor, principal));
    };
    let decision = asked.of(&effective);
    if let (true, Some(both)) = (decision.decision, both) {
        roster.decided_on_behalf(caller, both, asked.permission)?;
        return Ok(Decision::of(true, "the person acts for somebody who has the permission")
            .between(actor, principal));
    }
    Ok(decision.between(actor, principal))
}

/// What is asked of somebody's rights.
struct Asked<'a> {
    permission: &'a str,
    relation: Relation,
    cost_center: Option<ResourceId>,
}

impl Asked<'_> {
    fn of(&self, effective: &Effective) -> Decision {
        if effective.catalogue().find(self.permission).is_none() {
            Decision::no("the catalogue has no such permission")
        } else if effective.allows(self.permission, self.relation, self.cost_center) {
            Decision::of(true, "the person has the permission")
        } else {
            Decision::no("the person does not have the permission there")
        }
    }
}

fn answer(body: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}
