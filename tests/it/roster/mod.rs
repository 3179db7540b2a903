//! The use cases, seen from outside: what the rules of the roster come to over HTTP where several of them meet.

mod filters;
mod history;
mod scopes;
