//! What an endpoint of the admin API is: one line in the list (`list`), from which the router and the document are made.
//!
//! The frame around a handler is the same for all: who asks, whether they may, the query, the body, then the handler, whose
//! types say what the document says of it. A handler is a function from an [`Ask`], and a body where it takes one, to something that
//! [`Answers`].

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

use super::ask::{self, Ask};
use super::openapi::Written;
use super::query::Parameter;
use crate::doctor::Doctor;
use crate::http::drain::Drain;
use crate::http::edge::Edge;
use crate::http::metrics::Door;
use crate::http::problem::Problem;
use crate::outbox::Feed;
use crate::roster::Deed;

/// What every handler is given, beside the request.
#[derive(Clone)]
pub struct Frame {
    /// What hands work to the roster.
    pub edge: Edge,
    /// Who answers questions about connections.
    pub doctor: Arc<Doctor>,
    /// Who reads the feed of changes.
    pub feed: Arc<Feed>,
    /// What says that the daemon stops.
    pub drain: Drain,
    /// The document of this door.
    pub document: Arc<Written>,
    /// What a credential must be for what it asks.
    pub admission: Admission,
}

/// What the settings say of the credentials by which something is asked (X6).
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// How long ago a sign-in may be by which something is changed; `None` where administrators have no sessions.
    pub fresh_within: Option<SignedDuration>,
    /// Whether a token makes tokens, clients and secrets.
    pub tokens_make_tokens: bool,
}

impl Frame {
    /// Makes one, for whichever door: its document is put in where its routes are made.
    pub fn new(edge: Edge, doctor: Arc<Doctor>, feed: Arc<Feed>, drain: Drain, admission: Admission) -> Self {
        Self { edge, doctor, feed, drain, document: Arc::new(Written::of(Door::Admin)), admission }
    }
}

/// The schemas that a document names.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// An endpoint: its route, and what the document says of it.
pub struct Endpoint {
    /// How it is asked.
    pub method: Method,
    /// Where, as the router writes it.
    pub path: &'static str,
    /// What is done there.
    pub deed: Deed,
    /// What answers there.
    pub service: MethodRouter<Frame>,
    says: Says,
}

/// Describes an endpoint, and adds the schemas that the description names. Done when the document is asked for.
type Says = Box<dyn Fn(&mut Schemas) -> Operation>;

/// Describes what a body holds.
type Taken = fn(&mut Schemas) -> Content;

impl Endpoint {
    /// Describes it for the document.
    pub(super) fn described(&self, schemas: &mut Schemas) -> Operation {
        (self.says)(schemas)
    }
}

/// An endpoint that has no handler yet.
pub struct Route {
    method: Method,
    path: &'static str,
    deed: Deed,
    name: &'static str,
    says: &'static str,
    query: &'static [Parameter],
}

/// Begins an endpoint. `name` is its operation in the document, `says` what it does, in a sentence.
pub const fn route(
    method: Method,
    path: &'static str,
    deed: Deed,
    name: &'static str,
    says: &'static str,
) -> Route {
    Route { method, path, deed, name, says, query: &[] }
}

impl Route {
    /// Says which parameters the query may have.
    #[must_use]
    pub fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    /// Ends with a handler that takes no body.
    pub fn to<A, F>(self, handler: impl Fn(Ask) -> F + Clone + Send + Sync + 'static) -> Endpoint
    where
        A: Answers,
        F: Future<Output = Result<A, Problem>> + Send,
    {
        let Self { deed, query, .. } = self;
        let service = move |State(frame): State<Frame>, request: Request| async move {
            let (mut parts, _) = request.into_parts();
            let ask = Ask::of(frame, &mut parts, deed, query).await?;
            handler(ask).await.map(A::answer)
        };
        let service = on(self.filter(), service);
        self.end::<A>(service, None)
    }

    /// Ends with a handler that takes a body.
    pub fn taking<T, A, F>(self, handler: impl Fn(Ask, T) -> F + Clone + Send + Sync + 'static) -> Endpoint
    where
        T: DeserializeOwned + ToSchema + Send,
        A: Answers,
        F: Future<Output = Result<A, Problem>> + Send,
    {
        let Self { deed, query, .. } = self;
        let service = move |State(frame): State<Frame>, request: Request| async move {
            let (mut parts, body) = request.into_parts();
            let ask = Ask::of(frame, &mut parts, deed, query).await?;
            let body = ask::body(ask.edge(), &parts.headers, body).await?;
            handler(ask, body).await.map(A::answer)
        };
        let service = on(self.filter(), service);
        self.end::<A>(service, Some(|schemas| Content::new(Some(named::<T>(schemas)))))
    }

    fn filter(&self) -> MethodFilter {
        match self.method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::PATCH => MethodFilter::PATCH,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        }
    }

    fn end<A: Answers>(self, service: MethodRouter<Frame>, taken: Option<Taken>) -> Endpoint {
        let Self { ref method, path, deed, .. } = self;
        let method = method.clone();
        Endpoint {
            method,
            path,
            deed,
            service,
            says: Box::new(move |schemas| self.described::<A>(taken, schemas)),
        }
    }

    fn described<A: Answers>(&self, taken: Option<Taken>, schemas: &mut Schemas) -> Operation {
        let &Self { ref method, path, deed, name, says, query } = self;
        let mut operation = OperationBuilder::new()
            .operation_id(Some(name))
            .summary(Some(says))
            .description(Some(format!("Needs the scope `{}`.", deed.scope())))
            .tag(tag(path))
            .response(A::STATUS.as_str(), A::described(schemas));
        for captured in captures(path) {
            // A connection of this name is there always.
            let example = (captured == "name").then(|| crate::roster::LOCAL_NAME.into());
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(captured)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
                    .example(example)
                    .build(),
            );
        }
        for parameter in query {
            operation = operation.parameter(parameter.described());
        }
        let mut refusals = vec![400, 401, 403, 408, 429, 500, 503];
        if captures(path).next().is_some() {
            refusals.push(404);
        }
        if *method != Method::GET {
            refusals.extend([404, 409, 507]);
        }
        if let Some(content) = taken.map(|taken| taken(schemas)) {
            refusals.extend([413, 415]);
            operation = operation.request_body(Some(
                RequestBodyBuilder::new()
                    .content("application/json", content)
                    .required(Some(Required::True))
                    .build(),
            ));
        }
        for status in refusals {
            operation = operation.response(status.to_string(), refusal(status));
        }
        schemas.push((ProblemDocument::name().into_owned(), ProblemDocument::schema()));
        operation.build()
    }
}

