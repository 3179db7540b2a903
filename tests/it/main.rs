//! Every integration test of rosterd, in one binary; each module mirrors a route, a room or a row.

mod edge;