/// A problem (RFC 9457): why nothing was done.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Always `about:blank`: the status and the sentence say it all.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What was expected, what was found, and what to do.
    pub detail: String,
}

fn refusal(status: u16) -> utoipa::openapi::Response {
    let says =
        StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let schema = Ref::from_schema_name(ProblemDocument::name());
    ResponseBuilder::new()
        .description(says)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
}

/// Adds a type and all that it is made of to the document, and returns what points there.
pub(super) fn named<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    Ref::from_schema_name(T::name()).into()
}

/// The names of the parts of a path that are captured.
pub(super) fn captures(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The topic: what follows `/admin/v1/`.
fn tag(path: &'static str) -> &'static str {
    path.split('/').nth(3).unwrap_or_default().split('.').next().unwrap_or_default()
}

/// What a handler answers with, and what the document says of that.
pub trait Answers {
    /// With which status.
    const STATUS: StatusCode;

    /// Turns it into an answer.
    fn answer(self) -> Response;

    /// Describes it.
    fn described(schemas: &mut Schemas) -> utoipa::openapi::Response;
}

/// 200, with this.
pub struct Found<T>(pub T);

/// 201, with this.
pub struct Made<T>(pub T);

/// 204.
pub struct Done;

/// 200, with a document that is not made from a type: a JSON object.
pub struct Object(pub Bytes);

/// The media type of what the API answers with.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl<T: Serialize + ToSchema> Answers for Found<T> {
    const STATUS: StatusCode = StatusCode::OK;

    fn answer(self) -> Response {
        json(Self::STATUS, &self.0)
    }

    fn described(schemas: &mut Schemas) -> utoipa::openapi::Response {
        described::<T>("What was asked for.", schemas)
    }
}

impl<T: Serialize + ToSchema> Answers for Made<T> {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn answer(self) -> Response {
        json(Self::STATUS, &self.0)
    }

    fn described(schemas: &mut Schemas) -> utoipa::openapi::Response {
        described::<T>("It was made.", schemas)
    }
}

impl Answers for Done {
    const STATUS: StatusCode = StatusCode::NO_CONTENT;

    fn answer(self) -> Response {
        Self::STATUS.into_response()
    }

    fn described(_: &mut Schemas) -> utoipa::openapi::Response {
        ResponseBuilder::new().description("It was done.").build()
    }
}

impl Answers for Object {
    const STATUS: StatusCode = StatusCode::OK;

    fn answer(self) -> Response {
        with_body(Self::STATUS, JSON, Body::from(self.0))
    }

    fn described(_: &mut Schemas) -> utoipa::openapi::Response {
        let object = ObjectBuilder::new().schema_type(Type::Object).build();
        ResponseBuilder::new()
            .description("A JSON object.")
            .content("application/json", Content::new(Some(object)))
            .build()
    }
}

fn described<T: ToSchema>(says: &str, schemas: &mut Schemas) -> utoipa::openapi::Response {
    let schema = named::<T>(schemas);
    ResponseBuilder::new().description(says).content("application/json", Content::new(Some(schema))).build()
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => with_body(status, JSON, Body::from(bytes)),
        Err(error) => Problem::internal(format!("an answer could not be written: {error}")).into_response(),
    }
}

/// Makes an answer of a body that is ready, or on its way.
pub(super) fn with_body(status: StatusCode, kind: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
